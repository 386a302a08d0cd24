package pages_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestPublicAnswers(t *testing.T) {
	t.Parallel()
	kind := http.Header{"Content-Type": {"text/html"}}
	with := func(name string, values ...string) http.Header {
		h := kind.Clone()
		h[name] = values
		return h
	}
	location := func(to string) client { return answer(303, http.Header{"Location": {to}}, "") }
	tests := []struct {
		name   string
		client client
		status int
		header map[string]string // "" means absent
		body   string
	}{
		{"page", html("<p>hi"), 200, map[string]string{"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin"}, "<p>hi"},
		{"error page of the add-on", answer(422, kind, "typed"), 422, nil, "typed"},
		{"status 99", answer(99, kind, "x"), 502, nil, "not available"},
		{"status 101", answer(101, kind, "x"), 502, nil, "not available"},
		{"status 600", answer(600, kind, "x"), 502, nil, "not available"},
		{"own policy", answer(200, with("Content-Security-Policy", "default-src *"), "x"), 200, map[string]string{"Content-Security-Policy": "script-src 'none'"}, "x"},
		{"unknown header", answer(200, with("Clear-Site-Data", "*"), "x"), 200, map[string]string{"Clear-Site-Data": ""}, "x"},
		{"forgets its pages", answer(200, with("Clear-Site-Data", `"cache", "storage"`), "x"), 200, map[string]string{"Clear-Site-Data": `"cache", "storage"`}, "x"},
		{"forgets all cookies", answer(200, with("Clear-Site-Data", `"cache", "cookies"`), "x"), 200, map[string]string{"Clear-Site-Data": ""}, "x"},
		{"forgets everything", answer(200, with("Clear-Site-Data", `"*"`), "x"), 200, map[string]string{"Clear-Site-Data": ""}, "x"},
		{"refresh", answer(200, with("Refresh", "0;url=//evil.example"), "x"), 200, map[string]string{"Refresh": ""}, "x"},
		{"split header", answer(200, with("Etag", "a\r\nX: y"), "x"), 200, map[string]string{"Etag": "", "X": ""}, "x"},
		{"public cache for HTML", answer(200, with("Cache-Control", "public, max-age=60"), "x"), 200, map[string]string{"Cache-Control": "no-store"}, "x"},
		{"private cache", answer(200, with("Cache-Control", "private, max-age=60"), "x"), 200, map[string]string{"Cache-Control": "private, max-age=60"}, "x"},
		{"file without a word on caches", answer(200, http.Header{"Content-Type": {"application/pdf"}, "Last-Modified": {"Mon, 04 May 2026 10:00:00 GMT"}}, "x"), 200, map[string]string{"Cache-Control": "no-store"}, "x"},
		{"file for all caches", answer(200, http.Header{"Content-Type": {"image/png"}, "Cache-Control": {"public, max-age=60"}}, "x"), 200, map[string]string{"Cache-Control": "public, max-age=60"}, "x"},
		{"redirect without a word on caches", answer(301, http.Header{"Location": {"/portal/northwind/x"}}, ""), 301, map[string]string{"Cache-Control": "no-store"}, ""},
		{"redirect within", location("/portal/northwind/home?x=1#y"), 303, map[string]string{"Location": "/portal/northwind/home?x=1#y"}, ""},
		{"redirect relative", location("step?n=2"), 303, map[string]string{"Location": "/portal/northwind/step?n=2"}, ""},
		{"redirect absolute within", location(portalOrigin + "/portal/northwind/a"), 303, map[string]string{"Location": "/portal/northwind/a"}, ""},
		{"redirect to a listed origin", location("https://bank.example/pay"), 303, map[string]string{"Location": "https://bank.example/pay"}, ""},
		{"redirect to another biller", location("/portal/southgate/"), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect to staff", location(staffOrigin + "/admin/"), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect elsewhere", location("//evil.example/portal/northwind/"), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect with a backslash", location(`/\evil.example`), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect by script", location("javascript:alert(1)"), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect up", location("../../admin"), 502, map[string]string{"Location": ""}, "not available"},
		{"redirect with userinfo", location("https://bank.example@evil.example/"), 502, map[string]string{"Location": ""}, "not available"},
		{"dies before the head", client(func(context.Context, string, wire.PageRequest, wire.OnHead) error {
			return apperr.Errorf(apperr.Unavailable, "connection lost")
		}), 502, map[string]string{"Retry-After": "", "Cache-Control": "no-store"}, `<a class="btn big" href="/portal/northwind/page?q=1">Try again</a>`},
		{"starts again", client(func(context.Context, string, wire.PageRequest, wire.OnHead) error {
			return &apperr.Error{Code: apperr.Unavailable, Message: "restarting", RetryAfter: 3 * time.Second}
		}), 503, map[string]string{"Retry-After": "3"}, "Contact Northwind"},
		{"says what it does about it", client(func(context.Context, string, wire.PageRequest, wire.OnHead) error {
			return &apperr.Error{Code: apperr.Unavailable, Message: "restarting", RetryAfter: 3 * time.Second}
		}), 503, nil, "We are starting it again."},
		{"shows the biller's mark", client(func(context.Context, string, wire.PageRequest, wire.OnHead) error { return nil }), 502, nil, `>N</text></svg>Northwind`},
		{"answers nothing", client(func(context.Context, string, wire.PageRequest, wire.OnHead) error { return nil }), 502, nil, "R-"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, tok := MustHandler(t, tt.client)
			w := httptest.NewRecorder()
			h.Public().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+"/portal/northwind/page?q=1", nil))
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.body) {
				t.Errorf("got %d %s, want %d with %q", w.Code, w.Body, tt.status, tt.body)
			}
			for name, want := range tt.header {
				if got := w.Header().Get(name); (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			for _, not := range []string{"Were you paying", "We know about it"} {
				if strings.Contains(w.Body.String(), not) {
					t.Errorf("%q in %s", not, w.Body)
				}
			}
			if tok.alive != 0 || len(tok.grants) != 1 {
				t.Errorf("%d tokens issued, %d still alive", len(tok.grants), tok.alive)
			}
		})
	}
}

