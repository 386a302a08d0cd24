package hosttest_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk"
)

// mustBoundary is a host whose billers b1 to b5 have installed rascal.
func mustBoundary(t *testing.T) *hosttest.Host {
	t.Helper()
	packages := hosttest.MustRascal(t, "")
	h := hosttest.MustHost(t, func(c *host.Config, p *hosttest.Platform) {
		c.Packages = packages
		p.BillerFn = func(_ context.Context, id string) (sdk.Biller, error) {
			return sdk.Biller{ID: id, Slug: id, Name: id, Locale: "en-US", TimeZone: "UTC", Currency: "USD"}, nil
		}
	})
	for i := range 5 {
		dana := hosttest.Dana()
		dana.BillerID = fmt.Sprint("b", i+1)
		mustDo(t, h.Install(t.Context(), dana, "rascal", nil))
	}
	h.Until("rascal serves", func() bool { return h.Get("/rascal/b5/").Status == 200 })
	return h
}

// counted returns what rascal has counted.
func counted(t *testing.T, h *hosttest.Host) (held, ended, poured int) {
	t.Helper()
	// The fifth biller's page has places of its own.
	text := h.Get("/rascal/b5/count").Body
	return number(t, `held (\d+)`, text), number(t, `ended (\d+)`, text), number(t, `poured (\d+)`, text)
}

// ask sends a request that ends with the context.
func ask(ctx context.Context, h *hosttest.Host, method, path string, body io.Reader) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.URL+path, body)
	if err != nil {
		return nil, err
	}
	return http.DefaultTransport.RoundTrip(r)
}

// TestFlushReachesTheBrowser reads what a handler has flushed while it still works.
func TestFlushReachesTheBrowser(t *testing.T) {
	t.Parallel()
	h := mustBoundary(t)
	res, err := ask(t.Context(), h, http.MethodGet, "/rascal/b1/flush", nil)
	mustDo(t, err)
	got := make([]byte, len("first\n"))
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "first\n" {
		t.Errorf("%q, %v", got, err)
	}
	mustDo(t, res.Body.Close())
}

// TestBrowserGone leaves while a handler waits and while it reads; its context
// ends within moments.
func TestBrowserGone(t *testing.T) {
	t.Parallel()
	h := mustBoundary(t)
	half, stuck := io.Pipe()
	go func() { _, _ = stuck.Write(make([]byte, 100<<10)) }() // and no more; the host waits for 64 KiB itself
	cases := []struct {
		method, path string
		body         io.Reader
	}{
		{http.MethodGet, "/rascal/b1/hold", nil},
		{http.MethodPost, "/rascal/b1/gone", strings.NewReader("whole")},
		{http.MethodPost, "/rascal/b1/gone", half},
	}
	for i, tt := range cases {
		ctx, leave := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if res, err := ask(ctx, h, tt.method, tt.path, tt.body); err == nil {
				t.Errorf("%s %s: %s", tt.method, tt.path, res.Status)
				mustDo(t, res.Body.Close())
			}
		})
		h.Until("the handler works", func() bool { held, _, _ := counted(t, h); return held == i+1 })
		left := time.Now()
		leave()
		h.Until("the handler's context ends", func() bool { _, ended, _ := counted(t, h); return ended == i+1 })
		if took := time.Since(left); took > budget {
			t.Errorf("%s %s: told after %s", tt.method, tt.path, took)
		}
		if tt.body == half {
			mustDo(t, stuck.Close()) // or the client waits for the rest
		}
		wg.Wait()
	}
}

// TestSlowBrowser lets 8 browsers stop reading an answer without end: the add-on
// stops writing, and neither it nor the host keeps much.
func TestSlowBrowser(t *testing.T) {
	h := mustBoundary(t)
	pid := number(t, `process (\d+)`, h.Get("/rascal/b1/").Body)
	runtime.GC()
	host, addon := heap(), resident(t, pid)
	for range 8 {
		c, err := net.Dial("tcp", strings.TrimPrefix(h.URL, "http://"))
		mustDo(t, err)
		t.Cleanup(func() { mustDo(t, c.Close()) })
		mustDo(t, c.(*net.TCPConn).SetReadBuffer(4096))
		_, err = io.WriteString(c, "GET /rascal/b1/pour HTTP/1.1\r\nHost: x\r\n\r\n")
		mustDo(t, err)
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err)
		}
	}
	var before, poured int
	h.Until("the add-on has stopped", func() bool {
		before = poured
		_, _, poured = counted(t, h)
		return poured > 0 && poured == before
	})
	if poured > 64<<20 {
		t.Errorf("the add-on has written %d MiB that nobody reads", poured>>20)
	}
	if grown := heap() - host; grown > 32<<20 {
		t.Errorf("the host took %d MiB from the system", grown>>20)
	}
	if grown := resident(t, pid) - addon; grown > 64<<20 {
		t.Errorf("the add-on has grown by %d MiB", grown>>20)
	}
	if got := h.Get("/rascal/b2/"); got.Status != 200 {
		t.Errorf("meanwhile: %d", got.Status)
	}
}

