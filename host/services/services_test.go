package services_test

import (
	"context"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

var _ wire.Services = (*services.AddonServices)(nil)

const (
	biller = "b1"
	other  = "b2"
	portal = "customer-portal"
)

// platform is a fake whose books hold one customer per biller; it fails the
// test when it is asked about nobody's books.
type platform struct {
	services.Platform
	name   string // of billers
	audits []addon.AuditRecord
	list   func(q sdk.CustomerQuery) (sdk.CustomerPage, error)
	staff  []addon.Staff // of the first biller, whoever is asked for
}

func (p *platform) Customer(_ context.Context, b, id string) (sdk.Customer, error) {
	if id != "c-"+b {
		return sdk.Customer{}, apperr.Errorf(apperr.NotFound, "There is no such customer.")
	}
	return sdk.Customer{ID: id, Name: b, Email: "Jo@" + b + ".example"}, nil
}

func (p *platform) CustomersByEmail(_ context.Context, b, address string) ([]sdk.Customer, error) {
	if address == "jo@"+b+".example" {
		return []sdk.Customer{{ID: "c-" + b}}, nil
	}
	return nil, nil
}

func (p *platform) ListCustomers(_ context.Context, _ string, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	return p.list(q)
}

func (p *platform) Invoice(_ context.Context, b, id string) (sdk.Invoice, error) {
	return sdk.Invoice{ID: id, CustomerID: "c-" + b}, nil
}

func (p *platform) ListInvoices(_ context.Context, b string, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	return sdk.InvoicePage{Invoices: make([]sdk.Invoice, q.Limit)}, nil
}

func (p *platform) Biller(_ context.Context, b string) (sdk.Biller, error) {
	return sdk.Biller{
		ID: b, Slug: "slug-" + b, Name: p.name, Email: "office@northwind.example", CustomerPath: "/admin/customers/{id}",
		Address: sdk.Address{Street: "1 Main St", City: "Clearwater", State: "FL", Zip: "33755"},
	}, nil
}

func (p *platform) StaffWith(_ context.Context, b, ability string) ([]addon.Staff, error) {
	if b != biller || ability != "staff:invite" {
		return nil, nil
	}
	return p.staff, nil
}

func (p *platform) RecordAudit(_ context.Context, b string, r addon.AuditRecord) error {
	r.Object = b + ":" + r.Object
	p.audits = append(p.audits, r)
	return nil
}

type mailer struct {
	mu   sync.Mutex
	sent []addon.Mail
	send func(n int) error
}

func (m *mailer) Send(_ context.Context, mail addon.Mail) (addon.Receipt, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sent = append(m.sent, mail)
	if m.send != nil {
		if err := m.send(len(m.sent)); err != nil {
			return addon.Receipt{}, err
		}
	}
	return addon.Receipt{AcceptedAt: time.Unix(1, 0).UTC(), Response: "250 ok"}, nil
}

func (m *mailer) MessageID(biller, addonID, key string) string { return biller + "." + key + "@x" }

// world is services on fakes and a real store.
type world struct {
	*services.Services
	platform *platform
	mailer   *mailer
	now      atomic.Int64
}

func (w *world) clock() time.Time { return time.Unix(w.now.Load(), 0).UTC() }

func mustWorld(tb testing.TB) *world {
	tb.Helper()
	set, err := store.Migrations()
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{platform: &platform{name: "Northwind"}, mailer: &mailer{}}
	w.now.Store(1_800_000_000)
	s := store.New(dbtest.MustOpen(tb, dbtest.SQLite(tb, set)), w.clock)
	for _, b := range []string{biller, other} {
		if _, err := s.Install(tb.Context(), addon.Installation{BillerID: b, AddonID: portal}); err != nil {
			tb.Fatal(err)
		}
	}
	w.Services = services.New(services.Config{
		Platform: w.platform, Store: s, Mailer: w.mailer,
		PortalURL: func(b sdk.Biller, id string) string { return "https://pay.example.com/" + id + "/" + b.Slug },
		StaffURL: func(id string) (string, string) {
			return "https://bill.example.com/admin/addons/" + id, "Customer Portal"
		},
		PlatformName: "Billhost", Key: make([]byte, 32), Log: slog.New(slog.DiscardHandler),
		Caps: addon.MailCaps{Hour: 3, Day: 10}, Now: w.clock,
	})
	return w
}

func all() []string {
	return []string{"customers:read", "invoices:read", "mail:send", "billers:read", "audit:write", "staff:notify"}
}

func mustHost(tb testing.TB, w *world, g services.Grant) sdk.Host {
	tb.Helper()
	if g.AddonID == "" {
		g.AddonID = portal
	}
	h, err := w.Addon(portal).For(tb.Context(), w.IssueRequest(g))
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func wantCode(tb testing.TB, what string, err error, code apperr.Code) {
	tb.Helper()
	if got := apperr.CodeOf(err); got != code {
		tb.Errorf("%s: %v, want code %q", what, err, code)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	check := func(token string) error { _, err := w.Addon(portal).For(t.Context(), token); return err }
	request := w.IssueRequest(services.Grant{BillerID: biller, AddonID: portal})
	job := w.IssueInstallation(addon.Installation{BillerID: biller, AddonID: portal})
	if len(request) != 43 || request == job {
		t.Errorf("tokens %q, %q", request, job)
	}
	wantCode(t, "request token", check(request), "")
	wantCode(t, "credential", check(job), "")
	wantCode(t, "garbage", check("x"), apperr.Unauthenticated)
	wantCode(t, "empty", check(""), apperr.Unauthenticated)
	_, err := w.Addon("hello").For(t.Context(), request)
	wantCode(t, "another add-on's", err, apperr.Unauthenticated)

	short := w.IssueRequest(services.Grant{BillerID: biller, AddonID: portal, Expires: w.clock().Add(time.Second)})
	w.now.Add(1)
	wantCode(t, "after its deadline", check(short), apperr.Unauthenticated)
	w.now.Add(3600)
	wantCode(t, "forgotten request token", check(request), apperr.Unauthenticated)
	wantCode(t, "credential later", check(job), "")
	w.Revoke(job)
	w.Revoke("unknown")
	wantCode(t, "revoked", check(job), apperr.Unauthenticated)
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	w.platform.list = func(sdk.CustomerQuery) (sdk.CustomerPage, error) { return sdk.CustomerPage{}, nil }
	ctx := t.Context()
	calls := []struct {
		name, permission string
		public           bool
		call             func(h sdk.Host) error
	}{
		{"Customer", "customers:read", true, func(h sdk.Host) error { _, err := h.Customers.Customer(ctx, "c-b1"); return err }},
		{"CustomersByEmail", "customers:read", true, func(h sdk.Host) error { _, err := h.Customers.CustomersByEmail(ctx, "a@b.example"); return err }},
		{"ListCustomers", "customers:read", false, func(h sdk.Host) error { _, err := h.Customers.ListCustomers(ctx, sdk.CustomerQuery{}); return err }},
		{"Invoice", "invoices:read", true, func(h sdk.Host) error { _, err := h.Invoices.Invoice(ctx, "i"); return err }},
		{"ListInvoices", "invoices:read", true, func(h sdk.Host) error {
			_, err := h.Invoices.ListInvoices(ctx, sdk.InvoiceQuery{CustomerID: "c-b1"})
			return err
		}},
		{"Send", "mail:send", true, func(h sdk.Host) error { _, err := h.Mail.Send(ctx, message("p")); return err }},
		{"Biller", "billers:read", true, func(h sdk.Host) error { _, err := h.Billers.Biller(ctx); return err }},
		{"Notify", "staff:notify", false, func(h sdk.Host) error { _, err := h.Staff.Notify(ctx, notice("p")); return err }},
		{"Write", "audit:write", true, func(h sdk.Host) error { return h.Audit.Write(ctx, sdk.AuditEvent{Action: "a.b"}) }},
	}
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			only := []string{c.permission}
			rest := slices.DeleteFunc(all(), func(p string) bool { return p == c.permission })
			wantCode(t, "with it", c.call(mustHost(t, w, services.Grant{BillerID: biller, Permissions: only})), "")
			wantCode(t, "with all others", c.call(mustHost(t, w, services.Grant{BillerID: biller, Permissions: rest})), apperr.PermissionDenied)
			wantCode(t, "with none", c.call(mustHost(t, w, services.Grant{BillerID: biller})), apperr.PermissionDenied)
			code := apperr.PermissionDenied
			if c.public {
				code = ""
			}
			wantCode(t, "in public", c.call(mustHost(t, w, services.Grant{BillerID: biller, Permissions: only, Public: true})), code)
		})
	}
}

