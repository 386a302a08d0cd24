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

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

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
	case <-time.After(time.Minute):
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
		c := http.NewResponseController(w)
		// What begins the answer goes out in any case; a busy machine may take longer for it.
		if err := errors.Join(c.Flush(), c.SetWriteDeadline(time.Now().Add(20*time.Millisecond))); err != nil {
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

var errSlow = errors.New("too slow")

func TestPageThatTakesTooLong(t *testing.T) {
	t.Parallel()
	goOn := make(chan struct{}) // the add-on hears of the end too, and may not answer first
	i := pages(t, func(http.ResponseWriter, *http.Request) { <-goOn })
	t.Cleanup(func() { close(goOn) })
	const short = 20 * time.Millisecond
	for name, c := range map[string]struct {
		limit func(context.Context) (context.Context, context.CancelFunc)
		want  func(error) bool
	}{
		"no reason given": {
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, short)
			},
			func(err error) bool { return apperr.Is(err, apperr.Unavailable) },
		},
		"the host's own": {
			func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancelCause(ctx)
				timer := time.AfterFunc(short, func() { cancel(errSlow) })
				return ctx, func() { timer.Stop(); cancel(nil) }
			},
			func(err error) bool { return errors.Is(err, errSlow) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := c.limit(t.Context())
			defer cancel()
			_, err := i.TryDo(wire.Public, i.PublicCall(sdktest.Northwind), get(t, "/").WithContext(ctx))
			if !c.want(err) {
				t.Errorf("error %v", err)
			}
		})
	}
}
