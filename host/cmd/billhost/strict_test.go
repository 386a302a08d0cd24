package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

const (
	staffHost  = "billing.example.com"
	portalHost = "pay.example.com"
)

// mustPlatform opens a platform as in production, on two https origins.
func mustPlatform(tb testing.TB) *server {
	tb.Helper()
	data := tb.TempDir()
	mustRun(tb, "migrate", "--data-dir", data)
	c, err := Config{
		DataDir: data, ListenAddr: "127.0.0.1:0", BaseURL: "https://" + staffHost, PortalBaseURL: "https://" + portalHost,
		SMTPURL: "smtp://127.0.0.1:1", MailFrom: "no-reply@example.com", LogLevel: "info",
	}.Validate()
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{config: c, log: slog.New(slog.DiscardHandler)}
	tb.Cleanup(s.close)
	if err := s.open(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return s
}

// ask sends a request without a body to one of the origins.
func (s *server) ask(ctx context.Context, method, host, path string, cookies ...*http.Cookie) *http.Response {
	r := httptest.NewRequestWithContext(ctx, method, "https://"+host+path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler().ServeHTTP(w, r)
	return w.Result()
}

// mustOwner signs an owner in and returns the session's cookie, and the answer
// to looking at the link before. Both cookies of the sign-in are for this host alone.
func (s *server) mustOwner(tb testing.TB) (session *http.Cookie, looked *http.Response) {
	tb.Helper()
	mustRun(tb, "biller", "add", "--data-dir", s.config.DataDir, "--name", "Acme", "--slug", "acme")
	b, err := s.books.BillerBySlug(tb.Context(), "acme")
	if err != nil {
		tb.Fatal(err)
	}
	p, err := s.books.AddStaff(tb.Context(), books.Staff{BillerID: b.ID, Email: "dana@acme.example", Name: "Dana", Role: books.Owner})
	if err != nil {
		tb.Fatal(err)
	}
	link, err := s.books.NewStaffLink(tb.Context(), b.ID, p.ID)
	if err != nil {
		tb.Fatal(err)
	}
	looked = s.ask(tb.Context(), http.MethodGet, staffHost, "/sign-in/"+link)
	res := s.ask(tb.Context(), http.MethodPost, staffHost, "/sign-in/"+link)
	if res.StatusCode != http.StatusSeeOther || len(res.Cookies()) != 2 {
		tb.Fatalf("sign in: %s %v", res.Status, res.Cookies())
	}
	for _, c := range res.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
			tb.Errorf("cookie %s", c)
		}
	}
	return res.Cookies()[0], looked
}

// everywhere are requests to each route of the platform, its host and the mux,
// and to what is not there.
func (s *server) everywhere() (all [][3]string) {
	for _, pattern := range s.web.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		path = strings.NewReplacer("{$}", "", "{id}", "0190a000-0000-7000-8000-000000000000", "{token}", "nonsense").Replace(path)
		if path == "/sign-out" {
			continue // it ends the session; see below
		}
		for _, m := range []string{method, http.MethodHead, http.MethodPut, http.MethodTrace} {
			all = append(all, [3]string{m, staffHost, path})
		}
	}
	static := "/static/" + sdkweb.AssetsHash() + "/"
	for _, path := range []string{
		"/admin/marketplace", "/admin/marketplace/nothing", "/admin/addons/nothing/", "/admin/nothing", "/nothing",
		"/dev/mail", static + "portal.css", static + "nothing", "/static/nothing", "/admin/customers/../customers", "//x",
	} {
		all = append(all, [3]string{http.MethodGet, staffHost, path})
	}
	for _, path := range []string{
		"/", "/portal/acme/", "/portal/acme", "/nothing", "/addon-static/-/" + sdkweb.AssetsHash() + "/portal.css",
		"/addon-static/nothing/x/y.css", "/healthz", "/readyz", "/admin/",
	} {
		all = append(all, [3]string{http.MethodGet, portalHost, path}, [3]string{http.MethodPost, portalHost, path})
	}
	return append(all, [3]string{http.MethodGet, "elsewhere.example", "/"}, [3]string{http.MethodPost, staffHost, "/sign-out"})
}