func TestBillerComesFromTheToken(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	ctx := t.Context()
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	_, err := h.Customers.Customer(ctx, "c-"+other)
	wantCode(t, "another biller's customer", err, apperr.NotFound)
	found, err := h.Customers.CustomersByEmail(ctx, " JO@B2.example")
	if err != nil || len(found) != 0 {
		t.Errorf("another biller's by email = %v, %v", found, err)
	}
	found, err = h.Customers.CustomersByEmail(ctx, " JO@B1.example")
	if err != nil || len(found) != 1 {
		t.Errorf("by email = %v, %v", found, err)
	}
	b, err := h.Billers.Biller(ctx)
	if err != nil || b.ID != biller || b.PortalURL != "https://pay.example.com/customer-portal/slug-b1" || b.CustomerPath == "" {
		t.Errorf("Biller = %+v, %v", b, err)
	}
	m := message("k")
	m.CustomerID, m.To = "c-"+other, "jo@b2.example"
	_, err = h.Mail.Send(ctx, m)
	wantCode(t, "mail to another biller's customer", err, apperr.NotFound)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	ctx := t.Context()
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	var asked int
	w.platform.list = func(q sdk.CustomerQuery) (sdk.CustomerPage, error) { asked = q.Limit; return sdk.CustomerPage{}, nil }
	for limit, want := range map[int]int{0: 100, 1: 1, 1000: 1000} {
		if _, err := h.Customers.ListCustomers(ctx, sdk.CustomerQuery{Limit: limit}); err != nil || asked != want {
			t.Errorf("limit %d became %d, %v", limit, asked, err)
		}
	}
	for _, limit := range []int{-1, 1001} {
		_, err := h.Customers.ListCustomers(ctx, sdk.CustomerQuery{Limit: limit})
		wantCode(t, "limit", err, apperr.Invalid)
	}
	_, err := h.Invoices.ListInvoices(ctx, sdk.InvoiceQuery{CustomerID: "c-b1", Limit: 201})
	wantCode(t, "invoice limit", err, apperr.Invalid)
	_, err = h.Invoices.ListInvoices(ctx, sdk.InvoiceQuery{})
	wantCode(t, "everybody's invoices", err, apperr.Invalid)
	_, err = h.Customers.CustomersByEmail(ctx, "no address")
	wantCode(t, "no address", err, apperr.Invalid)
}

func TestAudit(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	h := mustHost(t, w, services.Grant{
		BillerID: biller, Permissions: all(), Viewer: sdk.Viewer{StaffID: "s1"},
		RequestID: "r1", RemoteIP: netip.MustParseAddr("192.0.2.7"),
	})
	err := h.Audit.Write(t.Context(), sdk.AuditEvent{
		Action: "invitation.sent", Object: "i1", CustomerID: "c1", PortalUser: "u1", Detail: map[string]string{"a": "b"},
	})
	want := []addon.AuditRecord{{
		At: w.clock(), AddonID: portal, StaffID: "s1", PortalUserClaim: "u1", Action: "invitation.sent", Object: "b1:i1",
		CustomerID: "c1", RequestID: "r1", RemoteIP: "192.0.2.7", Detail: map[string]string{"a": "b"},
	}}
	if diff := cmp.Diff(want, w.platform.audits); err != nil || diff != "" {
		t.Errorf("audit %v (-want +got):\n%s", err, diff)
	}
	for _, action := range []string{"", "sent", "Invitation.Sent", "a.b\n"} {
		wantCode(t, action, h.Audit.Write(t.Context(), sdk.AuditEvent{Action: action}), apperr.Invalid)
	}
}
