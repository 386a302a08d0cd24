package web

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

const (
	listRows = 50
	// longestSearch is in characters.
	longestSearch = 200
	invoiceRows   = 50
)

type customersPage struct {
	frame
	Search string
	// Searched is what the search was taken for, where that is not what was typed;
	// TooLong that it was not made.
	Searched  string
	TooLong   bool
	Archived  bool
	Customers []sdk.Customer
	// First and Total tell where the page stands in the whole list.
	First, Total int
	// Prev and Next are the addresses of the pages around this one.
	Prev, Next string
}

// Last is the place of the last customer of the page.
func (p customersPage) Last() int { return p.First + len(p.Customers) - 1 }

// customerList is the list with its search.
func (s *Server) customerList(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	filter := books.CustomerFilter{
		Search:   sdkweb.QueryValue(r, "q"),
		Archived: sdkweb.QueryValue(r, "show") == "archived",
		After:    sdkweb.QueryValue(r, "after"),
		Before:   sdkweb.QueryValue(r, "before"),
		Limit:    listRows,
	}
	f, err := s.frame(r, staff, "Customers", "customers")
	if err != nil {
		return err
	}
	if utf8.RuneCountInString(strings.TrimSpace(r.URL.Query().Get("q"))) > longestSearch {
		return s.pages.customers.Render(w, r, http.StatusUnprocessableEntity, customersPage{frame: f, TooLong: true, Archived: filter.Archived})
	}
	list, err := s.Store.FindCustomers(r.Context(), staff.BillerID, filter)
	if err != nil {
		return err
	}
	p := customersPage{frame: f, Search: filter.Search, Archived: filter.Archived, Customers: list.Customers, First: list.First, Total: list.Total}
	if read := strings.Join(list.Searched, " "); read != strings.ToLower(strings.Join(strings.Fields(filter.Search), " ")) {
		p.Searched = read
	}
	if list.Prev != "" {
		p.Prev = "?" + otherPage(r.URL.Query(), "before", list.Prev)
	}
	if list.Next != "" {
		p.Next = "?" + otherPage(r.URL.Query(), "after", list.Next)
	}
	return s.pages.customers.Render(w, r, http.StatusOK, p)
}

// otherPage is the query of the same list, one page on ("after") or back
// ("before").
func otherPage(query url.Values, way, cursor string) string {
	query.Del("after")
	query.Del("before")
	query.Set(way, cursor)
	return query.Encode()
}

// tab is one page of a customer.
type tab struct {
	Href, Title string
	Current     bool
}

type customerPage struct {
	frame
	Customer sdk.Customer
	Parent   sdk.Customer
	Subs     []sdk.Customer
	Tabs     []tab
	// Tab is "", "invoices" or an add-on's id.
	Tab      string
	Invoices []sdk.Invoice
	Next     string
	Body     template.HTML
	Saved    bool
}

// HasAddress tells whether anything of the postal address is known.
func (p customerPage) HasAddress() bool { return p.Customer.Address != sdk.Address{} }

// customerSamples reach the branches of the template.
func customerSamples() []customerPage {
	c := sdk.Customer{ID: "x", Number: "x", Email: "x", Phone: "x", Company: "x", Archived: true, Address: sdk.Address{Street: "x"}}
	return []customerPage{
		{}, {Customer: c, Parent: c, Subs: []sdk.Customer{c}, Tabs: []tab{{}}, Saved: true},
		{Tab: "invoices"}, {Tab: "invoices", Invoices: []sdk.Invoice{{}}, Next: "x"}, {Tab: "addon", Body: "x"},
	}
}

// customer is a customer's page: overview, invoices, and a tab for each add-on.
func (s *Server) customer(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	c, err := s.Store.Customer(r.Context(), staff.BillerID, r.PathValue("id"))
	if err != nil {
		return err
	}
	views, err := s.addons.Slots(r.Context(), staff.Addon(), addon.SlotCustomerTab)
	if err != nil {
		return err
	}
	f, err := s.frame(r, staff, c.DisplayName, "customers")
	if err != nil {
		return err
	}
	p := customerPage{frame: f, Customer: c, Tab: r.URL.Query().Get("tab"), Saved: r.URL.Query().Get("saved") != ""}
	p.Tabs = tabs(c.ID, p.Tab, views)
	switch i := slices.IndexFunc(views, func(v addon.SlotView) bool { return v.AddonID == p.Tab }); {
	case i >= 0:
		p.Body = s.customerTab(r, staff, c.ID, views[i])
	case p.Tab == "invoices":
		err = s.customerInvoices(r, staff, &p)
	case p.Tab == "":
		err = s.customerFamily(r, staff, &p)
	default:
		err = s.closedTab(r, staff, p.Tab)
	}
	if err != nil {
		return err
	}
	return s.pages.customer.Render(w, r, http.StatusOK, p)
}

// closedTab is why a tab is not there: PermissionDenied, and kept as refused, for
// one that is open to other roles, else NotFound.
func (s *Server) closedTab(r *http.Request, staff books.Staff, tab string) error {
	most := staff.Addon()
	most.Abilities = books.Operator.Abilities()
	views, err := s.addons.Slots(r.Context(), most, addon.SlotCustomerTab)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(views, func(v addon.SlotView) bool { return v.AddonID == tab }) {
		return s.check(r, staff, need{func(books.Role) bool { return false }, "Your role does not allow you to look at this tab. Ask an owner."})
	}
	return apperr.Errorf(apperr.NotFound, noPage)
}

func tabs(id, current string, views []addon.SlotView) []tab {
	base := "/admin/customers/" + id
	out := []tab{
		{base, "Overview", current == ""},
		{base + "?tab=invoices", "Invoices", current == "invoices"},
	}
	for _, v := range views {
		out = append(out, tab{base + "?tab=" + url.QueryEscape(v.AddonID), v.Title, current == v.AddonID})
	}
	return out
}

// customerTab draws an add-on's tab. The page's own query goes along, so that
// notices after a redirect arrive; which customer it is says the path alone.
func (s *Server) customerTab(r *http.Request, staff books.Staff, id string, v addon.SlotView) template.HTML {
	params := r.URL.Query()
	params.Del("tab")
	params.Set("customer", id)
	body, err := s.addons.Draw(r, staff.Addon(), v, params)
	if err != nil {
		s.logDraw(r, v, err)
	}
	return body
}

func (s *Server) customerInvoices(r *http.Request, staff books.Staff, p *customerPage) error {
	page, err := s.Store.ListInvoices(r.Context(), staff.BillerID, sdk.InvoiceQuery{
		CustomerID: p.Customer.ID, Limit: invoiceRows, After: sdkweb.QueryValue(r, "after"),
	})
	if err != nil {
		return err
	}
	p.Invoices = page.Invoices
	if page.Next != "" {
		p.Next = "?" + otherPage(r.URL.Query(), "after", page.Next)
	}
	return nil
}

func (s *Server) customerFamily(r *http.Request, staff books.Staff, p *customerPage) (err error) {
	if p.Customer.ParentID != "" {
		if p.Parent, err = s.Store.Customer(r.Context(), staff.BillerID, p.Customer.ParentID); err != nil {
			return err
		}
	}
	p.Subs, err = s.Store.SubCustomers(r.Context(), staff.BillerID, p.Customer.ID)
	return err
}
