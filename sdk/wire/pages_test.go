package wire_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func pages(t *testing.T, h http.HandlerFunc) *sdktest.Instance {
	t.Helper()
	return sdktest.Start(t, addon(func(sdk.Env) sdk.Parts { return sdk.Parts{Public: h} }))
}

func mustReadAll(tb testing.TB, r io.ReadCloser) string {
	tb.Helper()
	data, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil {
		tb.Fatalf("read answer: %v", err)
	}
	return string(data)
}

func get(tb testing.TB, target string) *http.Request {
	return httptest.NewRequestWithContext(tb.Context(), http.MethodGet, target, nil)
}

func TestPageRequestArrives(t *testing.T) {
	t.Parallel()
	i := pages(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintln(w, r.Method, r.URL.Path, r.URL.EscapedPath(), r.URL.Query().Get("q"), r.Host, r.RemoteAddr, r.RequestURI)
		fmt.Fprintln(w, r.Header["X-Two"], r.ContentLength, r.TLS != nil, string(body), err)
		fmt.Fprintln(w, sdk.CallFrom(r.Context()).CSPNonce)
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "https://pay.test/a%2Fb/c?q=1%202", strings.NewReader("body"))
	r.Header["X-Two"] = []string{"one", "two"}
	got := mustReadAll(t, i.Do(wire.Public, i.PublicCall(sdktest.Northwind), r).Body)
	want := "POST /a/b/c /a%2Fb/c 1 2 pay.test 192.0.2.7:0 /a%2Fb/c?q=1%202\n[one two] 4 true body <nil>\nbm9uY2U\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestPageAnswers(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcdef", 5000)
	for name, c := range map[string]struct {
		method  string
		handler http.HandlerFunc
		status  int
		header  http.Header
		body    string
	}{
		"nothing": {"GET", func(http.ResponseWriter, *http.Request) {}, 200, http.Header{"Content-Length": {"0"}}, ""},
		"page": {"GET", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<p>Hello") }, 200,
			http.Header{"Content-Length": {"8"}, "Content-Type": {"text/html; charset=utf-8"}}, "<p>Hello"},
		"redirect": {"GET", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/x", http.StatusSeeOther) }, 303,
			http.Header{"Content-Length": {"28"}, "Content-Type": {"text/html; charset=utf-8"}, "Location": {"/x"}}, "<a href=\"/x\">See Other</a>.\n\n"},
		"cookies": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "a", Value: "1"})
			http.SetCookie(w, &http.Cookie{Name: "b", Value: "2"})
			w.WriteHeader(http.StatusNoContent)
			w.Header().Set("X-Late", "x")
		}, 204, http.Header{"Set-Cookie": {"a=1", "b=2"}}, ""},
		"large": {"GET", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, big) }, 200,
			http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, big},
		"head": {"HEAD", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, big) }, 200, http.Header{}, ""},
		"early hints": {"GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
			w.WriteHeader(http.StatusOK)
		}, 418, http.Header{"Content-Length": {"0"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := pages(t, c.handler)
			res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), httptest.NewRequestWithContext(t.Context(), c.method, "/", nil))
			if name == "redirect" {
				c.header.Set("Content-Length", fmt.Sprint(len(c.body)))
			}
			if res.StatusCode != c.status {
				t.Errorf("status %d, want %d", res.StatusCode, c.status)
			}
			if diff := cmp.Diff(c.header, res.Header); diff != "" {
				t.Errorf("header (-want +got):\n%s", diff)
			}
			if body := mustReadAll(t, res.Body); body != c.body {
				t.Errorf("body of %d bytes, want %d", len(body), len(c.body))
			}
		})
	}
}

