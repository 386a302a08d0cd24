package main

import (
	"math"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
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