func TestPublicNotFoundIsOnePage(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("x"))
	get := func(url string) (int, string) {
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, httptest.NewRequest("GET", url, nil))
		return w.Code, w.Body.String()
	}
	_, garbage := get(portalOrigin + "/garbage")
	if !strings.Contains(garbage, "in the mails of the business that bills you") {
		t.Errorf("no word on where to go: %s", garbage)
	}
	for _, path := range []string{
		"/", "/portal", "/portal/", "/portal/nobody/", "/portal/nobody", "/portal/bare/", "/other/northwind/", "/portal/northwin%64/",
		"/portal/northwind/../southgate/", "/portal/northwind/%2e%2e/x", "/portal//northwind/", "/portal/northwind//x",
	} {
		status, body := get(portalOrigin + path)
		if status != 404 || body != garbage {
			t.Errorf("%s: %d, same page: %t", path, status, body == garbage)
		}
	}
	if status, _ := get(staffOrigin + "/portal/northwind/"); status != 404 {
		t.Errorf("public page on the staff host: %d", status)
	}
	if status, body := get(portalOrigin + "/portal/southgate/"); status != 503 || !strings.Contains(body, "The portal is not available") || strings.Contains(body, "Try again") {
		t.Errorf("suspended: %d %s", status, body)
	}
	if status, _ := get(portalOrigin + "/portal/northwind"); status != 308 {
		t.Errorf("without the slash: %d", status)
	}
}