func TestSurfacesAreApart(t *testing.T) {
	t.Parallel()
	say := func(s string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, s) })
	}
	i := sdktest.Start(t, addon(func(sdk.Env) sdk.Parts { return sdk.Parts{Public: say("public"), Slots: say("slot")} }))
	call := i.StaffCall(sdktest.Northwind)
	if got := mustReadAll(t, i.Do(wire.Public, call, get(t, "/")).Body); got != "public" {
		t.Error(got)
	}
	if got := mustReadAll(t, i.Do(wire.Slot, call, get(t, "/")).Body); got != "slot" {
		t.Error(got)
	}
	_, err := i.TryDo(wire.Staff, call, get(t, "/"))
	if page, ok := errors.AsType[*wire.PageError](err); !ok || page.Started || !apperr.Is(err, apperr.NotFound) {
		t.Errorf("surface it lacks: %v", err)
	}
}

func TestBrokenPages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		started bool
	}{
		"panic before the head": {func(http.ResponseWriter, *http.Request) { panic("x") }, false},
		"panic after the head": {func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "x")
			w.(http.Flusher).Flush()
			panic("x")
		}, true},
		"panic with text unsent": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x"); panic("x") }, false},
		"aborted":                {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"senseless status":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(999) }, false},
		"switching protocols":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(101) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := pages(t, c.handler)
			res, err := i.TryDo(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/"))
			if c.started {
				if err != nil {
					t.Fatal(err)
				}
				_, err = io.ReadAll(res.Body)
			}
			page, ok := errors.AsType[*wire.PageError](err)
			if !ok || page.Started != c.started || !apperr.Is(err, apperr.Internal) {
				t.Errorf("got %v", err)
			}
			if err := i.Client.Health(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestFlushPassesAtOnce(t *testing.T) {
	t.Parallel()
	next := make(chan struct{})
	i := pages(t, func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		for n := range 3 {
			fmt.Fprintf(w, "data: %d\n\n", n)
			if err := rc.Flush(); err != nil {
				t.Error(err)
			}
			<-next
		}
	})
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/"))
	for n := range 3 {
		want := fmt.Sprintf("data: %d\n\n", n)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
		next <- struct{}{}
	}
	if rest := mustReadAll(t, res.Body); rest != "" {
		t.Errorf("rest %q", rest)
	}
}

func TestClientGone(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	i := pages(t, func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1000)); err != nil {
				failed <- errors.Join(err, r.Context().Err())
				return
			}
		}
	})
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/"))
	if _, err := io.ReadFull(res.Body, make([]byte, 100_000)); err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-failed:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("the handler was not told")
	}
}

func TestClientGoneWhileWaiting(t *testing.T) {
	t.Parallel()
	entered, left := make(chan struct{}), make(chan struct{})
	i := pages(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
		close(left)
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	_, err := i.TryDo(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/").WithContext(ctx))
	if page, ok := errors.AsType[*wire.PageError](err); !ok || page.Started || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-left
}

// source gives n bytes and measures them.
type source struct {
	n   int64
	sum interface{ Write([]byte) (int, error) }
	pat []byte
}

func (s *source) Read(p []byte) (int, error) {
	if s.n == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(int64(len(p)), s.n)], s.pat)
	s.n -= int64(n)
	return s.sum.Write(p[:n])
}

func TestLargeBodiesBothWaysInLittleMemory(t *testing.T) {
	const size = 50 << 20
	i := pages(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(w, r.Body); err != nil {
			t.Error(err)
		}
	})
	pattern := make([]byte, 40_000)
	if _, err := rand.Read(pattern); err != nil {
		t.Fatal(err)
	}
	sent, got := sha256.New(), sha256.New()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", io.NopCloser(&source{size, sent, pattern}))
	r.ContentLength = -1
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := watchHeap(t)
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), r)
	n, err := io.Copy(got, res.Body)
	if err != nil || n != size || !bytes.Equal(sent.Sum(nil), got.Sum(nil)) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	if grown := int64(peak()) - int64(before.HeapAlloc); grown > 24<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

// watchHeap returns a function that answers the largest heap since.
func watchHeap(t *testing.T) func() uint64 {
	t.Helper()
	done, result := make(chan struct{}), make(chan uint64)
	go func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		var peak uint64
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
			select {
			case <-tick.C:
			case <-done:
				result <- peak
				return
			}
		}
	}()
	return func() uint64 { close(done); return <-result }
}

