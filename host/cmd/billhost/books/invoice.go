package books

import (
	"math"
	"math/big"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
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
// quantities, unit prices, tax and what was paid. An amount that 64 bits cannot
// hold stays at their limit, and CheckTotals refuses it.
func Total(inv sdk.Invoice) sdk.Invoice {
	code := inv.Tax.Currency
	money := func(n *big.Int) sdk.Money { return sdk.Money{Minor: clamp(n), Currency: code} }
	lines, subtotal := amounts(inv)
	for i, n := range lines {
		inv.Lines[i].Amount = money(n)
	}
	inv.Subtotal = money(subtotal)
	total := new(big.Int).Add(subtotal, big.NewInt(inv.Tax.Minor))
	inv.Total = money(total)
	inv.Balance = money(total.Sub(total, big.NewInt(inv.Paid.Minor)))
	inv.Status = InvoiceOpen
	if inv.Balance.Minor == 0 {
		inv.Status = InvoicePaid
	}
	return inv
}

// CheckTotals returns Invalid for an invoice whose amounts do not add up, or are
// more than 64 bits hold.
func CheckTotals(inv sdk.Invoice) error {
	lines, subtotal := amounts(inv)
	total := new(big.Int).Add(subtotal, big.NewInt(inv.Tax.Minor))
	balance := new(big.Int).Sub(total, big.NewInt(inv.Paid.Minor))
	right := is(subtotal, inv.Subtotal) && is(total, inv.Total) && is(balance, inv.Balance)
	for i, n := range lines {
		right = right && is(n, inv.Lines[i].Amount)
	}
	if !right {
		return apperr.Errorf(apperr.Invalid, "The amounts of invoice %s do not add up, or are too large.", inv.Number)
	}
	return nil
}

// amounts returns what each line is worth, and their sum, of any size.
func amounts(inv sdk.Invoice) (lines []*big.Int, subtotal *big.Int) {
	subtotal = new(big.Int)
	for _, l := range inv.Lines {
		n := roundMilli(new(big.Int).Mul(big.NewInt(l.QuantityMilli), big.NewInt(l.UnitPrice.Minor)))
		lines = append(lines, n)
		subtotal.Add(subtotal, n)
	}
	return lines, subtotal
}

// roundMilli divides by a thousand, halves away from zero.
func roundMilli(n *big.Int) *big.Int {
	half := big.NewInt(500)
	if n.Sign() < 0 {
		half.Neg(half)
	}
	return half.Quo(half.Add(half, n), big.NewInt(1000))
}

func clamp(n *big.Int) int64 {
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func is(n *big.Int, m sdk.Money) bool { return n.IsInt64() && n.Int64() == m.Minor }

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
