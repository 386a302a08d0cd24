package web

import (
	"html/template"
	"net/http"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// invoicePage shows one invoice, read-only.
type invoicePage struct {
	portalPage
	Invoice   sdk.Invoice
	Heading   string
	Badges    []badge
	From, To  []string
	Lines     []invoiceLine
	Totals    []invoiceTotal
	Questions template.HTML
}

type invoiceLine struct{ Description, Detail, Quantity, Price, Amount string }

type invoiceTotal struct {
	Name, Amount string
	Final        bool
}

// invoice shows an invoice of a granted customer; any other is not there.
func (s *Web) invoice(v *visit) error {
	id := v.r.PathValue("id")
	if !portal.Knowable(id) {
		return s.nowhere(v)
	}
	inv, err := s.host.Invoices.Invoice(v.r.Context(), id)
	if err != nil {
		return err
	}
	grant, err := v.session.Customer(inv.CustomerID)
	if err != nil {
		return err
	}
	p := invoicePage{portalPage: v.portalPage(v.T("invoice.title", "Number", inv.Number), "true"), Invoice: inv}
	p.Profile = grant
	p.Heading = heading(p.frame, inv)
	p.Badges = invoiceBadges(v, inv)
	p.From = append(addressLines(p.Biller.Address), nonEmpty(p.Biller.Phone)...)
	p.To = append([]string{grant.Name}, addressLines(inv.BillTo)...)
	p.Lines = invoiceLines(p.frame, inv)
	p.Totals = invoiceTotals(p.frame, inv)
	p.Questions = v.ask("invoice.questions", "Number", inv.Number)
	return s.pages.invoice.Render(v.w, v.r, http.StatusOK, p)
}

func heading(f frame, inv sdk.Invoice) string {
	if inv.Title != "" {
		return inv.Title
	}
	return f.T("invoice.title", "Number", inv.Number)
}

func invoiceBadges(v *visit, inv sdk.Invoice) []badge {
	switch {
	case inv.Status == "void":
		return []badge{{"", "bar", v.T("invoice.badge.void")}}
	case inv.Status == "paid" || inv.Balance.Minor == 0:
		return []badge{{"good", "check", v.T("invoice.badge.paid")}}
	}
	out := []badge{dueBadge(v.Text, inv, v.Today(v.web.now()))}
	if inv.Paid.Minor > 0 {
		out = append(out, badge{"info", "halfdisc", v.T("invoice.badge.partly")})
	}
	return out
}

func invoiceLines(f frame, inv sdk.Invoice) []invoiceLine {
	var out []invoiceLine
	for _, l := range inv.Lines {
		out = append(out, invoiceLine{l.Description, l.Detail, f.Quantity(l.QuantityMilli), f.Money(l.UnitPrice), f.Money(l.Amount)})
	}
	return out
}

func invoiceTotals(f frame, inv sdk.Invoice) []invoiceTotal {
	out := []invoiceTotal{
		{Name: f.T("invoice.subtotal"), Amount: f.Money(inv.Subtotal)},
		{Name: f.T("invoice.tax"), Amount: f.Money(inv.Tax)},
		{Name: f.T("invoice.total"), Amount: f.Money(inv.Total)},
	}
	if inv.Tax.Minor == 0 {
		out = out[2:]
	}
	if inv.Paid.Minor != 0 {
		out = append(out, invoiceTotal{Name: f.T("invoice.paid"), Amount: "−" + f.Money(inv.Paid)})
	}
	return append(out, invoiceTotal{Name: f.T("invoice.balance"), Amount: f.Money(inv.Balance), Final: true})
}

func addressLines(a sdk.Address) []string {
	place := strings.TrimSpace(strings.Join(nonEmpty(a.State, a.Zip), " "))
	return nonEmpty(a.Street, strings.Join(nonEmpty(a.City, place), ", "), a.Country)
}

func nonEmpty(parts ...string) []string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}
