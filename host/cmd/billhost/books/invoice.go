package books

import (
	"time"

	"github.com/billing-addons/customer-portal/sdk"
)

// Invoice states.
const (
	InvoiceOpen = "open"
	InvoicePaid = "paid"
	InvoiceVoid = "void"
)

// OpeningTitle is the title of the invoice that carries a balance brought over
// from another program.
const OpeningTitle = "Opening balance"

// Total fills amounts of lines, subtotal, total, balance and status from
// quantities, unit prices, tax and what was paid.
func Total(inv sdk.Invoice) sdk.Invoice {
	code := inv.Tax.Currency
	subtotal := int64(0)
	for i, l := range inv.Lines {
		amount := roundMilli(l.QuantityMilli * l.UnitPrice.Minor)
		inv.Lines[i].Amount = sdk.Money{Minor: amount, Currency: code}
		subtotal += amount
	}
	inv.Subtotal = sdk.Money{Minor: subtotal, Currency: code}
	inv.Total = sdk.Money{Minor: subtotal + inv.Tax.Minor, Currency: code}
	inv.Balance = sdk.Money{Minor: inv.Total.Minor - inv.Paid.Minor, Currency: code}
	inv.Status = InvoiceOpen
	if inv.Balance.Minor == 0 {
		inv.Status = InvoicePaid
	}
	return inv
}

// roundMilli divides by a thousand, halves away from zero.
func roundMilli(n int64) int64 {
	if n < 0 {
		return -((-n + 500) / 1000)
	}
	return (n + 500) / 1000
}

// Due is where an invoice stands on a day: "Paid", "Void", "Overdue", "Due
// today" or "Open".
func Due(inv sdk.Invoice, today time.Time) string {
	switch {
	case inv.Status == InvoiceVoid:
		return "Void"
	case inv.Status == InvoicePaid:
		return "Paid"
	case inv.DueOn.Before(today):
		return "Overdue"
	case inv.DueOn.Equal(today):
		return "Due today"
	}
	return "Open"
}
