package web_test

import (
	"context"
	"errors"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// fakeAddons is the host with one add-on; nil fields mean none.
type fakeAddons struct {
	SlotsFn func(staff addon.Staff, slot string) []addon.SlotView
	DrawFn  func(r *http.Request, v addon.SlotView, params url.Values) (template.HTML, error)
}

func (f *fakeAddons) Slots(_ context.Context, staff addon.Staff, slot string) ([]addon.SlotView, error) {
	if f.SlotsFn == nil {
		return nil, nil
	}
	return f.SlotsFn(staff, slot), nil
}

func (f *fakeAddons) Draw(r *http.Request, _ addon.Staff, v addon.SlotView, params url.Values) (template.HTML, error) {
	return f.DrawFn(r, v, params)
}

type site struct {
	*httptest.Server
	store  *store.Store
	web    *web.Server
	addons *fakeAddons
	biller sdk.Biller
	other  sdk.Biller
	mine   sdk.Customer
	theirs sdk.Customer
	bill   sdk.Invoice
}

func mustSite(tb testing.TB) *site {
	tb.Helper()
	set, err := store.Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	db := dbtest.MustOpen(tb, dbtest.SQLite(tb, set))
	s := &site{addons: &fakeAddons{}}
	s.store = store.New(db, time.Now, func(context.Context, *sqlx.Tx, string, string, string) error { return nil })
	s.web, err = web.New(web.Config{Store: s.store, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		tb.Fatal(err)
	}
	s.web.Attach(s.addons)
	s.Server = httptest.NewServer(s.web.Handler(http.HandlerFunc(s.host)))
	tb.Cleanup(s.Close)
	s.fill(tb)
	return s
}

// host stands for the pages of the host.
func (s *site) host(w http.ResponseWriter, r *http.Request) {
	if _, err := s.web.StaffFrom(r); err != nil {
		http.NotFound(w, r)
		return
	}
	s.web.Frame(w, r, addon.Page{Title: "Add-ons Marketplace", Status: http.StatusTeapot, Active: "marketplace", Body: "<h1>Add-ons</h1>"})
}

func (s *site) fill(tb testing.TB) {
	tb.Helper()
	ctx := tb.Context()
	var err error
	if s.biller, err = s.store.AddBiller(ctx, sdk.Biller{Slug: "northwind", Name: "Northwind Pool Service"}); err != nil {
		tb.Fatal(err)
	}
	if s.other, err = s.store.AddBiller(ctx, sdk.Biller{Slug: "harbor", Name: "Harbor Electric"}); err != nil {
		tb.Fatal(err)
	}
	day := time.Now().UTC().Truncate(24 * time.Hour)
	inv := books.Total(sdk.Invoice{Number: "INV-1", Title: "June weekly service", IssuedOn: day, DueOn: day.AddDate(0, 0, -3),
		Tax:   sdk.Money{Currency: "USD"},
		Lines: []sdk.InvoiceLine{{Description: "Weekly pool service", QuantityMilli: 2500, UnitPrice: sdk.Money{Minor: 9500, Currency: "USD"}}}})
	entry := store.Entry{Name: "Elena Rivera", Invoices: []sdk.Invoice{inv}, Apply: func(books.CustomerForm) books.CustomerForm {
		return books.CustomerForm{Number: "NW-1", Name: "Elena Rivera", DisplayName: "Rivera <Family>", Email: "elena@rivera.example"}
	}}
	for _, b := range []sdk.Biller{s.biller, s.other} {
		if _, err := s.store.Load(ctx, b.ID, []store.Entry{entry}); err != nil {
			tb.Fatal(err)
		}
	}
	if s.mine, err = s.store.FindByLabel(ctx, s.biller.ID, "NW-1"); err != nil {
		tb.Fatal(err)
	}
	if s.theirs, err = s.store.FindByLabel(ctx, s.other.ID, "NW-1"); err != nil {
		tb.Fatal(err)
	}
	page, err := s.store.ListInvoices(ctx, s.other.ID, sdk.InvoiceQuery{CustomerID: s.theirs.ID})
	if err != nil {
		tb.Fatal(err)
	}
	s.bill = page.Invoices[0]
}

// browser is somebody with cookies.
type browser struct {
	tb   testing.TB
	site *site
	http.Client
}

// visitor returns a browser that is not signed in and follows no redirects.
func (s *site) visitor(tb testing.TB) *browser {
	b := &browser{tb: tb, site: s}
	b.Jar = &jar{cookies: map[string]*http.Cookie{}}
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return b
}

// jar keeps cookies by name.
type jar struct {
	mu      sync.Mutex
	cookies map[string]*http.Cookie
}

func (j *jar) SetCookies(_ *url.URL, cookies []*http.Cookie) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, c := range cookies {
		j.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(j.cookies, c.Name)
		}
	}
}

