package web_test

import (
	"errors"
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
)

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
		{"overview", "/admin/", owner, 200, `<a href="/admin/customers/` + s.mine.ID + `">Rivera &lt;Family&gt;</a>`, ""},
		{"list", "/admin/customers", owner, 200, "Rivera &lt;Family&gt;", ""},
		{"place in the list", "/admin/customers", owner, 200, ">1 customer<", "Next"},
		{"list for a viewer", "/admin/customers", viewer, 200, "Rivera", "New customer"},
		{"search", "/admin/customers?q=elena%40riv", owner, 200, "NW-1", "No customer has"},
		{"search without result", "/admin/customers?q=%3Cscript%3E", owner, 200, "No customer has", "<script>"},
		{"search with signs", "/admin/customers?q=%27%3Celena", owner, 200, "1 customer with words that begin with “elena”", ""},
		{"search for words", "/admin/customers?q=Elena", owner, 200, ">1 customer<", ""},
		{"long search", "/admin/customers?q=" + strings.Repeat("x", 3000), owner, 422, "This search is too long", "NW-1"},
		{"archived", "/admin/customers?show=archived", owner, 200, "No customer is archived", ""},
		{"bad page", "/admin/customers?after=x", owner, 422, "does not exist", ""},
		{"customer", mine, owner, 200, "elena@rivera.example", ""},
		{"customer without an address", mine, owner, 200, "<dt>Email</dt>", "<dt>Address</dt>"},
		{"customer for a viewer", mine, viewer, 200, "elena@rivera.example", "Edit customer"},
		{"invoices", mine + "?tab=invoices", owner, 200, "$237.50", ""},
		{"unknown tab", mine + "?tab=nope", owner, 404, "This page is not here", ""},
		{"edit", mine + "/edit", owner, 200, `value="Elena Rivera"`, ""},
		{"edit by a viewer", mine + "/edit", viewer, 403, "Ask an owner", ""},
		{"new by a viewer", "/admin/customers/new", viewer, 403, "Your role", ""},
		{"foreign customer", "/admin/customers/" + s.theirs.ID, owner, 404, "no such customer", "elena@"},
		{"foreign edit", "/admin/customers/" + s.theirs.ID + "/edit", owner, 404, "no such customer", "elena@"},
		{"foreign invoice", "/admin/invoices/" + s.bill.ID, owner, 404, "no such invoice", "INV-1"},
		{"garbage id", "/admin/customers/%00", owner, 404, "typing mistake", "no such page"},
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
	if res, _ := b.post("/sign-out", nil); res.Header.Get("Location") != "/sign-in" || b.cookie() != "" {
		t.Errorf("sign out: %v", res.Header)
	}
	if _, err := s.store.Session(t.Context(), session); err == nil {
		t.Error("the session lives on")
	}
}

// TestBrowsersForgetThePages: who signs out, or comes back with a session that is
// over, has the browser forget session and pages; who is signed in, or never was,
// does not.
func TestBrowsersForgetThePages(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	b, elsewhere := s.signedIn(t, books.Owner), s.visitor(t)
	elsewhere.Jar.SetCookies(nil, []*http.Cookie{{Name: "billhost-session", Value: b.cookie()}})
	forgets := func(what string, want string, who *browser, method, path string) {
		t.Helper()
		if res, _ := who.do(method, path, nil, nil); res.Header.Get("Clear-Site-Data") != want {
			t.Errorf("%s: %q, want %q", what, res.Header.Get("Clear-Site-Data"), want)
		}
	}
	const forget = `"cache", "storage"`
	forgets("signed in", "", b, http.MethodGet, "/sign-in")
	forgets("signing out", forget, b, http.MethodPost, "/sign-out")
	forgets("the session is over", forget, elsewhere, http.MethodGet, "/admin/")
	if elsewhere.cookie() != "" {
		t.Error("the browser keeps a session that is over")
	}
	elsewhere.Jar.SetCookies(nil, []*http.Cookie{{Name: "billhost-session", Value: "over"}})
	forgets("at the door", forget, elsewhere, http.MethodGet, "/sign-in")
	forgets("once", "", elsewhere, http.MethodGet, "/sign-in")
	forgets("never signed in", "", s.visitor(t), http.MethodGet, "/admin/")
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
		{"everything at once", "/admin/customers/new", full("email", "a@@b", "number", "NW-1", "parent", "Nobody"), owner, 422,
			[]string{`id="email-error"`, `id="number-error"`, `id="parent-error"`, "correct the marked fields"}},
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

func TestCustomerListLeadsBothWays(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	for i := range 119 {
		if _, err := s.store.CreateCustomer(t.Context(), s.biller.ID, books.CustomerForm{Name: fmt.Sprintf("Plain %03d", i)}); err != nil {
			t.Fatal(err)
		}
	}
	owner := s.signedIn(t, books.Owner)
	path := "/admin/customers"
	for i, step := range []struct{ place, press string }{
		{"1–50 of 120 customers", "next"}, {"51–100 of 120 customers", "next"}, {"101–120 of 120 customers", "prev"}, {"51–100 of 120 customers", "prev"}, {"1–50 of 120 customers", ""},
	} {
		res, body := owner.get(path)
		if res.StatusCode != 200 || !strings.Contains(body, step.place) {
			t.Fatalf("page %d: no %q in\n%s", i, step.place, body)
		}
		for word, rel := range map[string]string{"Previous": "prev", "Next": "next"} {
			end := rel == "prev" && strings.HasPrefix(step.place, "1–") || rel == "next" && strings.HasPrefix(step.place, "101–")
			if strings.Contains(body, word) == end {
				t.Errorf("page %d: %s", i, word)
			}
		}
		if step.press != "" {
			m := regexp.MustCompile(`href="([^"]*)" rel="` + step.press).FindStringSubmatch(body)
			path = "/admin/customers" + html.UnescapeString(m[1])
		}
	}
}

func TestInvoiceReadsAsInThePortal(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	usd := func(n int64) sdk.Money { return sdk.Money{Minor: n, Currency: "USD"} }
	day := time.Now().UTC().Truncate(24 * time.Hour)
	inv := books.Total(sdk.Invoice{Number: "INV-9", Title: "Repair", IssuedOn: day, DueOn: day, Tax: usd(700), Paid: usd(10000),
		Lines: []sdk.InvoiceLine{{Description: "Pump", QuantityMilli: 1000, UnitPrice: usd(20000)}}})
	entry := store.Entry{Name: "Paul", Invoices: []sdk.Invoice{inv}, Apply: func(books.CustomerForm) books.CustomerForm { return books.CustomerForm{Name: "Paul"} }}
	if _, err := s.store.Load(t.Context(), s.biller.ID, []store.Entry{entry}); err != nil {
		t.Fatal(err)
	}
	c, err := s.store.FindByLabel(t.Context(), s.biller.ID, "Paul")
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.store.ListInvoices(t.Context(), s.biller.ID, sdk.InvoiceQuery{CustomerID: c.ID})
	if err != nil {
		t.Fatal(err)
	}
	_, body := s.signedIn(t, books.Viewer).get("/admin/invoices/" + list.Invoices[0].ID)
	for _, want := range []string{"<dt>Tax</dt><dd>$7.00</dd>", "<dt>Paid</dt><dd>−$100.00</dd>", "<dt>Balance due</dt><dd>$107.00</dd>", "Partly paid"} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
