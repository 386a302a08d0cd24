package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// placeholders are of a list as long as the page.
var placeholders = regexp.MustCompile(`\(\?(, \?)*\)`)

// statements collects what the pages ask the database.
type statements struct {
	kept     *tracetest.InMemoryExporter
	provider trace.TracerProvider
}

func newStatements() *statements {
	kept := tracetest.NewInMemoryExporter()
	return &statements{kept: kept, provider: sdktrace.NewTracerProvider(sdktrace.WithSyncer(kept))}
}

// seen lets a surface of the portal tell.
func (s *statements) seen(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := telemetry.Start(telemetry.WithProvider(r.Context(), s.provider, trace.SpanContext{}), "page", trace.SpanKindServer)
		defer span.End()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// take returns the statements since the last call.
func (s *statements) take() (texts []string) {
	for _, span := range s.kept.GetSpans() {
		for _, kv := range span.Attributes {
			if kv.Key == "db.query.text" {
				texts = append(texts, placeholders.ReplaceAllString(kv.Value.AsString(), "(?)"))
			}
		}
	}
	s.kept.Reset()
	return texts
}

// countedRig is a portal whose pages tell their statements.
func countedRig(t *testing.T, prepare func(*sdktest.Host)) (*rig, *statements, *sqldb.DB) {
	t.Helper()
	s := newStatements()
	cfg := dbtest.SQLite(t)
	r := newRigOf(t, cfg, prepare, func(a sdk.Addon) sdk.Addon {
		start := a.Start
		a.Start = func(ctx context.Context, env sdk.Env) (sdk.Parts, error) {
			parts, err := start(ctx, env)
			if err == nil {
				parts.Public, parts.Staff, parts.Slots = s.seen(parts.Public), s.seen(parts.Staff), s.seen(parts.Slots)
			}
			return parts, err
		}
		return a
	})
	return r, s, dbtest.MustOpen(t, cfg)
}

// TestPagesCostTheSameForMore: a page asks the database as often for little as for
// much.
func TestPagesCostTheSameForMore(t *testing.T) {
	t.Parallel()
	var many atomic.Int64
	many.Store(1)
	r, s, db := countedRig(t, func(h *sdktest.Host) {
		h.ListInvoicesFn = func(context.Context, string, sdk.InvoiceQuery) (sdk.InvoicePage, error) {
			var page sdk.InvoicePage
			for range many.Load() {
				page.Invoices = append(page.Invoices, invoices()[0])
			}
			return page, nil
		}
	})
	b := r.registered("c1", elena)
	r.eventually("the mails are done", func() bool { return r.status("c1") == "Registered" })
	tab, slot := r.staff(wire.Slot, portal.AbilityInvite), r.staff(wire.Slot, portal.AbilityReport)
	more := func(statement string) func() {
		return func() {
			t.Helper()
			if _, err := db.W.Exec(statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	for _, page := range []struct {
		name string
		open func() *page
		more []func()
		// text is on the page only once there is more.
		text string
	}{
		{"home", func() *page { return b.open("/") }, []func(){func() { many.Store(200) }}, "200 open invoices"},
		{"security", func() *page { return b.open("/security") }, []func(){more(`
			WITH RECURSIVE ns (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ns WHERE n < 20)
			INSERT INTO sessions (biller_id, token_hash, user_id, created_at, seen_at, expires_at, ip, agent)
			SELECT biller_id, 'more' || n, user_id, created_at, seen_at, expires_at, '203.0.113.99', agent FROM sessions, ns WHERE biller_id = 'northwind'`)}, "203.0.113.99"},
		{"customer tab", func() *page { return tab.open("/customer?customer=c1") }, []func(){more(`
			WITH RECURSIVE ns (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ns WHERE n < 100)
			INSERT INTO history (biller_id, id, customer_id, kind, detail, by_name, mail_key, at)
			SELECT 'northwind', 'more' || n, 'c1', 'sent', '{}', 'Max More', '', 1 FROM ns`), more(`
			WITH RECURSIVE ns (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ns WHERE n < 100)
			INSERT INTO users (biller_id, id, email, email_norm, password_hash, state, confirmed_at, created_at)
			SELECT 'northwind', 'more' || n, 'more' || n || '@x.example', 'more' || n || '@x.example', '', 'active', 1, 1 FROM ns`), more(`
			WITH RECURSIVE ns (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ns WHERE n < 100)
			INSERT INTO grants (biller_id, user_id, customer_id, state, created_at)
			SELECT 'northwind', 'more' || n, 'c1', 'active', 1 FROM ns`)}, "more100@x.example"},
		{"report", func() *page { return slot.open("/registrations") }, []func(){func() { r.manyCustomers(1000) }}, "Many 00000"},
	} {
		page.open() // what is asked once only is asked
		s.take()
		page.open().wants(200).lacks(page.text)
		before := s.take()
		for _, do := range page.more {
			do()
		}
		s.take()
		page.open().wants(200, page.text)
		after := s.take()
		if len(before) == 0 || len(before) > 20 {
			t.Errorf("%s: %d statements", page.name, len(before))
		}
		if d := cmp.Diff(before, after); d != "" {
			t.Errorf("%s asks otherwise for more (-little +much):\n%s", page.name, d)
		}
	}
}

// manyCustomers are told by events, as the platform tells them.
func (r *rig) manyCustomers(n int) {
	r.tb.Helper()
	for i := range n {
		c := sdk.Customer{ID: fmt.Sprintf("many%05d", i), Name: fmt.Sprintf("Many %05d", i), DisplayName: fmt.Sprintf("Many %05d", i), Email: fmt.Sprintf("many%d@x.example", i), Version: 1}
		if err := r.Handle(r.tb.Context(), northwind, sdk.Event{ID: c.ID, Kind: sdk.CustomerCreated, At: r.clock.now(), Customer: c}); err != nil {
			r.tb.Fatal(err)
		}
	}
}
