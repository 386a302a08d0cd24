package web_test

import (
	"bytes"
	"html/template"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/host/refusal"
)

// kept is a log in memory.
type kept struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.text.Write(p)
}

// take returns what was logged, and forgets it.
func (k *kept) take() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.text.Reset()
	return k.text.String()
}

func (k *kept) into(c *web.Config) {
	c.Log = slog.New(slog.NewJSONHandler(k, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func fullForm() url.Values {
	return url.Values{"name": {"Acme"}, "email": {"a@acme.example"}, "version": {"1"}}
}

// denials are the refused requests in the audit of a biller, newest first.
func (s *site) denials(tb testing.TB, biller string) []books.AuditEntry {
	tb.Helper()
	list, err := s.store.FindAudit(tb.Context(), biller, books.AuditFilter{Action: books.AuditStaffDenied, Limit: 1000})
	if err != nil {
		tb.Fatal(err)
	}
	return list.Entries
}

// TestRefusedRequestsAreKept: in the log, and in the audit of the biller whose staff
// it was, with why and for which page; never of the biller whose record it was.
func TestRefusedRequestsAreKept(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into)
	viewer, owner := s.signedIn(t, books.Viewer), s.signedIn(t, books.Owner)
	n := 0
	for _, tc := range []struct {
		name      string
		do        func() (*http.Response, string)
		status    int
		why, page string
		by        *browser
	}{
		{"role", func() (*http.Response, string) {
			return viewer.post("/admin/customers/"+s.mine.ID+"/unarchive", nil)
		}, 403, "role", "POST /admin/customers/{id}/unarchive", viewer},
		{"role for the audit", func() (*http.Response, string) { return viewer.get("/admin/audit") }, 403, "role", "GET /admin/audit", viewer},
		{"foreign id", func() (*http.Response, string) { return owner.get("/admin/customers/" + s.theirs.ID) }, 404, "unknown id", "GET /admin/customers/{id}", owner},
		{"foreign form", func() (*http.Response, string) {
			return owner.post("/admin/customers/"+s.theirs.ID+"/archive", nil)
		}, 404, "unknown id", "POST /admin/customers/{id}/archive", owner},
		{"another site", func() (*http.Response, string) {
			return owner.do(http.MethodPost, "/admin/customers/new", fullForm(), map[string]string{"Origin": "https://evil.example"})
		}, 403, "origin", "POST /admin/customers/new", owner},
		{"a page of the host", func() (*http.Response, string) { return viewer.get("/admin/marketplace?refuse") }, 403, "role", "GET marketplace", viewer},
	} {
		log.take()
		if res, body := tc.do(); res.StatusCode != tc.status {
			t.Fatalf("%s: %s\n%s", tc.name, res.Status, body)
		}
		n++
		line, staff := log.take(), tc.by.staff(t)
		for _, want := range []string{`"msg":"request refused"`, `"why":"` + tc.why + `"`, `"staff":"` + staff.ID + `"`, `"biller":"` + s.biller.ID + `"`, `"ip":"127.0.0.1"`} {
			if !strings.Contains(line, want) && tc.page != "GET marketplace" { // of which the host has a line
				t.Errorf("%s: no %s in\n%s", tc.name, want, line)
			}
		}
		list := s.denials(t, s.biller.ID)
		if len(list) != n {
			t.Fatalf("%s: %d records, want %d", tc.name, len(list), n)
		}
		if r := list[0]; r.StaffID != staff.ID || r.Detail["why"] != tc.why || r.Detail["page"] != tc.page || r.RemoteIP == "" || r.CustomerID != "" {
			t.Errorf("%s: %+v", tc.name, r)
		}
	}
	if list := s.denials(t, s.other.ID); len(list) != 0 {
		t.Errorf("the other biller reads %+v", list)
	}
	if _, body := owner.get("/admin/audit?what=staff"); !strings.Contains(body, "Request of a staff user refused") {
		t.Error("the page of the audit does not say it in words")
	}
	s.visitor(t).do(http.MethodPost, "/sign-in", nil, map[string]string{"Origin": "https://evil.example"})
	if line := log.take(); !strings.Contains(line, `"why":"origin","page":"POST /sign-in"`) {
		t.Errorf("of nobody:\n%s", line)
	}
}

// TestATabOfAnotherRoleIsRefusedAsSuch: a tab that the role may not open is told and
// kept as that, one that nobody has is an unknown page.
func TestATabOfAnotherRoleIsRefusedAsSuch(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into)
	s.addons.SlotsFn = func(staff addon.Staff, slot string) []addon.SlotView {
		if slot != addon.SlotCustomerTab || !staff.Can("staff:invite") {
			return nil
		}
		return []addon.SlotView{{AddonID: "customer-portal", Slot: slot, Title: "Customer Portal"}}
	}
	s.addons.DrawFn = func(*http.Request, addon.SlotView, url.Values) (template.HTML, error) { return "<p>Drawn</p>", nil }
	viewer, manager := s.signedIn(t, books.Viewer), s.signedIn(t, books.Manager)
	for _, tc := range []struct {
		by                *browser
		tab               string
		status            int
		text, why, unkept string
	}{
		{manager, "customer-portal", 200, "Drawn", "", "request refused"},
		{viewer, "customer-portal", 403, "Your role does not allow you to look at this tab. Ask an owner.", "role", "unknown id"},
		{viewer, "nothing", 404, "This page is not here", "unknown id", `"why":"role"`},
		{viewer, "", 200, "Overview", "", "request refused"},
	} {
		log.take()
		res, body := tc.by.get("/admin/customers/" + s.mine.ID + "?tab=" + tc.tab)
		line := log.take()
		if res.StatusCode != tc.status || !strings.Contains(body, tc.text) {
			t.Errorf("%q: %s, no %q in\n%s", tc.tab, res.Status, tc.text, body)
		}
		if tc.why != "" && !strings.Contains(line, `"why":"`+tc.why+`"`) || strings.Contains(line, tc.unkept) {
			t.Errorf("%q is logged as\n%s", tc.tab, line)
		}
	}
	list := s.denials(t, s.biller.ID)
	if len(list) != 2 || list[1].Detail["why"] != "role" || list[1].Detail["page"] != "GET /admin/customers/{id}" {
		t.Errorf("audit: %+v", list)
	}
}

// TestRefusalsCannotFillTheAudit: of a flood so many stand in the audit and no more,
// whoever sends it at once.
func TestRefusalsCannotFillTheAudit(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	budgets := books.DenialsKept("", "")
	limit := budgets[0].Limit
	viewer := s.signedIn(t, books.Viewer)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range budgets[1].Limit/16 + 1 {
				viewer.get("/admin/audit")
			}
		})
	}
	wg.Wait()
	if got := len(s.denials(t, s.biller.ID)); got != limit {
		t.Errorf("%d records, want %d", got, limit)
	}
	if res, _ := viewer.get("/admin/audit"); res.StatusCode != http.StatusForbidden {
		t.Errorf("after that: %s", res.Status)
	}
	s.signedIn(t, books.Viewer).get("/admin/audit")
	if got := len(s.denials(t, s.biller.ID)); got != limit+1 {
		t.Errorf("one of somebody else: %d records", got)
	}
}

