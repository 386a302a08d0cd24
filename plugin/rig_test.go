package main

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const (
	northwind = sdktest.Northwind
	contoso   = "contoso"
	elena     = "elena@riverafamily.example"
	secret    = "heron lemon quiet barge"
)

// rig is the portal in process, behind gRPC, on a real database.
type rig struct {
	*sdktest.Instance
	tb    testing.TB
	clock *testClock
	cfg   sqldb.Config
}

// testClock runs with the real one, and ahead of it when told.
type testClock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *testClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return systemClock().Add(c.ahead)
}

func (c *testClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// onBoth runs f with a portal on each database.
func onBoth(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Helper()
	t.Parallel()
	t.Run(sqldb.SQLite, func(t *testing.T) {
		t.Parallel()
		f(t, newRig(t, dbtest.SQLite(t), nil))
	})
	t.Run(sqldb.Postgres, func(t *testing.T) {
		t.Parallel()
		f(t, newRig(t, dbtest.Postgres(t), nil))
	})
}

// sqliteRig is a portal on SQLite; prepare changes the platform before it starts.
func sqliteRig(t *testing.T, prepare func(*sdktest.Host)) *rig {
	t.Helper()
	return newRig(t, dbtest.SQLite(t), prepare)
}

func newRig(tb testing.TB, cfg sqldb.Config, prepare func(*sdktest.Host)) *rig {
	tb.Helper()
	return newRigOf(tb, cfg, prepare, func(a sdk.Addon) sdk.Addon { return a })
}

// newRigOf is newRig with a portal that is changed before it starts.
func newRigOf(tb testing.TB, cfg sqldb.Config, prepare func(*sdktest.Host), change func(sdk.Addon) sdk.Addon) *rig {
	tb.Helper()
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: contoso, Slug: contoso, Name: "Contoso", TimeZone: "UTC", Locale: "en-US", Currency: "USD", CustomerPath: "/admin/customers/{id}"})
	for _, c := range customers() {
		host.AddCustomer(northwind, c)
	}
	host.AddCustomer(contoso, sdk.Customer{ID: "x1", Name: "Rivera Elsewhere", Email: elena, Version: 1})
	for _, i := range invoices() {
		host.AddInvoice(northwind, i)
	}
	host.AddInvoice(contoso, sdk.Invoice{ID: "xinv", Number: "X-1", CustomerID: "x1", Title: "Foreign", Status: "open", DueOn: day("2026-06-15"), Total: usd(100), Balance: usd(100)})
	if prepare != nil {
		prepare(host)
	}
	clock := &testClock{}
	r := &rig{tb: tb, clock: clock, cfg: cfg, Instance: sdktest.Start(tb, change(addon(clock.now)), sdktest.WithHost(host),
		sdktest.WithDatabase(sdk.Database{Driver: cfg.Driver, DSN: cfg.DSN, DirectDSN: cfg.DirectDSN}))}
	r.Enable(northwind, contoso)
	r.eventually("customers are known", func() bool {
		_, err := r.staffInviter().Status(tb.Context(), "c3")
		_, foreign := r.Invite(r.StaffCall(contoso, portal.AbilityInvite)).Status(tb.Context(), "x1")
		return err == nil && foreign == nil
	})
	return r
}

func customers() []sdk.Customer {
	return []sdk.Customer{
		{ID: "c1", Number: "NW-1042", Name: "Elena Rivera", DisplayName: "Rivera Family", Email: elena, Address: sdk.Address{Street: "18 Heron Court", City: "Clearwater"}, OpenBalance: usd(120843), Version: 1},
		{ID: "c2", Number: "NW-1107", Name: "Rivera Rentals LLC", DisplayName: "Rivera Rentals LLC", Email: "Elena@RiveraFamily.example ", Version: 1},
		{ID: "c3", Number: "NW-1200", Name: "Harbor View", DisplayName: `<b>Harbor</b> & "View"`, Email: "treasurer@harborview.example", Version: 1},
		{ID: "c4", Number: "NW-1300", Name: "No Mail", DisplayName: "No Mail", Version: 1},
	}
}

