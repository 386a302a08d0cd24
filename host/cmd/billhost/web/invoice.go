package web

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
)

type invoicePage struct {
	frame
	Invoice  sdk.Invoice
	Customer sdk.Customer
}

// Partly tells whether something, but not all, was paid.
func (p invoicePage) Partly() bool {
	return p.Invoice.Status == books.InvoiceOpen && p.Invoice.Paid.Minor > 0 && p.Invoice.Balance.Minor != 0
}

// status is how a page shows where an invoice stands.
type status struct{ Word, Tone, Icon string }

// due returns the badge of an invoice.
func due(inv sdk.Invoice, today time.Time) status {
	word := books.Due(inv, today)
	switch word {
	case "Paid":
		return status{word, "good", "check"}
	case "Void":
		return status{word, "", "bar"}
	case "Overdue":
		return status{word, "bad", "warning"}
	case "Due today":
		return status{word, "warn", "clock"}
	}
	return status{word, "info", "document"}
}

// quantity writes thousandths without trailing zeros.
func quantity(milli int64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(float64(milli)/1000, 'f', 3, 64), "0"), ".")
}

// invoice shows one invoice, to read.
func (s *Server) invoice(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	inv, err := s.Store.Invoice(r.Context(), staff.BillerID, r.PathValue("id"))
	if err != nil {
		return err
	}
	c, err := s.Store.Customer(r.Context(), staff.BillerID, inv.CustomerID)
	if err != nil {
		return err
	}
	f, err := s.frame(r, staff, inv.Title+" "+inv.Number, "customers")
	if err != nil {
		return err
	}
	return s.pages.invoice.Render(w, r, http.StatusOK, invoicePage{f, inv, c})
}