// TestEveryAnswerIsStrict asks for every route, signed in and not, and for what is
// not there: each answer carries the headers that keep browsers careful.
func TestEveryAnswerIsStrict(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	session, _ := s.mustOwner(t)
	for _, cookies := range [][]*http.Cookie{nil, {session}} {
		for _, e := range s.everywhere() {
			res := s.ask(t.Context(), e[0], e[1], e[2], cookies...)
			if _, err := io.Copy(io.Discard, res.Body); err != nil {
				t.Fatal(err)
			}
			if res.StatusCode == http.StatusInternalServerError {
				t.Errorf("%v: %s", e, res.Status)
			}
			policy := res.Header.Get("Content-Security-Policy")
			for _, word := range []string{"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "form-action '"} {
				if !strings.Contains(policy, word) {
					t.Errorf("%v: policy %q without %s", e, policy, word)
				}
			}
			for _, word := range []string{"unsafe", "*", "http:", "https:", "//"} {
				if strings.Contains(policy, word) {
					t.Errorf("%v: policy %q allows %s", e, policy, word)
				}
			}
			for name, want := range map[string]string{
				"Strict-Transport-Security":   "max-age=63072000; includeSubDomains",
				"X-Content-Type-Options":      "nosniff",
				"Cross-Origin-Opener-Policy":  "same-origin",
				"Access-Control-Allow-Origin": "",
			} {
				if got := res.Header.Get(name); got != want {
					t.Errorf("%v: %s = %q, want %q", e, name, got, want)
				}
			}
			if got := res.Header.Get("Referrer-Policy"); got != "same-origin" && got != "strict-origin" {
				t.Errorf("%v: Referrer-Policy = %q", e, got)
			}
			if kind := res.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=utf-8") {
				t.Errorf("%v: Content-Type = %q", e, kind)
			}
		}
	}
}

// TestStaffSessionOverHTTPS looks at the session's cookie where browsers come over
// https.
func TestStaffSessionOverHTTPS(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	c, looked := s.mustOwner(t)
	if len(looked.Cookies()) != 0 || looked.StatusCode != http.StatusOK {
		t.Errorf("looking at the link: %s, cookies %v", looked.Status, looked.Cookies())
	}
	for _, pattern := range s.web.Routes() {
		path, ok := strings.CutPrefix(pattern, "GET ")
		if !ok || strings.Contains(path, "{id}") || strings.Contains(path, "{token}") {
			continue
		}
		res := s.ask(t.Context(), http.MethodGet, staffHost, strings.TrimSuffix(path, "{$}"), c)
		body, err := io.ReadAll(res.Body)
		if err != nil || strings.Contains(string(body), c.Value) {
			t.Errorf("%s shows the session, or %v", path, err)
		}
	}
}

// TestLookingChangesNothing sends GET and HEAD to the routes that change something.
func TestLookingChangesNothing(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	c, _ := s.mustOwner(t)
	reads := map[string]bool{}
	for _, pattern := range s.web.Routes() {
		if path, ok := strings.CutPrefix(pattern, "GET "); ok {
			reads[path] = true
		}
	}
	for _, pattern := range s.web.Routes() {
		path, ok := strings.CutPrefix(pattern, "POST ")
		if !ok || reads[path] {
			continue
		}
		path = strings.Replace(path, "{id}", "0190a000-0000-7000-8000-000000000000", 1)
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if res := s.ask(t.Context(), method, staffHost, path, c); res.StatusCode < 400 {
				t.Errorf("%s %s: %s", method, path, res.Status)
			}
		}
	}
	if res := s.ask(t.Context(), http.MethodGet, staffHost, "/admin/", c); res.StatusCode != http.StatusOK {
		t.Errorf("the session has ended: %s", res.Status)
	}
}
