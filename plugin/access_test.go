package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestPrivatePagesLeadToSignIn(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	for _, tt := range []struct{ method, path, want string }{
		{http.MethodGet, "/", "/portal/northwind/sign-in"},
		{http.MethodGet, "/invoices/inv1", "/portal/northwind/sign-in?next=%2Fportal%2Fnorthwind%2Finvoices%2Finv1"},
		{http.MethodGet, "/invoices/none", "/portal/northwind/sign-in?next=%2Fportal%2Fnorthwind%2Finvoices%2Fnone"},
		{http.MethodPost, "/profile", "/portal/northwind/sign-in"},
		{http.MethodPost, "/offers/1/add", "/portal/northwind/sign-in"},
		{http.MethodGet, "/sign-up/agreement", "/portal/northwind/sign-in"},
		{http.MethodPost, "/sign-up/agreement", "/portal/northwind/sign-in"},
		{http.MethodPost, "/sign-up/decline", "/portal/northwind/sign-in"},
	} {
		b := r.browser(northwind)
		b.cookies["session"] = "made-up"
		form := url.Values{}
		if tt.method == http.MethodGet {
			form = nil
		}
		p := b.do(tt.method, tt.path, form).wants(303)
		if p.location != tt.want {
			t.Errorf("%s %s leads to %q, want %q", tt.method, tt.path, p.location, tt.want)
		}
	}
	for _, path := range []string{"/sign-up/profile", "/sign-up/confirm"} {
		r.browser(northwind).open(path).wants(409, "not open in this browser")
	}
}

func TestSignInLeadsBackOnlyWithinThePortal(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	for next, want := range map[string]string{
		"/portal/northwind/invoices/inv1": "/portal/northwind/invoices/inv1",
		"https://evil.example/":           "/portal/northwind/",
		"//evil.example/":                 "/portal/northwind/",
		"/portal/contoso/":                "/portal/northwind/",
		"":                                "/portal/northwind/",
	} {
		b := r.browser(northwind)
		p := b.do(http.MethodPost, "/sign-in", url.Values{"email": {elena}, "password": {secret}, "next": {next}}).wants(303)
		if p.location != want {
			t.Errorf("next %q leads to %q, want %q", next, p.location, want)
		}
	}
}

func TestSessionOfOneBillerIsNothingAtAnother(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		foreign := r.browser(contoso)
		foreign.cookies["session"] = b.cookies["session"]
		if p := foreign.do(http.MethodGet, "/", nil); p.location != "/portal/contoso/sign-in" {
			t.Errorf("%d, leads to %q", p.status, p.location)
		}
		foreign.press(foreign.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(401)
		b.open("/invoices/inv1").wants(200, "INV-1047", "Weekly pool service", "4.5", "$95.00", "$427.50", "−$200.00", "$486.18", "June 15, 2026")
		for _, path := range []string{"/invoices/inv3", "/invoices/inv4", "/invoices/xinv", "/invoices/none", "/invoices/%ff", "/invoices/%00", "/nowhere"} {
			b.open(path).wants(404, "This page is not here").lacks("Harbor only", "Rentals only", "Foreign")
		}
		b.do(http.MethodPost, "/profile", url.Values{"customer": {"c3"}}).wants(404)
	})
}

func TestSignOutEndsTheSession(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	token := b.cookies["session"]
	b.press(b.open("/"), "Sign out").wants(200, "You are signed out.")
	again := r.browser(northwind)
	again.cookies["session"] = token
	if p := again.do(http.MethodGet, "/", nil); p.status != 303 {
		t.Errorf("the old cookie opens the portal: %d", p.status)
	}
}

func TestSigningInAgainEndsTheEarlierSession(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	earlier := b.cookies["session"]
	b.do(http.MethodPost, "/sign-in", url.Values{"email": {elena}, "password": {secret}}).wants(303)
	if b.cookies["session"] == earlier {
		t.Fatal("the session is the same")
	}
	b.open("/").wants(200, "You owe")
	thief := r.browser(northwind)
	thief.cookies["session"] = earlier
	if p := thief.do(http.MethodGet, "/", nil); p.status != http.StatusSeeOther {
		t.Errorf("the earlier session opens the portal: %d", p.status)
	}
}

func TestWrongPasswordsAreThrottled(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	for _, email := range []string{elena, "nobody@nowhere.example"} {
		b := r.browser(northwind)
		for range 5 {
			b.press(b.open("/sign-in"), "Sign in", "email", email, "password", "wrong wrong wrong").wants(401, "Email or password is wrong.")
		}
		b.press(b.open("/sign-in"), "Sign in", "email", email, "password", secret).wants(429, "Too many tries. Wait ", " seconds, then try again.")
	}
	r.clock.advance(11 * time.Minute)
	b := r.browser(northwind)
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
}

func TestInvoicesWithOddIDsOpen(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		i := invoices()[0]
		i.ID, i.Title = "2026/06 #7?", "Odd number"
		h.AddInvoice(northwind, i)
	})
	b := r.registered("c1", elena)
	href := ""
	for n := range b.open("/").doc.Descendants() {
		if n.Data == "a" && n.FirstChild != nil && n.FirstChild.Data == "Odd number" {
			href = strings.TrimPrefix(attr(n, "href"), b.call.BasePath)
		}
	}
	b.open(href).wants(200, "Odd number", "Weekly pool service")
}

