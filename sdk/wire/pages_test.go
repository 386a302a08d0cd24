package wire_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

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