func (j *jar) Cookies(*url.URL) []*http.Cookie {
	j.mu.Lock()
	defer j.mu.Unlock()
	var all []*http.Cookie
	for _, c := range j.cookies {
		all = append(all, c)
	}
	return all
}

// signedIn returns a browser of a new staff user.
func (s *site) signedIn(tb testing.TB, role books.Role) *browser {
	tb.Helper()
	b := s.visitor(tb)
	if res, _ := b.post("/sign-in/"+s.link(tb, role), nil); res.StatusCode != http.StatusSeeOther {
		tb.Fatalf("sign in: %s", res.Status)
	}
	return b
}

func (s *site) link(tb testing.TB, role books.Role) string {
	tb.Helper()
	p, err := s.store.AddStaff(tb.Context(), books.Staff{BillerID: s.biller.ID, Email: string(role) + time.Now().Format("150405.000000000") + "@northwind.example", Name: "Dana Whitfield", Role: role})
	if err != nil {
		tb.Fatal(err)
	}
	link, err := s.store.NewStaffLink(tb.Context(), p.BillerID, p.ID)
	if err != nil {
		tb.Fatal(err)
	}
	return link
}

func (b *browser) do(method, path string, form url.Values, header map[string]string) (*http.Response, string) {
	b.tb.Helper()
	req, err := http.NewRequestWithContext(b.tb.Context(), method, b.site.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.tb.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := b.Do(req)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return res, string(body)
}

func (b *browser) get(path string) (*http.Response, string) {
	b.tb.Helper()
	return b.do(http.MethodGet, path, nil, nil)
}

func (b *browser) post(path string, form url.Values) (*http.Response, string) {
	b.tb.Helper()
	return b.do(http.MethodPost, path, form, nil)
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner, viewer, nobody := s.signedIn(t, books.Owner), s.signedIn(t, books.Viewer), s.visitor(t)
	mine := "/admin/customers/" + s.mine.ID
	for _, tc := range []struct {
		name, path string
		who        *browser
		status     int
		has, not   string
	}{
		{"overview", "/admin/", owner, 200, "June weekly service", ""},
		{"list", "/admin/customers", owner, 200, "Rivera &lt;Family&gt;", ""},
		{"list for a viewer", "/admin/customers", viewer, 200, "Rivera", "New customer"},
		{"search", "/admin/customers?q=elena%40riv", owner, 200, "NW-1", "No customer has"},
		{"search without result", "/admin/customers?q=%3Cscript%3E", owner, 200, "No customer has", "<script>"},
		{"archived", "/admin/customers?show=archived", owner, 200, "No customer is archived", ""},
		{"bad page", "/admin/customers?after=x", owner, 422, "does not exist", ""},
		{"customer", mine, owner, 200, "elena@rivera.example", ""},
		{"customer for a viewer", mine, viewer, 200, "elena@rivera.example", "Edit customer"},
		{"invoices", mine + "?tab=invoices", owner, 200, "$237.50", ""},
		{"unknown tab", mine + "?tab=nope", owner, 404, "This page is not here", ""},
		{"edit", mine + "/edit", owner, 200, `value="Elena Rivera"`, ""},
		{"edit by a viewer", mine + "/edit", viewer, 403, "Your role", ""},
		{"new by a viewer", "/admin/customers/new", viewer, 403, "Your role", ""},
		{"foreign customer", "/admin/customers/" + s.theirs.ID, owner, 404, "no such customer", "elena@"},
		{"foreign edit", "/admin/customers/" + s.theirs.ID + "/edit", owner, 404, "no such customer", "elena@"},
		{"foreign invoice", "/admin/invoices/" + s.bill.ID, owner, 404, "no such invoice", "INV-1"},
		{"garbage id", "/admin/customers/%00", owner, 404, "This page is not here", ""},
		{"unknown staff page", "/admin/reports/none", owner, 404, "This page is not here", ""},
		{"report", "/admin/reports/customers", owner, 200, "No reports yet", ""},
		{"account", "/admin/account", viewer, 200, "viewer", ""},
		{"host page", "/admin/marketplace", owner, 418, "<h1>Add-ons</h1>", ""},
		{"sign-in help", "/sign-in", nobody, 200, "one-time link", ""},
		{"sign-in while signed in", "/sign-in", owner, 303, "", ""},
		{"dead link", "/sign-in/garbage", nobody, 404, "no longer valid", ""},
		{"not signed in", "/admin/customers", nobody, 303, "", "Rivera"},
		{"health", "/healthz", nobody, 200, "ok", ""},
		{"ready", "/readyz", nobody, 200, "ok", ""},
		{"root", "/", nobody, 303, "", ""},
		{"no mails", "/dev/mail", nobody, 404, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := tc.who.get(tc.path)
			if res.StatusCode != tc.status {
				t.Fatalf("status %d, want %d\n%s", res.StatusCode, tc.status, body)
			}
			if !strings.Contains(body, tc.has) || tc.not != "" && strings.Contains(body, tc.not) {
				t.Errorf("want %q and not %q in\n%s", tc.has, tc.not, body)
			}
			if strings.Contains(res.Header.Get("Content-Type"), "html") && res.StatusCode != 303 {
				checkPage(t, res, body)
			}
		})
	}
}