func TestPublicRequestIsCleaned(t *testing.T) {
	t.Parallel()
	var got wire.PageRequest
	h, tok := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		got = p
		_, err := onHead(204, http.Header{})
		return err
	})
	r := httptest.NewRequest("GET", portalOrigin+"/portal/northwind/a%20b/c?q=1", nil)
	r.RemoteAddr = "10.0.0.7:999"
	r.Header = http.Header{
		"Accept": {"text/html"}, "Authorization": {"Bearer x"}, "Connection": {"close, X-Hop"}, "X-Hop": {"1"}, "Forwarded": {"for=1"},
		"X-Forwarded-For": {"1.2.3.4, 203.0.113.9, 10.1.1.1"}, "X-Forwarded-Host": {"evil.example"}, "X-Real-Ip": {"9.9.9.9"}, "X_real_ip": {"9.9.9.9"},
		"X-Request-Id": {"edge-12345678"}, "User-Agent": {strings.Repeat("é", 200)},
		"Cookie": {"__Host-demo-northwind-session=mine; __Host-demo-southgate-session=theirs; __Host-demo-northwind-pool-session=theirs; billhost=staff; demo-northwind-session=plain; session=bare"},
	}
	w := httptest.NewRecorder()
	h.Public().ServeHTTP(w, r)
	if w.Code != 204 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	want := http.Header{"Accept": {"text/html"}, "User-Agent": {strings.Repeat("é", 200)}, "Cookie": {"session=mine"}}
	if diff := cmp.Diff(want, got.Request.Header); diff != "" {
		t.Error(diff)
	}
	c := got.Call
	if c.BillerID != "northwind" || c.BasePath != "/portal/northwind" || c.BaseURL != portalOrigin || c.PortalURL != portalOrigin+"/portal/northwind" ||
		c.StaticBase != staticBase || c.CSPNonce == "" || c.RequestID != "edge-12345678" || c.RemoteIP.String() != "203.0.113.9" || len(c.UserAgent) != 256 || c.Viewer.IsStaff() {
		t.Errorf("call = %+v", c)
	}
	if got.Request.URL.EscapedPath() != "/a%20b/c" || got.Request.URL.RawQuery != "q=1" || got.Request.Host != "pay.example" || got.Token != "token-1" {
		t.Errorf("request = %+v, token %q", got.Request.URL, got.Token)
	}
	if !strings.Contains(w.Header().Get("Content-Security-Policy"), "'nonce-"+c.CSPNonce+"'") {
		t.Error("the policy does not name the nonce")
	}
	if got.Biller == nil || got.Biller.ID != "northwind" || got.Biller.PortalURL != c.PortalURL {
		t.Errorf("biller = %+v", got.Biller)
	}
	h.Public().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", portalOrigin+"/portal/eastside/", nil))
	if got.Call.BillerID != "eastside" || got.Biller != nil {
		t.Errorf("a biller who did not agree to be shown: %+v of %s", got.Biller, got.Call.BillerID)
	}
	if g := tok.grants[0]; g.AddonID != "demo" || g.Installation.BillerID != "northwind" || g.Surface != wire.Public {
		t.Errorf("grant = %+v", g)
	}
}

func TestRemoteIPIgnoresForwardingByStrangers(t *testing.T) {
	t.Parallel()
	var ip, id string
	h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		ip, id = p.Call.RemoteIP.String(), p.Call.RequestID
		_, err := onHead(204, http.Header{})
		return err
	})
	for _, tt := range []struct{ peer, forwarded, want string }{
		{"198.51.100.1:5", "1.2.3.4", "198.51.100.1"},
		{"10.0.0.1:5", "1.2.3.4, nonsense, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1:5", "", "10.0.0.1"},
		{"10.0.0.1:5", "1.2.3.4:999", "1.2.3.4"},
		{"[::ffff:10.0.0.1]:5", "[2001:db8::1]:9", "2001:db8::1"},
	} {
		r := httptest.NewRequest("GET", portalOrigin+"/portal/northwind/", nil)
		r.RemoteAddr = tt.peer
		r.Header.Set("X-Forwarded-For", tt.forwarded)
		r.Header.Set("X-Request-Id", "bad id with spaces")
		h.Public().ServeHTTP(httptest.NewRecorder(), r)
		if ip != tt.want || !strings.HasPrefix(id, "R-") {
			t.Errorf("peer %s forwards %q: %s, id %s; want %s", tt.peer, tt.forwarded, ip, id, tt.want)
		}
	}
}

func TestPublicCookies(t *testing.T) {
	t.Parallel()
	set := http.Header{"Content-Type": {"text/plain"}, "Cache-Control": {"public"}, "Set-Cookie": {
		"session=abc; Domain=example; Path=/x; SameSite=None; Max-Age=60", "with-hyphen=x", "__Host-evil=x", "bad name=x", "gone=; Max-Age=0",
	}}
	for _, tt := range []struct {
		portal string
		want   []string
	}{
		{portalOrigin, []string{"__Host-demo-northwind-session=abc; Path=/; Max-Age=60; HttpOnly; Secure; SameSite=Lax", "__Host-demo-northwind-gone=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax", "__Host-demo-northwind-__Host"}},
		{"http://127.0.0.1:8080", []string{"demo-northwind-session=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", "demo-northwind-gone=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax", ""}},
	} {
		h, _ := MustHandler(t, answer(200, set, "x"), func(c *pages.Config) { c.BaseURL, c.PortalBaseURL = tt.portal, tt.portal })
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, httptest.NewRequest("GET", tt.portal+"/portal/northwind/", nil))
		if diff := cmp.Diff(tt.want[:2], w.Header()["Set-Cookie"]); diff != "" {
			t.Error(diff)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("Cache-Control = %q", w.Header().Get("Cache-Control"))
		}
	}
}

