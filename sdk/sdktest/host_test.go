package sdktest_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

func mustFor(tb testing.TB, h *sdktest.Host, token string) sdk.Host {
	tb.Helper()
	s, err := h.For(tb.Context(), token)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func TestStaffHaveJustSignedIn(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	v := h.StaffCall(sdktest.Northwind, "staff:invite").Viewer
	if now := time.Now(); v.AuthenticatedAt.IsZero() || !v.Fresh(now) || v.Fresh(now.Add(sdk.FreshLife)) {
		t.Errorf("viewer = %+v", v)
	}
	if v := h.PublicCall(sdktest.Northwind).Viewer; !v.AuthenticatedAt.IsZero() {
		t.Errorf("public: %+v", v)
	}
}

func TestHostKeepsBillersApart(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	h.AddBiller(sdk.Biller{ID: "contoso"})
	h.AddCustomer("contoso", sdk.Customer{ID: "c1", Email: "jane@acme.com"})
	h.AddInvoice("contoso", sdk.Invoice{ID: "i1", CustomerID: "c1"})
	s := mustFor(t, h, h.Token(h.StaffCall(sdktest.Northwind)))
	if _, err := s.Customers.Customer(t.Context(), "c1"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("customer: %v", err)
	}
	if found, err := s.Customers.CustomersByEmail(t.Context(), "jane@acme.com"); err != nil || len(found) > 0 {
		t.Errorf("by email: %v, %v", found, err)
	}
	if _, err := s.Invoices.Invoice(t.Context(), "i1"); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("invoice: %v", err)
	}
	other := mustFor(t, h, h.Token(h.StaffCall("contoso")))
	for _, s := range []sdk.Host{s, other} {
		if r, err := s.Mail.Send(t.Context(), sdk.Message{Key: "same", To: "a@b.example"}); err != nil || r.Repeated {
			t.Errorf("mail: %+v, %v", r, err)
		}
	}
}

func TestHostListsCustomersInPages(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	for n := range 5 {
		h.AddCustomer(sdktest.Northwind, sdk.Customer{ID: fmt.Sprint("c", 4-n)})
	}
	call := h.PublicCall(sdktest.Northwind)
	public := mustFor(t, h, h.Token(call))
	if _, err := public.Customers.ListCustomers(t.Context(), sdk.CustomerQuery{}); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("on a public page: %v", err)
	}
	job := mustFor(t, h, h.Credential(call))
	var ids []string
	for q := (sdk.CustomerQuery{Limit: 2}); ; {
		page, err := job.Customers.ListCustomers(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range page.Customers {
			ids = append(ids, c.ID)
		}
		if q.After = page.Next; q.After == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"c0", "c1", "c2", "c3", "c4"}, ids); diff != "" {
		t.Error(diff)
	}
}

func TestRevokedTokenIsWorthless(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	token := h.Token(h.PublicCall(sdktest.Northwind))
	h.Revoke(token)
	if _, err := h.For(t.Context(), token); !apperr.Is(err, apperr.Unauthenticated) {
		t.Errorf("got %v", err)
	}
}

func TestHostRemembersWhatItRefused(t *testing.T) {
	t.Parallel()
	h := sdktest.NewHost()
	h.Permissions = []string{"billers:read"}
	host, err := h.For(t.Context(), h.Token(h.PublicCall(sdktest.Northwind)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := host.Billers.Biller(t.Context()); err != nil {
		t.Error(err)
	}
	for range 2 {
		if _, err := host.Invoices.Invoice(t.Context(), "i"); !apperr.Is(err, apperr.PermissionDenied) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := host.Customers.Customer(t.Context(), "c"); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("got %v", err)
	}
	if got := h.Refused(); !slices.Equal(got, []string{"invoices:read", "customers:read"}) {
		t.Errorf("refused %v", got)
	}
}