var firstAddress = regexp.MustCompile(`[\w.+-]+@[\w.-]+`)

// checkPage holds for every page.
func checkPage(t *testing.T, res *http.Response, body string) {
	t.Helper()
	for _, once := range []string{"<main", "<h1", "<title>"} {
		if n := strings.Count(body, once); n != 1 {
			t.Errorf("%s stands %d times", once, n)
		}
	}
	if strings.Contains(body, " style=") || strings.Contains(body, "<style") || strings.Contains(body, " onclick") {
		t.Error("inline style or script")
	}
	csp := res.Header.Get("Content-Security-Policy")
	if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	if res.Header.Get("X-Content-Type-Options") != "nosniff" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", res.Header)
	}
}

func TestFirstAddressOnACustomerPageIsTheCustomers(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	s.addons.SlotsFn = func(_ addon.Staff, slot string) []addon.SlotView {
		return []addon.SlotView{{AddonID: "customer-portal", Slot: slot, Title: "Customer Portal", Href: "/admin/addons/customer-portal/"}}
	}
	s.addons.DrawFn = func(_ *http.Request, _ addon.SlotView, params url.Values) (template.HTML, error) {
		return template.HTML("<p>somebody@else.example " + params.Encode() + "</p>"), nil
	}
	owner := s.signedIn(t, books.Owner)
	for _, query := range []string{"", "?tab=invoices", "?tab=customer-portal&notice=sent&customer=other"} {
		_, body := owner.get("/admin/customers/" + s.mine.ID + query)
		_, main, _ := strings.Cut(body, "<main")
		if got := firstAddress.FindString(main); got != "elena@rivera.example" {
			t.Errorf("%s: first address %q", query, got)
		}
		if strings.Contains(query, "notice") && !strings.Contains(body, "customer="+s.mine.ID+"&notice=sent</p>") {
			t.Errorf("the tab was drawn with other parameters:\n%s", body)
		}
		if !strings.Contains(body, `href="/admin/addons/customer-portal/">Customer Portal`) {
			t.Error("no link in the navigation")
		}
	}
}

func TestAnAddonThatFailsLeavesThePageStanding(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	s.addons.SlotsFn = func(_ addon.Staff, slot string) []addon.SlotView {
		return []addon.SlotView{{AddonID: "a", Slot: slot, Title: "Part A"}}
	}
	s.addons.DrawFn = func(*http.Request, addon.SlotView, url.Values) (template.HTML, error) {
		return "<p>Not available now</p>", errors.New("socket closed")
	}
	owner := s.signedIn(t, books.Owner)
	for _, path := range []string{"/admin/reports/customers", "/admin/customers/" + s.mine.ID + "?tab=a"} {
		res, body := owner.get(path)
		if res.StatusCode != 200 || !strings.Contains(body, "Not available now") || strings.Contains(body, "socket") {
			t.Errorf("%s: %s\n%s", path, res.Status, body)
		}
	}
}

