package web

import (
	"net/http"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
)

// overviewRows is how many overdue invoices the overview lists.
const overviewRows = 5

type overdue struct {
	sdk.Invoice
	Customer sdk.Customer
	Days     int
}

type overviewPage struct {
	frame
	Totals  store.BillerTotals
	Balance sdk.Money
	Late    sdk.Money
	Overdue []overdue
}

// overview is the first page after signing in.
func (s *Server) overview(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	f, err := s.frame(r, staff, "Overview", "overview")
	if err != nil {
		return err
	}
	totals, err := s.Store.Totals(r.Context(), staff.BillerID, f.Today)
	if err != nil {
		return err
	}
	late, err := s.Store.OverdueInvoices(r.Context(), staff.BillerID, f.Today, overviewRows)
	if err != nil {
		return err
	}
	p := overviewPage{
		frame: f, Totals: totals,
		Balance: sdk.Money{Minor: totals.OpenBalance, Currency: f.Biller.Currency},
		Late:    sdk.Money{Minor: totals.Overdue, Currency: f.Biller.Currency},
	}
	for _, inv := range late {
		c, err := s.Store.Customer(r.Context(), staff.BillerID, inv.CustomerID)
		if err != nil {
			return err
		}
		p.Overdue = append(p.Overdue, overdue{inv, c, int(f.Today.Sub(inv.DueOn).Hours() / 24)})
	}
	return s.pages.overview.Render(w, r, http.StatusOK, p)
}
