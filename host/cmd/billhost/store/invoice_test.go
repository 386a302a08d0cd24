package store_test

import (
	"math"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestSumsAtTheLimits: amounts whose sum 64 bits cannot hold are refused as a
// whole, on both databases; nothing wraps, nothing is kept.
func TestSumsAtTheLimits(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, day := t.Context(), time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
		load := func(biller, name string, milli int64, prices ...int64) error {
			entry := store.Entry{Name: name, Apply: func(books.CustomerForm) books.CustomerForm { return books.CustomerForm{Name: name} }}
			for i, p := range prices {
				entry.Invoices = append(entry.Invoices, books.Total(sdk.Invoice{
					Number: "INV-" + string(rune('1'+i)), Title: "Service", IssuedOn: day, DueOn: day, Tax: sdk.Money{Currency: "USD"},
					Lines: []sdk.InvoiceLine{{Description: "Visit", QuantityMilli: milli, UnitPrice: sdk.Money{Minor: p, Currency: "USD"}}},
				}))
			}
			_, err := w.Load(ctx, biller, []store.Entry{entry})
			return err
		}
		wantCode(t, "a product beyond 64 bits", load(w.a.ID, "Product", 2000, math.MaxInt64), apperr.Invalid)
		if err := load(w.a.ID, "Sum", 1000, math.MaxInt64, 1); err == nil {
			t.Error("a balance beyond 64 bits is kept")
		}
		for _, name := range []string{"Product", "Sum"} {
			if _, err := w.FindByLabel(ctx, w.a.ID, name); err == nil {
				t.Errorf("%s is kept", name)
			}
		}
		for _, biller := range []string{w.a.ID, w.b.ID} {
			if err := load(biller, "Most", 1000, math.MaxInt64); err != nil {
				t.Fatal(err)
			}
			c, err := w.FindByLabel(ctx, biller, "Most")
			if err != nil || c.OpenBalance.Minor != math.MaxInt64 {
				t.Errorf("balance %d, %v", c.OpenBalance.Minor, err)
			}
		}
	})
}