func TestNamesAreEscaped(t *testing.T) {
	t.Parallel()
	const evil = `<script>alert(1)</script>"'`
	r := sqliteRig(t, func(h *sdktest.Host) {
		c := customers()[0]
		c.DisplayName, c.Number = evil, evil
		h.AddCustomer(northwind, c)
		h.AddInvoice(northwind, sdk.Invoice{
			ID: "evil", Number: evil, CustomerID: "c1", Title: evil, Status: "open", DueOn: day("2026-06-15"), Memo: evil,
			Total: usd(1), Balance: usd(1), Lines: []sdk.InvoiceLine{{Description: evil, Detail: evil, QuantityMilli: 1000}},
		})
		h.AddBiller(sdk.Biller{
			ID: northwind, Slug: northwind, Name: evil, Brand: `#000000;}</style><script>`, Email: `x@y.example"><script>`, Phone: `"><script>`, Hours: evil,
			TimeZone: "UTC", Locale: "en-US", CustomerPath: "/admin/customers/{id}",
		})
	})
	link := r.invited("c1", elena)
	b := r.browser(northwind)
	pages := []*page{b.open(link), b.open("/agreement"), b.open("/sign-in"), b.open("/nowhere")}
	p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	pages = append(pages, p)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	b.press(p, "I Accept")
	pages = append(pages, p, b.open("/"), b.open("/invoices/evil"))
	s := r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityReport)
	tab := r.staff(wire.Slot, portal.AbilityInvite, portal.AbilityReport)
	pages = append(pages, s.open("/"), s.open("/registrations"), s.open("/customers/c1"), tab.open("/customer?customer=c1"), tab.open("/registrations?q="+url.QueryEscape(evil)))
	for _, p := range pages {
		for n := range p.doc.Descendants() {
			if n.Data == "script" {
				t.Errorf("%s: a name became markup", p.path)
			}
		}
	}
	for _, m := range r.Host.Mails() {
		if strings.Contains(m.HTML, "<script") {
			t.Errorf("mail %s: a name became markup", m.Kind)
		}
	}
}

func TestHomeCostsTwoHostCalls(t *testing.T) {
	t.Parallel()
	var billers, lists, others atomic.Int64
	inner := sdktest.NewHost()
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.BillerFn = func(ctx context.Context, biller string) (sdk.Biller, error) {
			billers.Add(1)
			return sdk.Biller{ID: biller, Name: "Northwind", PortalURL: inner.PublicCall(biller).PortalURL}, nil
		}
		h.ListInvoicesFn = func(context.Context, string, sdk.InvoiceQuery) (sdk.InvoicePage, error) {
			lists.Add(1)
			var page sdk.InvoicePage
			for range 100 {
				page.Invoices = append(page.Invoices, invoices()[0])
			}
			return page, nil
		}
		h.InvoiceFn = func(context.Context, string, string) (sdk.Invoice, error) {
			others.Add(1)
			return sdk.Invoice{}, apperr.Errorf(apperr.NotFound, "no")
		}
	})
	b := r.registered("c1", elena)
	r.eventually("no mail is under way", func() bool { return r.status("c1") == "Registered" })
	billers.Store(0)
	lists.Store(0)
	b.open("/").wants(200, "100 open invoices")
	if billers.Load() != 1 || lists.Load() != 1 || others.Load() != 0 {
		t.Errorf("biller %d, lists %d, others %d; want 1, 1, 0", billers.Load(), lists.Load(), others.Load())
	}
}

func TestPlatformDown(t *testing.T) {
	t.Parallel()
	var down atomic.Bool
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.ListInvoicesFn = func(context.Context, string, sdk.InvoiceQuery) (sdk.InvoicePage, error) {
			if down.Load() {
				return sdk.InvoicePage{}, apperr.Errorf(apperr.Unavailable, "secret detail")
			}
			return sdk.InvoicePage{}, nil
		}
	})
	link := r.invited("c1", elena)
	b := r.browser(northwind)
	p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	b.press(p, "I Accept").wants(200, "You owe nothing")
	down.Store(true)
	b.open("/").wants(503, "Back in a moment", "Try again", "req-test").lacks("secret detail")
	down.Store(false)
	b.open("/").wants(200)
}

func TestDisabledBillerClosesItsPages(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	if err := r.Disable(t.Context(), northwind); err != nil {
		t.Fatal(err)
	}
	if p := b.do(http.MethodGet, "/", nil); p.status == http.StatusOK {
		t.Errorf("a page opened after the portal was switched off")
	}
	r.Enable(northwind)
	r.browser(northwind).open("/sign-in").wants(200)
	if got := r.status("c1"); got != "Registered" {
		t.Errorf("status %s after coming back", got)
	}
}

func TestPurgeForgetsOneBiller(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		if err := r.Purge(t.Context(), northwind); err != nil {
			t.Fatal(err)
		}
		if _, err := r.staffInviter().Status(t.Context(), "c1"); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("northwind's customer: %v", err)
		}
		if _, err := r.Invite(r.StaffCall(contoso, portal.AbilityInvite)).Status(t.Context(), "x1"); err != nil {
			t.Errorf("contoso's customer: %v", err)
		}
	})
}

func TestFrameCarriesBrandAndLook(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	p := r.browser(northwind).open("/sign-in").wants(200)
	for _, want := range []string{
		`<style nonce="bm9uY2U">:root { --brand: #1d4ed8; --on-brand: #ffffff; }</style>`,
		`<link rel="stylesheet" href="/static/addon/portal.css">`,
		`<html lang="en" dir="ltr">`, `href="tel:+15550100"`, `href="mailto:billing@northwind.example"`, `href="/portal/northwind/agreement"`,
	} {
		if !strings.Contains(p.body, want) {
			t.Errorf("%s is missing", want)
		}
	}
	if !strings.Contains(p.header.Get("Content-Type"), "text/html") || p.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v", p.header)
	}
	p.lacks("style=", "<script", "onclick")
	r.browser(contoso).open("/sign-in").wants(200, "Ask Contoso").lacks("tel:", "mailto:")
}