// TestThrottlesAreLogged: with the address, and without whom it was about.
func TestThrottlesAreLogged(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into)
	for range books.FreeTries + 1 {
		s.visitor(t).post("/sign-in", signInAs("nobody@northwind.example", "wrong wrong wrong"))
	}
	if line := log.take(); strings.Count(line, `"why":"throttled","what":"password","ip":"127.0.0.1"`) != 1 || strings.Contains(line, "nobody@") || strings.Contains(line, "wrong wrong") {
		t.Errorf("a password:\n%s", line)
	}
	for range 21 {
		s.visitor(t).post("/sign-in/forgot", url.Values{"email": {"dana@northwind.example"}})
	}
	if line := log.take(); strings.Count(line, `"why":"throttled","what":"link"`) != 1 || strings.Contains(line, "dana@") {
		t.Errorf("a link:\n%s", line)
	}
}

// TestForwardedAddressesDoNotEvadeThrottles: what a client says of its own address
// counts only through a proxy that is trusted.
func TestForwardedAddressesDoNotEvadeThrottles(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	limit := books.Budgets("ask", netip.MustParseAddr("127.0.0.1"))[1].Limit
	for n := range limit + 1 {
		ip := "203.0.113." + strconv.Itoa(n)
		res, _ := s.visitor(t).do(http.MethodPost, "/sign-in/forgot", url.Values{"email": {"x" + ip + "@northwind.example"}}, map[string]string{
			"X-Forwarded-For": ip, "X-Real-Ip": ip, "Forwarded": "for=" + ip, "True-Client-Ip": ip, "Cf-Connecting-Ip": ip,
		})
		if throttled := res.StatusCode == http.StatusTooManyRequests; throttled != (n == limit) {
			t.Fatalf("try %d: %s", n+1, res.Status)
		}
	}
}

// TestThrottlesSeeThroughATrustedProxy: behind one, what is counted and logged is the
// rightmost address that is not a proxy's, whatever the client put before it; others
// behind the proxy are not held up.
func TestThrottlesSeeThroughATrustedProxy(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into, func(c *web.Config) { c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} })
	limit := books.Budgets("ask", netip.MustParseAddr("127.0.0.1"))[1].Limit
	ask := func(n int, forwarded string) *http.Response {
		res, _ := s.visitor(t).do(http.MethodPost, "/sign-in/forgot", url.Values{"email": {"x" + strconv.Itoa(n) + "@northwind.example"}}, map[string]string{"X-Forwarded-For": forwarded})
		return res
	}
	for n := range limit + 1 {
		log.take()
		res := ask(n, "6.6.6."+strconv.Itoa(n)+", 203.0.113.9, 127.0.0.2")
		if throttled := res.StatusCode == http.StatusTooManyRequests; throttled != (n == limit) {
			t.Fatalf("try %d: %s", n+1, res.Status)
		}
	}
	if line := log.take(); !strings.Contains(line, `"why":"throttled"`) || !strings.Contains(line, `"ip":"203.0.113.9"`) || strings.Contains(line, "6.6.6.") {
		t.Errorf("log:\n%s", line)
	}
	if res := ask(limit+1, "203.0.113.9, 198.51.100.7"); res.StatusCode != http.StatusSeeOther && res.StatusCode != http.StatusOK {
		t.Errorf("another client: %s", res.Status)
	}
}