// resident is what a process holds in memory.
func resident(tb testing.TB, pid int) int64 {
	tb.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		tb.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(text))[1], 10, 64)
	if err != nil {
		tb.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestUploadsNobodyReads sends 16 uploads of the largest size, of two billers as one
// may have 8 such at once, to an add-on that reads a little of each: what it does not
// read stays in the network.
func TestUploadsNobodyReads(t *testing.T) {
	h := mustBoundary(t)
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range 16 {
		// A body that nobody has in memory, of a length that is known.
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+fmt.Sprintf("/rascal/b%d/slow", 3+i%2), io.LimitReader(zeros{}, 1<<20))
		mustDo(t, err)
		r.ContentLength = 1 << 20
		res, err := http.DefaultTransport.RoundTrip(r)
		mustDo(t, err)
		t.Cleanup(func() { mustDo(t, res.Body.Close()) })
		if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "read 1000\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 8<<20 {
		t.Errorf("the host keeps %d KiB of 16 MiB", grown>>10)
	}
	if got := h.Get("/rascal/b2/release"); got.Status != 200 {
		t.Errorf("meanwhile: %d", got.Status)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestUploadLimit(t *testing.T) {
	t.Parallel()
	h := mustBoundary(t)
	for size, want := range map[int]int{0: 200, 1: 200, 16 << 10: 200, 1 << 20: 200, 1<<20 + 1: 413, 64 << 20: 413} {
		for _, known := range []bool{true, false} {
			var body io.Reader = bytes.NewReader(make([]byte, size))
			if !known {
				body = io.MultiReader(body)
			}
			res, err := ask(t.Context(), h, http.MethodPost, "/rascal/b1/swallow", body)
			if err != nil {
				if want == 413 { // the host hangs up on those who go on sending
					continue
				}
				t.Errorf("%d bytes: %v", size, err)
				continue
			}
			text, err := io.ReadAll(res.Body)
			if err = errors.Join(err, res.Body.Close()); err != nil && want == 413 && res.StatusCode == want {
				continue // it has hung up meanwhile
			}
			mustDo(t, err)
			if res.StatusCode != want || want == 200 && string(text) != fmt.Sprintf("%d bytes", size) || want == 413 && !strings.Contains(string(text), "too large to send") {
				t.Errorf("%d bytes, length known: %t: %s %.200s", size, known, res.Status, text)
			}
		}
	}
}

// TestFairShare floods an add-on for one biller and then for four: each has its
// share, the rest is told to come again at once, and a fifth biller is served
// until the add-on as a whole is full.
func TestFairShare(t *testing.T) {
	t.Parallel()
	h := mustBoundary(t)
	ctx, leave := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer func() { leave(); wg.Wait() }()
	flood := func(biller string) (refused *atomic.Int64) {
		refused = &atomic.Int64{}
		for range 24 {
			wg.Go(func() {
				res, err := ask(ctx, h, http.MethodGet, "/rascal/"+biller+"/hold", nil)
				if err != nil {
					return // it was held until the end
				}
				if res.StatusCode == 503 && res.Header.Get("Retry-After") != "" {
					refused.Add(1)
				}
				_ = res.Body.Close() // only the status counts
			})
		}
		return refused
	}
	first := flood("b1")
	h.Until("the first biller has its share", func() bool { held, _, _ := counted(t, h); return held == 16 && first.Load() == 8 })
	for range 20 {
		begun := time.Now()
		if got := h.Get("/rascal/b2/"); got.Status != 200 || time.Since(begun) > budget {
			t.Errorf("another biller: %d after %s", got.Status, time.Since(begun))
		}
	}
	for i, biller := range []string{"b2", "b3"} {
		refused := flood(biller)
		h.Until(biller+" has its share", func() bool { held, _, _ := counted(t, h); return held == 32+16*i && refused.Load() == 8 })
	}
	last := flood("b4")
	h.Until("the add-on is full", func() bool { return last.Load() >= 8 && h.Get("/rascal/b5/").Status == 503 })
	if got := h.Get("/rascal/b5/"); got.Status != 503 || got.Header.Get("Retry-After") == "" || !strings.Contains(got.Body, "Try again") {
		t.Errorf("a full add-on: %d %v", got.Status, got.Header)
	}
	leave()
	h.Until("there is room again", func() bool { return h.Get("/rascal/b5/").Status == 200 })
}

// TestHeadRangeTrailer: an answer to HEAD has the head alone, ranges are what the
// add-on makes of them, and trailers end at the host.
func TestHeadRangeTrailer(t *testing.T) {
	t.Parallel()
	h := mustBoundary(t)
	head, err := ask(t.Context(), h, http.MethodHead, "/rascal/b1/text", nil)
	mustDo(t, err)
	if head.StatusCode != 200 || head.ContentLength != 107 {
		t.Errorf("HEAD: %s, %d", head.Status, head.ContentLength)
	}
	mustDo(t, head.Body.Close())
	part := h.Get("/rascal/b1/text", "Range", "bytes=0-3")
	if part.Status != 200 || len(part.Body) != 107 || part.Header.Get("Accept-Ranges") != "" {
		t.Errorf("range: %d, %d bytes, %v", part.Status, len(part.Body), part.Header)
	}
	res, err := ask(t.Context(), h, http.MethodGet, "/rascal/b1/trailer", nil)
	mustDo(t, err)
	text, err := io.ReadAll(res.Body)
	mustDo(t, errors.Join(err, res.Body.Close()))
	for name := range res.Header {
		if strings.Contains(name, "Trailer") || strings.Contains(name, "Announced") || strings.Contains(name, "Late") {
			t.Errorf("header %s", name)
		}
	}
	if len(res.Trailer) != 0 || string(text) != "<p>body</p>" {
		t.Errorf("%s, trailers %v", text, res.Trailer)
	}
}