func invoices() []sdk.Invoice {
	return []sdk.Invoice{
		{
			ID: "inv1", Number: "INV-1047", CustomerID: "c1", Title: "June weekly service", Status: "open",
			IssuedOn: day("2026-05-25"), DueOn: day("2026-06-15"), Subtotal: usd(67400), Tax: usd(1218), Total: usd(68618), Paid: usd(20000), Balance: usd(48618),
			BillTo: sdk.Address{Street: "18 Heron Court", City: "Clearwater", State: "FL", Zip: "33759"},
			Lines:  []sdk.InvoiceLine{{Description: "Weekly pool service", Detail: "June 4 and 11", QuantityMilli: 4500, UnitPrice: usd(9500), Amount: usd(42750)}},
		},
		{ID: "inv2", Number: "INV-1053", CustomerID: "c1", Title: "July weekly service", Status: "open", IssuedOn: day("2026-06-25"), DueOn: day("2126-07-15"), Total: usd(22125), Balance: usd(22125)},
		{ID: "inv3", Number: "INV-2000", CustomerID: "c3", Title: "Harbor only", Status: "open", IssuedOn: day("2026-06-25"), DueOn: day("2026-07-15"), Total: usd(999), Balance: usd(999)},
		{ID: "inv4", Number: "INV-3000", CustomerID: "c2", Title: "Rentals only", Status: "open", IssuedOn: day("2026-06-25"), DueOn: day("2026-07-15"), Total: usd(777), Balance: usd(777)},
	}
}

func usd(minor int64) sdk.Money { return sdk.Money{Minor: minor, Currency: "USD"} }

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func (r *rig) staffInviter() sdk.Inviter {
	return r.Invite(r.StaffCall(northwind, portal.AbilityInvite))
}

// eventually waits for a condition that background work brings about.
func (r *rig) eventually(what string, ok func() bool) {
	r.tb.Helper()
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			r.tb.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// mailed waits until every mail that was asked for is out, or turned out to be none.
func (r *rig) mailed() {
	r.tb.Helper()
	db := dbtest.MustOpen(r.tb, r.cfg)
	r.eventually("no mail waits", func() bool {
		var waiting int
		if err := db.R.Get(&waiting, `SELECT COUNT(*) FROM jobs WHERE kind = $1 AND state = 0`, portal.JobMail); err != nil {
			r.tb.Fatal(err)
		}
		return waiting == 0
	})
}

// mail waits for the nth mail of the kind to the address, from 1.
func (r *rig) mail(kind, to string, n int) sdktest.Mail {
	r.tb.Helper()
	var found sdktest.Mail
	r.eventually(fmt.Sprintf("mail %d of kind %s to %s", n, kind, to), func() bool {
		seen := 0
		for _, m := range r.Host.Mails() {
			if m.Kind == kind && strings.EqualFold(strings.TrimSpace(m.To), to) {
				if seen++; seen == n {
					found = m
					return true
				}
			}
		}
		return false
	})
	return found
}

// invited sends a customer's first invitation and returns its link's path.
func (r *rig) invited(customerID, to string) string {
	r.tb.Helper()
	if _, err := r.staffInviter().Send(r.tb.Context(), customerID); err != nil {
		r.tb.Fatal(err)
	}
	return linkOf(r.tb, r.mail("invitation", to, 1))
}

// status is the customer's, as staff see it.
func (r *rig) status(customerID string) string {
	r.tb.Helper()
	s, err := r.staffInviter().Status(r.tb.Context(), customerID)
	if err != nil {
		r.tb.Fatal(err)
	}
	return s.Status
}

// linkOf returns the path below the portal of the first address in a mail.
func linkOf(tb testing.TB, m sdktest.Mail) string {
	tb.Helper()
	for line := range strings.Lines(m.Text) {
		if _, path, ok := strings.Cut(strings.TrimSpace(line), "/portal/"+m.Biller); ok {
			return path
		}
	}
	tb.Fatalf("no link in %q", m.Text)
	return ""
}

// codeOf returns the six digits of a confirmation.
func codeOf(tb testing.TB, m sdktest.Mail) string {
	tb.Helper()
	for line := range strings.Lines(m.Text) {
		if line = strings.TrimSpace(line); len(line) == 6 && strings.Trim(line, "0123456789") == "" {
			return line
		}
	}
	tb.Fatalf("no code in %q", m.Text)
	return ""
}