func TestUploadBeyondTheLimit(t *testing.T) {
	t.Parallel()
	entered, failed := make(chan struct{}), make(chan error, 1)
	i := pages(t, func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		_, err := io.Copy(io.Discard, r.Body)
		failed <- err
	})
	pr, pw := io.Pipe()
	go func() {
		<-entered
		// The reader stops at its limit.
		_, _ = io.WriteString(pw, strings.Repeat("x", 200_000))
	}()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
	r.Body = http.MaxBytesReader(nil, pr, 100_000)
	r.ContentLength = -1
	_, err := i.TryDo(wire.Public, i.PublicCall(sdktest.Northwind), r)
	if _, ok := errors.AsType[*http.MaxBytesError](err); !ok {
		t.Errorf("got %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the add-on took half an upload for a whole one")
	}
	if err := pr.Close(); err != nil {
		t.Error(err)
	}
}

func TestAnswerWithoutReadingTheUpload(t *testing.T) {
	t.Parallel()
	i := pages(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) })
	pr, pw := io.Pipe()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", pr)
	r.ContentLength = -1
	call := i.PublicCall(sdktest.Northwind)
	var status int
	err := i.Client.ServePage(t.Context(), wire.PageRequest{
		Surface: wire.Public,
		Call:    call,
		Request: r,
		StopBody: func() {
			if err := pw.CloseWithError(os.ErrDeadlineExceeded); err != nil {
				t.Error(err)
			}
		},
	}, func(s int, _ http.Header) (wire.ResponseBody, error) { status = s; return discard{}, nil })
	if err != nil || status != http.StatusForbidden {
		t.Errorf("status %d, %v", status, err)
	}
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }
func (discard) Flush() error                { return nil }

func TestReadDeadline(t *testing.T) {
	t.Parallel()
	i := pages(t, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		_, err := r.Body.Read(make([]byte, 10))
		fmt.Fprint(w, errors.Is(err, os.ErrDeadlineExceeded))
	})
	pr, pw := io.Pipe()
	defer pw.Close()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", pr)
	r.ContentLength = -1
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), r)
	got := make([]byte, 4)
	if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != "true" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWriteDeadline(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	i := pages(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
			t.Error(err)
		}
		for {
			if _, err := w.Write(make([]byte, 100_000)); err != nil {
				failed <- err
				return
			}
		}
	})
	res := i.Do(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/"))
	if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

func TestConcurrentPagesKeepApart(t *testing.T) {
	t.Parallel()
	host := sdktest.NewHost()
	for n := range 8 {
		id := fmt.Sprintf("biller-%d", n)
		host.AddBiller(sdk.Biller{ID: id, Name: "Name of " + id})
	}
	i := sdktest.Start(t, addon(func(env sdk.Env) sdk.Parts {
		return sdk.Parts{Public: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b, err := env.Host.Billers.Biller(r.Context())
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			fmt.Fprint(w, strings.Repeat(b.Name, 5000))
		})}
	}), sdktest.WithHost(host))
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			id := fmt.Sprintf("biller-%d", n%8)
			res := i.Do(wire.Public, i.PublicCall(id), get(t, "/"))
			if got := mustReadAll(t, res.Body); got != strings.Repeat("Name of "+id, 5000) {
				t.Errorf("%s got %.40s… of %d bytes", id, got, len(got))
			}
		})
	}
	wg.Wait()
}

func BenchmarkPage(b *testing.B) {
	page := []byte(strings.Repeat("x", 8000))
	i := sdktest.Start(b, addon(func(sdk.Env) sdk.Parts {
		return sdk.Parts{Public: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if _, err := w.Write(page); err != nil {
				b.Error(err)
			}
		})}
	}))
	call := i.PublicCall(sdktest.Northwind)
	r := get(b, "/")
	b.ReportAllocs()
	for b.Loop() {
		err := i.Client.ServePage(b.Context(), wire.PageRequest{Surface: wire.Public, Call: call, Request: r},
			func(int, http.Header) (wire.ResponseBody, error) { return discard{}, nil })
		if err != nil {
			b.Fatal(err)
		}
	}
}
