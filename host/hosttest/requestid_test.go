package hosttest_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
)

// lines is a log in memory.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// take returns the lines since the last time.
func (l *lines) take(tb testing.TB) []map[string]any {
	tb.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var list []map[string]any
	for line := range bytes.Lines(l.buf.Bytes()) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			tb.Fatalf("%s: %v", line, err)
		}
		list = append(list, m)
	}
	l.buf.Reset()
	return list
}

// What host and add-on log while they answer a request, every line of it, has the
// request's id, and with tracing that of the trace.
func TestRequestIDInEveryLine(t *testing.T) {
	t.Parallel()
	_, traced := mustTrace(t)
	log := &lines{}
	h := hosttest.MustHost(t, traced, func(c *host.Config, _ *hosttest.Platform) {
		c.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	h.MustInstall("hello")
	for _, path := range []string{"/hello/northwind/", "/hello/northwind/biller", "/hello/northwind/nothing", "/admin/addons/hello/", "/nobody/northwind/"} {
		log.take(t)
		id := h.Get(path).Header.Get("X-Request-Id")
		if id == "" {
			t.Errorf("%s: the answer has no id", path)
		}
		var mine []map[string]any
		passed := path != "/nobody/northwind/"
		h.Until("both processes have logged", func() bool {
			mine = append(mine, log.take(t)...)
			return !passed || has(mine, "surface") && has(mine, "biller_id")
		})
		for _, line := range mine {
			if line["request_id"] != id {
				t.Errorf("%s: %v lacks %s", path, line, id)
			}
			if passed && (line["addon"] != "hello" || line["trace_id"] == nil) {
				t.Errorf("%s: %v lacks add-on or trace", path, line)
			}
		}
	}
}

func has(list []map[string]any, key string) bool {
	for _, line := range list {
		if line[key] != nil {
			return true
		}
	}
	return false
}
