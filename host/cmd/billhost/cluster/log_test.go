package cluster_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestLogIsJSONInUTC reads the standard error of a billhost that is not in --dev,
// on a machine that lives elsewhere: each line, the add-on's too, is one JSON object
// with its time in UTC, so that logs of all machines are read and joined by number.
func TestLogIsJSONInUTC(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	c := newCluster(t, dbtest.Postgres(t), dir)
	c.prepare()
	n := c.serve("TZ=America/New_York", "LOG_LEVEL=debug")
	c.must("addon", "install", "--biller", "northwind", "hello")
	hosttest.Until(t, "hello answers", func() bool { return serves([]*node{n}, "1.0.0") })
	a, err := n.ask("/hello/northwind/nothing-here")
	if err != nil {
		t.Fatal(err)
	}
	id := a.header.Get("X-Request-Id")
	n.stop()
	lines, ofAddon, joined := 0, 0, 0
	for text := range strings.Lines(n.text()) {
		var line struct {
			Time, Level, Msg, Addon string
			RequestID               string `json:"request_id"`
			BillerID                string `json:"biller_id"`
		}
		d := json.NewDecoder(strings.NewReader(text))
		if err := d.Decode(&line); err != nil || d.More() {
			t.Errorf("no JSON object: %q, %v", text, err)
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, line.Time)
		if err != nil || !strings.HasSuffix(line.Time, "Z") || time.Since(at).Abs() > time.Hour || line.Level == "" || line.Msg == "" {
			t.Errorf("time, level or message: %q, %v", text, err)
		}
		lines++
		if line.Addon == "hello" && line.BillerID != "" { // written by its own process
			ofAddon++
		}
		if id != "" && line.RequestID == id {
			joined++
		}
	}
	if lines < 10 || ofAddon == 0 || joined == 0 {
		t.Errorf("%d lines, %d of the add-on, %d of the request %q:\n%s", lines, ofAddon, joined, id, n.text())
	}
}
