package main

import (
	"maps"
	"math"
	"net/http"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestSumsAtTheLimits: amounts whose sum 64 bits cannot hold stand side by side on
// the first page; none wraps into a credit. So do quantities.
func TestSumsAtTheLimits(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		for _, id := range []string{"one", "two"} {
			h.AddInvoice(northwind, sdk.Invoice{
				ID: id, Number: "BIG-" + id, CustomerID: "c1", Title: "Largest", Status: "open", IssuedOn: day("2126-05-25"), DueOn: day("2126-06-15"),
				Subtotal: usd(math.MaxInt64), Total: usd(math.MaxInt64), Balance: usd(math.MaxInt64),
				Lines: []sdk.InvoiceLine{{Description: "Least", QuantityMilli: math.MinInt64, UnitPrice: usd(math.MinInt64), Amount: usd(math.MaxInt64)}},
			})
		}
	})
	b := r.registered("c1", elena)
	p := b.open("/").wants(200, "$92,233,720,368,547,758.07 + $92,233,720,368,547,758.07")
	for _, sign := range []string{"-$", "−$", "($"} {
		p.lacks(sign)
	}
	b.open("/invoices/one").wants(200, "−9223372036854775.808", "$92,233,720,368,547,758.07")
}

// more adds fields that no form has: what a handler that took whatever comes
// would keep.
func more(form url.Values) url.Values {
	all := url.Values{
		"biller": {contoso}, "biller_id": {contoso}, "id": {"c3"}, "customer_id": {"c3"}, "CustomerID": {"c3"}, "user": {"u"}, "user_id": {"u"}, "UserID": {"u"},
		"role": {"owner"}, "abilities": {portal.AbilityConfigure}, "archived": {"true"}, "state": {"active"}, "status": {"Registered"}, "step": {"done"},
		"confirmed": {"true"}, "registered": {"true"}, "granted": {"true"}, "grant": {"c3"}, "expires_at": {"4102444800"}, "email_norm": {"x@y.example"},
		"password_hash": {"x"}, "hash": {"x"}, "generation": {"9"}, "seq": {"9"}, "tries": {"0"}, "accepted_at": {"1"}, "permit": {"x"},
	}
	maps.Copy(all, form)
	return all
}

// TestAdditionalFieldsHaveNoEffect: a sign-up that sends them at each step becomes
// what one without them becomes, and no route takes them, from anybody.
func TestAdditionalFieldsHaveNoEffect(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	b := r.browser(northwind)
	post := func(path string, form url.Values) *page { return b.follow(b.do(http.MethodPost, path, more(form))) }
	post(link, url.Values{"email": {elena}, "password": {secret}})
	b.open("/").wants(200, "Sign in")
	post("/sign-up/profile", url.Values{"profile": {"all"}})
	if got := r.status("c1"); got == "Registered" {
		t.Fatal("registered without a code")
	}
	agreement := post("/sign-up/confirm", url.Values{"code": {codeOf(t, r.mail("confirmation", elena, 1))}}).wants(200, "I Accept")
	b.open("/").wants(200, "Sign in")
	post("/sign-up/agreement", url.Values{"version": {"1"}}).wants(409, "I Accept")
	post("/sign-up/agreement", url.Values{"version": {"1"}, "holder": {attr(agreement.input("holder"), "value")}}).wants(200, "You owe")
	before := map[string]string{"c1": "Registered", "c2": "Not invited", "c3": "Not invited", "c4": "No email"}
	statuses := func() map[string]string {
		all := map[string]string{}
		for id := range before {
			all[id] = r.status(id)
		}
		return all
	}
	if diff := cmp.Diff(before, statuses()); diff != "" {
		t.Errorf("after the sign-up (-want +got):\n%s", diff)
	}
	public, staff := mustRoutes(t)
	for _, route := range public {
		if path := pathParam.ReplaceAllString(route.path, "none"); route.method == http.MethodPost && path != "/sign-out" && path != "/offers/all" {
			r.browser(northwind).do(http.MethodPost, path, more(nil))
			b.do(http.MethodPost, path, more(nil))
		}
	}
	for _, route := range staff {
		if route.method == http.MethodPost {
			r.staff(wire.Staff, portal.AbilityReport).do(http.MethodPost, pathParam.ReplaceAllString(route.path, "c3"), more(nil)).wants(403)
		}
	}
	if diff := cmp.Diff(before, statuses()); diff != "" {
		t.Errorf("after all routes (-want +got):\n%s", diff)
	}
	b = r.browser(northwind)
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	b.open("/invoices/inv3").wants(404)
	b.open("/invoices/inv1").wants(200, "INV-1047")
	if s, err := r.Invite(r.StaffCall(contoso, portal.AbilityInvite)).Status(t.Context(), "x1"); err != nil || s.Status != "Not invited" {
		t.Errorf("another biller's customer: %+v, %v", s, err)
	}
}