func TestSignInHasOneWinnerAndOneCookie(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	link := s.link(t, books.Owner)
	b := s.visitor(t)
	for range 2 { // looking uses nothing up
		if res, body := b.get("/sign-in/" + link); res.StatusCode != 200 || !strings.Contains(body, "<button class=\"btn big\">Sign in</button>") {
			t.Fatalf("%s\n%s", res.Status, body)
		}
	}
	var mu sync.Mutex
	status := map[int]int{}
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			res, _ := s.visitor(t).post("/sign-in/"+link, nil)
			mu.Lock()
			defer mu.Unlock()
			status[res.StatusCode]++
			if c := res.Header.Get("Set-Cookie"); res.StatusCode == 303 && (!strings.Contains(c, "HttpOnly; SameSite=Lax") || !strings.Contains(c, "Path=/")) {
				t.Errorf("cookie %q", c)
			}
		})
	}
	all.Wait()
	if status[303] != 1 || status[404] != 15 {
		t.Errorf("answers by status: %v", status)
	}
}

func TestSignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	b := s.signedIn(t, books.Owner)
	session := b.Jar.Cookies(nil)[0].Value
	if res, _ := b.post("/sign-out", nil); res.Header.Get("Location") != "/sign-in" || len(b.Jar.Cookies(nil)) != 0 {
		t.Errorf("sign out: %v", res.Header)
	}
	if _, err := s.store.Session(t.Context(), session); err == nil {
		t.Error("the session lives on")
	}
}

func TestForms(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner, viewer := s.signedIn(t, books.Owner), s.signedIn(t, books.Viewer)
	mine, theirs := "/admin/customers/"+s.mine.ID, "/admin/customers/"+s.theirs.ID
	full := func(change ...string) url.Values {
		v := url.Values{"name": {"Acme"}, "email": {"a@acme.example"}, "version": {"1"}}
		for i := 0; i < len(change); i += 2 {
			v.Set(change[i], change[i+1])
		}
		return v
	}
	for _, tc := range []struct {
		name, path string
		form       url.Values
		who        *browser
		status     int
		has        []string
	}{
		{"no name", "/admin/customers/new", full("name", ""), owner, 422, []string{`id="name-error"`, "a@acme.example"}},
		{"bad email", "/admin/customers/new", full("email", "a@@b"), owner, 422, []string{`id="email-error"`, `value="a@@b"`, `value="Acme"`}},
		{"taken number", "/admin/customers/new", full("number", "NW-1"), owner, 409, []string{`id="number-error"`, `value="Acme"`}},
		{"unknown parent", "/admin/customers/new", full("parent", "Nobody"), owner, 422, []string{`id="parent-error"`, `value="Nobody"`}},
		{"by a viewer", "/admin/customers/new", full(), viewer, 403, nil},
		{"stale", mine + "/edit", full("version", "9"), owner, 409, []string{"in the meantime", `value="Acme"`}},
		{"foreign edit", theirs + "/edit", full(), owner, 404, nil},
		{"foreign archive", theirs + "/archive", nil, owner, 404, nil},
		{"archive by a viewer", mine + "/archive", nil, viewer, 403, nil},
		{"create with parent", "/admin/customers/new", full("parent", "NW-1", "name", "Acme Two"), owner, 303, nil},
		{"edit", mine + "/edit", full("name", "Elena R."), owner, 303, nil},
		{"archive", mine + "/archive", nil, owner, 303, nil},
		{"unarchive", mine + "/unarchive", nil, owner, 303, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := tc.who.post(tc.path, tc.form)
			if res.StatusCode != tc.status {
				t.Fatalf("status %d, want %d\n%s", res.StatusCode, tc.status, body)
			}
			for _, has := range tc.has {
				if !strings.Contains(body, has) {
					t.Errorf("no %q in\n%s", has, body)
				}
			}
		})
	}
	if c, err := s.store.FindByLabel(t.Context(), s.biller.ID, "Acme Two"); err != nil || c.ParentID != s.mine.ID {
		t.Errorf("created %+v, %v", c, err)
	}
}

func TestWritesFromOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner := s.signedIn(t, books.Owner)
	for name, header := range map[string]map[string]string{
		"origin":     {"Origin": "https://evil.example"},
		"fetch site": {"Sec-Fetch-Site": "cross-site"},
	} {
		for _, path := range []string{"/admin/customers/" + s.mine.ID + "/archive", "/sign-out"} {
			res, _ := owner.do(http.MethodPost, path, nil, header)
			if res.StatusCode != http.StatusForbidden {
				t.Errorf("%s %s: %s", name, path, res.Status)
			}
		}
	}
	if c, err := s.store.Customer(t.Context(), s.biller.ID, s.mine.ID); err != nil || c.Archived {
		t.Errorf("archived all the same: %v, %v", c, err)
	}
}
