package books_test

import (
	"math"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func usd(minor int64) sdk.Money { return sdk.Money{Minor: minor, Currency: "USD"} }

// of is an invoice with lines of quantity and unit price.
func of(tax, paid int64, lines ...[2]int64) sdk.Invoice {
	inv := sdk.Invoice{Number: "INV-1", Tax: usd(tax), Paid: usd(paid)}
	for _, l := range lines {
		inv.Lines = append(inv.Lines, sdk.InvoiceLine{QuantityMilli: l[0], UnitPrice: usd(l[1])})
	}
	return inv
}

func TestTotal(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		inv                      sdk.Invoice
		subtotal, total, balance int64
		status                   string
	}{
		"two lines":   {of(7, 0, [2]int64{1500, 9501}, [2]int64{1000, 100}), 14352, 14359, 14359, books.InvoiceOpen},
		"half a cent": {of(0, 0, [2]int64{500, 1}, [2]int64{-500, 1}, [2]int64{499, 1}), 0, 0, 0, books.InvoicePaid},
		"credit":      {of(0, 0, [2]int64{-1500, 9501}), -14252, -14252, -14252, books.InvoiceOpen},
		"paid":        {of(5, 105, [2]int64{1000, 100}), 100, 105, 0, books.InvoicePaid},
		"nothing":     {of(0, 0), 0, 0, 0, books.InvoicePaid},
		"largest":     {of(0, 0, [2]int64{1000, math.MaxInt64}), math.MaxInt64, math.MaxInt64, math.MaxInt64, books.InvoiceOpen},
	} {
		got := books.Total(tt.inv)
		if got.Subtotal != usd(tt.subtotal) || got.Total != usd(tt.total) || got.Balance != usd(tt.balance) || got.Status != tt.status {
			t.Errorf("%s: %d %d %d %s", name, got.Subtotal.Minor, got.Total.Minor, got.Balance.Minor, got.Status)
		}
		if err := books.CheckTotals(got); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.Total.Minor++; !apperr.Is(books.CheckTotals(got), apperr.Invalid) {
			t.Errorf("%s: a total that does not add up is taken", name)
		}
	}
}

// TestTotalAtTheLimits: what 64 bits cannot hold never wraps, and is refused.
func TestTotalAtTheLimits(t *testing.T) {
	t.Parallel()
	const most, least = math.MaxInt64, math.MinInt64
	for name, inv := range map[string]sdk.Invoice{
		"quantity times price": of(0, 0, [2]int64{2000, most}),
		"both at the limit":    of(0, 0, [2]int64{most, most}),
		"below zero":           of(0, 0, [2]int64{least, most}),
		"least times least":    of(0, 0, [2]int64{least, least}),
		"sum of lines":         of(0, 0, [2]int64{1000, most}, [2]int64{1000, 1}),
		"tax":                  of(1, 0, [2]int64{1000, most}),
		"paid":                 of(0, least, [2]int64{1000, 1}),
	} {
		got := books.Total(inv)
		if wrapped := (got.Total.Minor < 0) != (name == "below zero"); wrapped {
			t.Errorf("%s: total %d", name, got.Total.Minor)
		}
		if err := books.CheckTotals(got); !apperr.Is(err, apperr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