// TestNextLeadsNowhereElse: no address that came with a request leads off the staff
// pages, on any page that takes one.
func TestNextLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	for _, next := range []string{
		"//evil.example", "/\\evil.example", "\\\\evil.example", "/%5cevil.example", "/%2fevil.example", "%2f%2fevil.example", "/admin//evil.example", "/admin/%2f%2fevil.example",
		"https://evil.example/admin/", "https:evil.example", "///evil.example/admin/", "/admin/../../evil", "/admin/%2e%2e/sign-out", "/admin@evil.example", "/adminevil", "/sign-out",
		"javascript:alert(1)", "/admin/\tx", "/admin/\r\nSet-Cookie: x=y", "/admin/\x00", "/portal/northwind/", "?next=//evil.example", "/admin/#//evil.example\\",
	} {
		escaped := url.QueryEscape(next)
		for _, try := range []struct {
			who          *browser
			method, path string
			form         url.Values
		}{
			{b, "GET", "/sign-in?next=" + escaped, nil},
			{b, "GET", "/sign-in?reauth=1&next=" + escaped, nil},
			{b, "GET", "/sign-in/again?next=" + escaped, nil},
			{b, "POST", "/sign-in/again", url.Values{"password": {goodPassword}, "next": {next}}},
			{s.visitor(t), "GET", "/sign-in?next=" + escaped, nil},
			{s.visitor(t), "GET", "/sign-in/forgot?next=" + escaped, nil},
			{s.visitor(t), "POST", "/sign-in", signInAs("dana@northwind.example", goodPassword, next)},
			{s.visitor(t), "POST", "/sign-in/" + s.link(t, books.Viewer) + "?next=" + escaped, nil},
		} {
			res, body := try.who.do(try.method, try.path, try.form, nil)
			to := res.Header.Get("Location")
			if to != "" && to != "/admin/" && to != "/sign-in/again?next=%2Fadmin%2F" || strings.Contains(body, "evil") || res.Header.Get("Set-Cookie") == "x=y" {
				t.Errorf("%s %.40s with %q: %s to %q", try.method, try.path, next, res.Status, to)
			}
		}
	}
}

// TestWrongProofsAreKept: a wrong password of somebody signed in is kept and told
// like one at the door, and one that comes too early is a refused request of theirs.
func TestWrongProofsAreKept(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	for range books.FreeTries {
		b.stays(http.StatusUnprocessableEntity, "not your password", "/admin/account/password", url.Values{"current": {"wrong wrong wrong"}, "password": {"another heron by the lemon tree"}})
	}
	for kind, want := range map[string]int{books.AskRefused: books.FreeTries, books.AskBlocked: 1} {
		var got int
		if err := s.db.R.Get(&got, `SELECT COUNT(*) FROM staff_asks WHERE kind = $1 AND email_norm = 'dana@northwind.example'`, kind); err != nil || got != want {
			t.Errorf("%s: %d, want %d (%v)", kind, got, want, err)
		}
	}
	log.take()
	b.stays(http.StatusTooManyRequests, "Too many tries", "/sign-in/again", url.Values{"password": {goodPassword}})
	if line := log.take(); !strings.Contains(line, `"why":"throttled","page":"POST /sign-in/again","staff":"`) {
		t.Errorf("logged:\n%s", line)
	}
	if list := s.denials(t, s.biller.ID); len(list) != 1 || list[0].Detail["why"] != "throttled" {
		t.Errorf("in the audit: %+v", list)
	}
}

// TestStrangersHideNoRefusals: a flood of forms from nobody leaves the log room for
// what staff are refused.
func TestStrangersHideNoRefusals(t *testing.T) {
	t.Parallel()
	log := &kept{}
	s := mustSite(t, log.into)
	viewer, away := s.signedIn(t, books.Viewer), map[string]string{"Origin": "https://evil.example"}
	for range refusal.Lines + 1 {
		s.visitor(t).do(http.MethodPost, "/sign-in", nil, away)
	}
	log.take()
	viewer.do(http.MethodPost, "/admin/customers/new", fullForm(), away)
	if line := log.take(); !strings.Contains(line, `"why":"origin","page":"POST /admin/customers/new","staff":"`) {
		t.Errorf("logged:\n%s", line)
	}
}
