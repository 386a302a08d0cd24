package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// Who a route is for.
const (
	everybody = "everybody"
	allStaff  = "all staff"
	editors   = "who may change customers"
	auditors  = "who may read the audit"
)

// access says of each route whom it is for.
func access() map[string]string {
	return map[string]string{
		"GET /{$}": everybody, "GET /admin": everybody, "GET /healthz": everybody, "GET /readyz": everybody,
		"GET /sign-in": everybody, "POST /sign-in": everybody, "GET /sign-in/forgot": everybody, "POST /sign-in/forgot": everybody,
		"GET /sign-in/{token}": everybody, "POST /sign-in/{token}": everybody, "POST /sign-out": everybody,
		"GET /sign-in/again": allStaff, "POST /sign-in/again": allStaff,
		"GET /admin/{$}": allStaff, "GET /admin/account": allStaff, "POST /admin/account/password": allStaff,
		"POST /admin/account/sessions/end": allStaff, "POST /admin/account/sessions/others": allStaff,
		"GET /admin/customers": allStaff, "GET /admin/customers/{id}": allStaff, "GET /admin/invoices/{id}": allStaff,
		"GET /admin/reports/customers": allStaff,
		"GET /admin/customers/new":     editors, "POST /admin/customers/new": editors, "GET /admin/customers/{id}/edit": editors,
		"POST /admin/customers/{id}/edit": editors, "POST /admin/customers/{id}/archive": editors, "POST /admin/customers/{id}/unarchive": editors,
		"GET /admin/audit": auditors, "POST /admin/audit/export": auditors,
	}
}

// at fills in a pattern's path.
func (s *site) at(tb testing.TB, pattern string) (method, path string) {
	tb.Helper()
	method, path, _ = strings.Cut(pattern, " ")
	id := s.mine.ID
	if strings.Contains(path, "/invoices/") {
		id = s.mineBill.ID
	}
	return method, strings.NewReplacer("{$}", "", "{id}", id, "{token}", "garbage").Replace(path)
}

// TestEveryRouteIsForWhomItIs reads the table of routes: each is refused to whoever
// may not use it, and open to the others. A route that nobody has thought of fails.
func TestEveryRouteIsForWhomItIs(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	rules, routes := access(), s.web.Routes()
	for pattern := range rules {
		if !slices.Contains(routes, pattern) {
			t.Errorf("there is no %s", pattern)
		}
	}
	for _, pattern := range routes {
		rule, ok := rules[pattern]
		if !ok {
			t.Errorf("whom is %s for?", pattern)
			continue
		}
		method, path := s.at(t, pattern)
		res, _ := s.visitor(t).do(method, path, nil, nil)
		turned := res.StatusCode == http.StatusSeeOther && strings.HasPrefix(res.Header.Get("Location"), "/sign-in")
		if want := rule != everybody || pattern == "POST /sign-out"; turned != want {
			t.Errorf("%s for nobody: %s to %q", pattern, res.Status, res.Header.Get("Location"))
		}
		for _, role := range books.Roles() {
			res, _ := s.signedIn(t, role).do(method, path, nil, nil)
			refused := rule == editors && role == books.Viewer || rule == auditors && role == books.Viewer
			if got := res.StatusCode == http.StatusForbidden; got != refused {
				t.Errorf("%s for a %s: %s", pattern, role, res.Status)
			}
		}
	}
}

// TestEveryStaffPageHasSignOut walks the routes and what else stands in the frame.
func TestEveryStaffPageHasSignOut(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner, viewer := s.signedIn(t, books.Owner), s.signedIn(t, books.Viewer)
	paths := []string{"/admin/marketplace", "/admin/customers/none", "/admin/customers/" + s.theirs.ID, "/admin/reports/none", "/admin/customers?after=x"}
	for pattern, rule := range access() {
		if method, path := s.at(t, pattern); method == http.MethodGet && rule != everybody {
			paths = append(paths, path)
		}
	}
	for _, path := range paths {
		for _, b := range []*browser{owner, viewer} {
			res, body := b.get(path)
			if !strings.Contains(body, `<form method="post" action="/sign-out"><button`) || !strings.Contains(body, "Sign out</button>") {
				t.Errorf("%s: %s has no Sign out", path, res.Status)
			}
		}
	}
	if len(paths) < 14 {
		t.Errorf("only %d pages", len(paths))
	}
}

// TestEveryWriteIsRefusedFromOtherSites: no route that changes something is taken
// from another site, signed in or not.
func TestEveryWriteIsRefusedFromOtherSites(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	n := 0
	for _, pattern := range s.web.Routes() {
		method, path := s.at(t, pattern)
		if method == http.MethodGet {
			continue
		}
		n++
		for _, b := range []*browser{s.signedIn(t, books.Owner), s.visitor(t)} {
			for _, header := range []map[string]string{{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "null"}} {
				res, body := b.do(method, path, nil, header)
				if res.StatusCode != http.StatusForbidden || !strings.Contains(body, "sent from another site") || res.Header.Get("Set-Cookie") != "" {
					t.Errorf("%s %v: %s", pattern, header, res.Status)
				}
				checkPage(t, res, body)
			}
		}
	}
	if n < 10 {
		t.Errorf("only %d routes", n)
	}
}

// TestEveryAnswerIsSealed: redirects, errors and files carry a policy, no-sniff and
// no-store as pages do.
func TestEveryAnswerIsSealed(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	for _, b := range []*browser{s.signedIn(t, books.Manager), s.visitor(t)} {
		for _, pattern := range s.web.Routes() {
			method, path := s.at(t, pattern)
			res, _ := b.do(method, path, nil, nil)
			h := res.Header
			csp := h.Get("Content-Security-Policy")
			if !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") ||
				h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Cache-Control") != "no-store" || h.Get("Referrer-Policy") == "" || h.Get("X-Request-Id") == "" {
				t.Errorf("%s: %s %v", pattern, res.Status, h)
			}
		}
	}
}

// TestRolesCountAtTheNextClick: a role that was changed, and an account that was
// closed, in the middle of a session.
func TestRolesCountAtTheNextClick(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	b := s.signedIn(t, books.Viewer)
	p := b.staff(t)
	edit, form := "/admin/customers/"+s.mine.ID+"/edit", fullForm()
	set := func(role books.Role) {
		t.Helper()
		if err := s.store.SetStaffRole(t.Context(), p.BillerID, p.ID, role); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(what string, statuses ...int) {
		t.Helper()
		page, _ := b.get(edit)
		audit, _ := b.get("/admin/audit")
		saved, _ := b.post("/admin/customers/new", form)
		if got := []int{page.StatusCode, audit.StatusCode, saved.StatusCode}; !slices.Equal(got, statuses) {
			t.Errorf("%s: %v, want %v", what, got, statuses)
		}
	}
	wants("a viewer", 403, 403, 403)
	set(books.Manager)
	wants("a manager by now", 200, 200, 303)
	if staff, err := s.web.StaffFrom(b.request(t)); err != nil || !staff.Can("staff:invite") || staff.Can("addons:install") {
		t.Errorf("to the host: %+v, %v", staff, err)
	}
	set(books.Viewer)
	wants("a viewer again", 403, 403, 403)
	if staff, err := s.web.StaffFrom(b.request(t)); err != nil || staff.Can("staff:invite") {
		t.Errorf("to the host: %+v, %v", staff, err)
	}
	if err := s.store.DisableStaff(t.Context(), p.BillerID, p.ID, true); err != nil {
		t.Fatal(err)
	}
	wants("closed", 303, 303, 303)
}