func TestPublicRefusesOtherSites(t *testing.T) {
	t.Parallel()
	h, tok := MustHandler(t, html("x"))
	r := httptest.NewRequest("POST", portalOrigin+"/portal/northwind/send", strings.NewReader("a=b"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.Public().ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "another website") || len(tok.grants) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	r = httptest.NewRequest("TRACE", portalOrigin+"/portal/northwind/", nil)
	w = httptest.NewRecorder()
	h.Public().ServeHTTP(w, r)
	if w.Code != 405 {
		t.Errorf("TRACE: %d", w.Code)
	}
}

func TestPublicBodyLimit(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		if _, err := io.Copy(io.Discard, p.Request.Body); err != nil {
			return err
		}
		_, err := onHead(204, http.Header{})
		return err
	}, func(c *pages.Config) { c.MaxBody = 10 })
	for body, want := range map[string]int{"0123456789": 204, "0123456789a": 413} {
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, httptest.NewRequest("POST", portalOrigin+"/portal/northwind/", strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%d bytes: %d, want %d", len(body), w.Code, want)
		}
	}
}

func TestPublicWaitsOnlySoLong(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, func(ctx context.Context, _ string, _ wire.PageRequest, _ wire.OnHead) error {
		<-ctx.Done()
		return errors.New("cancelled")
	}, func(c *pages.Config) { c.HeadTimeout = 10 * time.Millisecond })
	w := httptest.NewRecorder()
	h.Public().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+"/portal/northwind/", nil))
	if w.Code != 504 || !strings.Contains(w.Body.String(), "Try again") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPublicServesSoManyAtATime(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		addon, biller int
		eastside      int // the status for another biller meanwhile
	}{
		"add-on":       {1, 1, 503},
		"biller":       {64, 1, 204},
		"both":         {2, 1, 204},
		"as a default": {4, 0, 204},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			entered, leave := make(chan struct{}), make(chan struct{})
			h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
				if p.Call.BillerID == "northwind" {
					entered <- struct{}{}
					<-leave
				}
				_, err := onHead(204, http.Header{})
				return err
			}, func(conf *pages.Config) { conf.MaxConcurrent, conf.MaxPerBiller = c.addon, c.biller })
			get := func(biller string) *httptest.ResponseRecorder {
				w := httptest.NewRecorder()
				h.Public().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+"/portal/"+biller+"/", nil))
				return w
			}
			first := make(chan *httptest.ResponseRecorder)
			go func() { first <- get("northwind") }()
			<-entered
			if w := get("northwind"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
				t.Errorf("second: %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
			}
			if w := get("eastside"); w.Code != c.eastside {
				t.Errorf("another biller: %d, want %d", w.Code, c.eastside)
			}
			close(leave)
			if w := <-first; w.Code != 204 {
				t.Errorf("first: %d", w.Code)
			}
			go func() { first <- get("northwind") }()
			<-entered // the place is free again
			if w := <-first; w.Code != 204 {
				t.Errorf("third: %d", w.Code)
			}
		})
	}
}

// A real server, because cutting a connection and flushing need one.
func TestPublicStreams(t *testing.T) {
	t.Parallel()
	proceed, gone := make(chan struct{}), make(chan struct{})
	serve := client(func(ctx context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		b, err := onHead(200, http.Header{"Content-Type": {"text/plain"}})
		if err != nil {
			return err
		}
		if _, err := b.Write([]byte("one")); err != nil {
			return err
		}
		if err := b.Flush(); err != nil {
			return err
		}
		if p.Request.URL.Path == "/killed" {
			<-proceed
			return apperr.Errorf(apperr.Unavailable, "killed")
		}
		<-ctx.Done()
		close(gone)
		return ctx.Err()
	})
	var h *pages.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Public().ServeHTTP(w, r) }))
	defer server.Close()
	h, _ = MustHandler(t, serve, func(c *pages.Config) { c.BaseURL, c.PortalBaseURL = server.URL, server.URL })

	read := func(path string) *http.Response {
		res, err := http.Get(server.URL + "/portal/northwind/" + path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(res.Body, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		return res
	}
	killed := read("killed")
	close(proceed)
	if _, err := io.ReadAll(killed.Body); err == nil {
		t.Error("half a page looked like a whole one")
	}
	read("left").Body.Close()
	select {
	case <-gone:
	case <-time.After(time.Minute):
		t.Error("the add-on did not learn that the browser went away")
	}
}
