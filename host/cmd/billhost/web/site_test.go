package web_test

import (
	"context"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
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
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// fakeAddons is the host with one add-on; nil fields mean none.
type fakeAddons struct {
	SlotsFn func(staff addon.Staff, slot string) []addon.SlotView
	DrawFn  func(r *http.Request, v addon.SlotView, params url.Values) (template.HTML, error)
	// OperationsFn: nothing was done.
	OperationsFn func(by addon.Staff) ([]addon.Operation, error)
}

func (f *fakeAddons) Operations(_ context.Context, by addon.Staff, _ string) ([]addon.Operation, error) {
	if f.OperationsFn == nil {
		return nil, nil
	}
	return f.OperationsFn(by)
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
	db     *sqldb.DB
	store  *store.Store
	web    *web.Server
	addons *fakeAddons
	biller sdk.Biller
	other  sdk.Biller
	mine   sdk.Customer
	theirs sdk.Customer
	bill   sdk.Invoice
	// mineBill is an invoice of mine, bill one of theirs.
	mineBill sdk.Invoice
}

// mustSite serves the books of two billers; change changes the configuration.
func mustSite(tb testing.TB, change ...func(c *web.Config)) *site {
	tb.Helper()
	set, err := store.Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	db := dbtest.MustOpen(tb, dbtest.SQLite(tb, set, jobs.Migrations()))
	s := &site{db: db, addons: &fakeAddons{}}
	s.store = store.New(db, time.Now, func(context.Context, *sqlx.Tx, string, string, string) error { return nil }, []byte("the audit key of this test, 32 b."))
	config := web.Config{Store: s.store, Log: slog.New(slog.DiscardHandler), Now: time.Now, Passwords: cheap()}
	for _, f := range change {
		f(&config)
	}
	if s.web, err = web.New(config); err != nil {
		tb.Fatal(err)
	}
	s.web.Attach(s.addons)
	s.Server = httptest.NewServer(s.web.Handler(http.HandlerFunc(s.host)))
	tb.Cleanup(s.Close)
	s.fill(tb)
	return s
}

// cheap hashes as the platform does, at little cost.
func cheap() *password.Hasher {
	return password.New(password.Config{Params: password.Params{MemoryKiB: 64, Passes: 1, Threads: 1}, Slots: 16, Wait: time.Minute})
}

// host stands for the pages of the host.
func (s *site) host(w http.ResponseWriter, r *http.Request) {
	if _, err := s.web.StaffFrom(r); err != nil {
		http.NotFound(w, r)
		return
	}
	status, why := http.StatusTeapot, ""
	if r.URL.RawQuery == "refuse" {
		status, why = http.StatusForbidden, "role"
	}
	s.web.Frame(w, r, addon.Page{Title: "Add-ons Marketplace", Status: status, Refused: why, Active: "marketplace", Body: "<h1>Add-ons</h1>"})
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
	for _, of := range []struct {
		customer sdk.Customer
		biller   string
		bill     *sdk.Invoice
	}{{s.theirs, s.other.ID, &s.bill}, {s.mine, s.biller.ID, &s.mineBill}} {
		page, err := s.store.ListInvoices(ctx, of.biller, sdk.InvoiceQuery{CustomerID: of.customer.ID})
		if err != nil {
			tb.Fatal(err)
		}
		*of.bill = page.Invoices[0]
	}
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

// jar keeps cookies by name; the session is the first of them.
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
	slices.SortFunc(all, func(a, b *http.Cookie) int { return strings.Compare(b.Name, a.Name) })
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
