package pages_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// echo reads the whole body, as the wire does, and answers with its size.
func echo(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
	n := int64(0)
	if p.Request.Body != nil {
		var err error
		if n, err = io.Copy(io.Discard, p.Request.Body); err != nil {
			return err
		}
	}
	if n != p.Request.ContentLength && p.Request.ContentLength >= 0 {
		return errors.New("another length")
	}
	_, err := onHead(204, http.Header{})
	return err
}

// stalled is a body of which some bytes came, and no more until it is let go.
type stalled struct {
	first  io.Reader
	waits  chan struct{}
	letGo  chan struct{}
	opened bool
}

func stalling(sent int) *stalled {
	return &stalled{first: strings.NewReader(strings.Repeat("x", sent)), waits: make(chan struct{}), letGo: make(chan struct{})}
}

func (s *stalled) Read(p []byte) (int, error) {
	if n, err := s.first.Read(p); err == nil {
		return n, nil
	}
	if !s.opened {
		s.opened = true
		close(s.waits)
	}
	<-s.letGo
	return 0, io.EOF
}

func post(body io.Reader, length int64) *http.Request {
	r := httptest.NewRequest("POST", portalOrigin+"/portal/northwind/send", body)
	r.ContentLength = length
	return r
}

// TestSlowSendersTakeNoPlaces: whose form does not come keeps nobody out; of larger
// bodies that do not come, half of the places are left to others.
func TestSlowSendersTakeNoPlaces(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		sent          int
		length        int64
		places, first int
	}{
		"a form":               {2, 100, 1, 400},
		"a form in chunks":     {2, -1, 1, 204},
		"a large body":         {80 << 10, -1, 2, 204},
		"a large known length": {80 << 10, 80 << 10, 2, 204},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, tok := MustHandler(t, echo, func(c *pages.Config) { c.MaxPerBiller = tt.places })
			serve := func(r *http.Request) int {
				w := httptest.NewRecorder()
				h.Public().ServeHTTP(w, r)
				return w.Code
			}
			slow := stalling(tt.sent)
			first := make(chan int)
			go func() { first <- serve(post(slow, tt.length)) }()
			<-slow.waits
			if got := serve(post(strings.NewReader("a=b"), 3)); got != 204 {
				t.Errorf("another one: %d", got)
			}
			if got := serve(post(strings.NewReader(strings.Repeat("x", 70<<10)), -1)); tt.places > 1 && got != 503 {
				t.Errorf("another large one: %d", got)
			}
			close(slow.letGo)
			if got := <-first; got != tt.first {
				t.Errorf("the first: %d, want %d", got, tt.first)
			}
			if got := serve(post(strings.NewReader(strings.Repeat("x", 70<<10)), -1)); got != 204 {
				t.Errorf("a large one afterwards: %d", got)
			}
			if tok.alive != 0 {
				t.Errorf("%d tokens alive", tok.alive)
			}
		})
	}
}

// TestBrokenBodiesAreTheSendersFault: what does not arrive whole is answered 400,
// on both surfaces, and is no fault of the add-on in the log.
func TestBrokenBodiesAreTheSendersFault(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, _ := MustHandler(t, echo, dana("staff:invite"), func(c *pages.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, sent := range []int{0, 2, 80 << 10} {
		for path, handler := range map[string]http.Handler{portalOrigin + "/portal/northwind/send": h.Public(), staffOrigin + "/admin/addons/demo/x": h.Staff()} {
			body := io.MultiReader(strings.NewReader(strings.Repeat("x", sent)), broken{})
			r := httptest.NewRequest("POST", path, body)
			r.ContentLength = -1
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != 400 || !strings.Contains(w.Body.String(), "did not arrive") {
				t.Errorf("%s after %d bytes: %d %.200s", path, sent, w.Code, w.Body)
			}
		}
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", &log)
	}
}

// broken is the end of a body that breaks its coding.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("invalid byte in chunk length") }

// TestBusyAddonsFillNoLog: who is turned away because all places are taken is listed
// within the bounds of refused requests.
func TestBusyAddonsFillNoLog(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	entered, leave := make(chan struct{}), make(chan struct{})
	h, _ := MustHandler(t, func(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error {
		close(entered)
		<-leave
		return echo(ctx, id, p, onHead)
	}, func(c *pages.Config) { c.MaxConcurrent, c.Log = 1, slog.New(slog.NewTextHandler(&log, nil)) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.Public().ServeHTTP(httptest.NewRecorder(), post(http.NoBody, 0))
	}()
	<-entered
	for range 3 * refusal.Lines {
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, post(http.NoBody, 0))
		if w.Code != 503 {
			t.Fatalf("status %d", w.Code)
		}
	}
	close(leave)
	<-done
	if n := strings.Count(log.String(), "\n"); n != refusal.Lines || strings.Count(log.String(), "why=throttled") != n {
		t.Errorf("%d lines: %.500s", n, &log)
	}
}

// untilLate takes the body as wire.PagesClient does: it is given up at the end of the
// call, and only then the call returns.
func untilLate(ctx context.Context, _ string, p wire.PageRequest, _ wire.OnHead) error {
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(io.Discard, p.Request.Body) // it never comes whole
	}()
	<-ctx.Done()
	p.StopBody()
	<-read
	return context.Cause(ctx)
}

// TestSlowSendersAreTold: who does not send the rest in time gets an answer that says
// so, on both surfaces.
func TestSlowSendersAreTold(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, echo, dana("staff:invite"), func(c *pages.Config) {
		c.HeadTimeout = 50 * time.Millisecond
		c.BaseURL, c.PortalBaseURL = "http://x.example", "http://x.example"
	})
	large, _ := MustHandler(t, untilLate, dana("staff:invite"), func(c *pages.Config) {
		c.HeadTimeout = 50 * time.Millisecond
		c.BaseURL, c.PortalBaseURL = "http://x.example", "http://x.example"
	})
	for _, tt := range []struct {
		path       string
		handler    http.Handler
		sent, said int
	}{
		{"/portal/northwind/send", h.Public(), 4, 100}, {"/admin/addons/demo/x", h.Staff(), 4, 100},
		{"/portal/northwind/send", large.Public(), 80 << 10, 100 << 10}, {"/admin/addons/demo/x", large.Staff(), 80 << 10, 100 << 10},
	} {
		path, handler := tt.path, tt.handler
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x.example\r\nContent-Length: %d\r\n\r\n%s", path, tt.said, strings.Repeat("x", tt.sent)); err != nil {
			t.Fatal(err)
		}
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if got.StatusCode != 400 || err != nil || !strings.Contains(string(body), "did not arrive") {
			t.Errorf("%s, %d of %d bytes: %d, %v\n%s", path, tt.sent, tt.said, got.StatusCode, err, body)
		}
		if err := got.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestAnswerBeforeALateBody: what the add-on said while the rest of the body was
// awaited is shown, on both surfaces.
func TestAnswerBeforeALateBody(t *testing.T) {
	t.Parallel()
	early := func(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error {
		w, err := onHead(422, http.Header{"Content-Type": {"text/html"}})
		if err == nil {
			_, err = io.WriteString(w, "<p>too many lines</p>")
		}
		if err != nil {
			return err
		}
		stop, cancel := context.WithCancel(ctx)
		cancel()
		_ = untilLate(stop, id, p, onHead) // the answer is complete
		return nil
	}
	h, _ := MustHandler(t, early, dana("staff:invite"), func(c *pages.Config) {
		c.BaseURL, c.PortalBaseURL = "http://x.example", "http://x.example"
	})
	for path, handler := range map[string]http.Handler{"/portal/northwind/send": h.Public(), "/admin/addons/demo/x": h.Staff()} {
		server := httptest.NewServer(handler)
		t.Cleanup(server.Close)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x.example\r\nContent-Length: 102400\r\n\r\n%s", path, strings.Repeat("x", 80<<10)); err != nil {
			t.Fatal(err)
		}
		got, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(got.Body)
		if got.StatusCode != 422 || err != nil || !strings.Contains(string(body), "too many lines") {
			t.Errorf("%s: %d, %v\n%s", path, got.StatusCode, err, body)
		}
		if err := got.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoAddonsWithOneAddress: neither answers there.
func TestTwoAddonsWithOneAddress(t *testing.T) {
	t.Parallel()
	second := demo(t)
	other := *second.Manifest
	other.ID, second.Manifest = "another", &other
	for n, list := range map[int]addons{204: {demo(t)}, 404: {second, demo(t)}} {
		h, _ := MustHandler(t, echo, func(c *pages.Config) { c.Addons = list })
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, httptest.NewRequest(http.MethodGet, portalOrigin+"/portal/northwind/", nil))
		if w.Code != n {
			t.Errorf("%d add-ons: %d", len(list), w.Code)
		}
	}
}
