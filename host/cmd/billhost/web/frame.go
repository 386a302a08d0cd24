package web

import (
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// frame is what stands around every page.
type frame struct {
	Title  string
	Active string
	Static string
	// Staff is zero on pages for everybody, which have no navigation.
	Staff  books.Staff
	Biller sdk.Biller
	Nav    []addon.SlotView
	Today  time.Time
}

// CanEdit tells whether the person may change customers.
func (f frame) CanEdit() bool { return f.Staff.Role.CanEdit() }

// CanAudit tells whether the person may look at the audit.
func (f frame) CanAudit() bool { return f.Staff.Role.CanAudit() }

// hostPage is a page of the host in the frame.
type hostPage struct {
	frame
	Body template.HTML
}

// problemPage says what went wrong.
type problemPage struct {
	frame
	sdkweb.Problem
	// Retry offers to ask for the page again: not for a form, which would be lost.
	Retry bool
}

// Heading is the title of the problem in words.
func (p problemPage) Heading() string {
	switch p.Status {
	case http.StatusNotFound:
		return "This page is not here"
	case http.StatusForbidden:
		return "You may not do this"
	case http.StatusUnprocessableEntity, http.StatusConflict:
		return "This did not work"
	}
	return "Something went wrong"
}

// pages are all pages, parsed.
type pages struct {
	host         *sdkweb.Page[hostPage]
	problem      *sdkweb.Page[problemPage]
	overview     *sdkweb.Page[overviewPage]
	account      *sdkweb.Page[accountPage]
	customers    *sdkweb.Page[customersPage]
	customer     *sdkweb.Page[customerPage]
	customerForm *sdkweb.Page[customerFormPage]
	invoice      *sdkweb.Page[invoicePage]
	report       *sdkweb.Page[reportPage]
	audit        *sdkweb.Page[auditPage]

	signInForm   *sdkweb.Page[signInPage]
	signInForgot *sdkweb.Page[signInPage]
	signInSent   *sdkweb.Page[signInPage]
	signInAgain  *sdkweb.Page[signInPage]
	signInChoose *sdkweb.Page[signInPage]
	signInAsk    *sdkweb.Page[signInPage]
	signInDead   *sdkweb.Page[signInPage]
	outside      *sdkweb.Page[problemPage]
}

func newPages(files fs.FS) (pages, error) {
	funcs := template.FuncMap{"money": books.FormatMoney, "due": due, "quantity": quantity}
	inside, err := sdkweb.NewRenderer(sdkweb.RendererConfig{Files: files, Shared: []string{"layout.html", "part_*.html"}, Entry: "layout", Funcs: funcs})
	if err != nil {
		return pages{}, err
	}
	outside, err := sdkweb.NewRenderer(sdkweb.RendererConfig{Files: files, Shared: []string{"message.html"}, Entry: "layout", Funcs: funcs})
	if err != nil {
		return pages{}, err
	}
	var p pages
	return p, firstErr(
		parse(&p.host, inside, "host.html"),
		parse(&p.problem, inside, "problem.html"),
		parse(&p.overview, inside, "overview.html", overviewPage{}, overviewPage{Overdue: []overdue{{}}}),
		parse(&p.account, inside, "account.html", accountSamples()...),
		parse(&p.customers, inside, "customers.html", customersPage{}, customersPage{Customers: []sdk.Customer{{ParentID: "x", Email: "x"}}, Prev: "x", Next: "x"}),
		parse(&p.customer, inside, "customer.html", customerSamples()...),
		parse(&p.customerForm, inside, "customer_form.html", customerFormPage{Form: &sdkweb.Form{}}, customerFormPage{Form: &sdkweb.Form{Message: "x"}, ID: "x"}),
		parse(&p.invoice, inside, "invoice.html", invoicePage{}, invoicePage{Invoice: sdk.Invoice{Lines: []sdk.InvoiceLine{{Detail: "x"}}, Memo: "x", Paid: sdk.Money{Minor: 1}}}),
		parse(&p.report, inside, "report.html", reportPage{}, reportPage{Sections: []section{{}}}),
		parse(&p.audit, inside, "audit.html", auditSamples()...),
		parse(&p.signInForm, outside, "sign_in.html", signInSamples()...),
		parse(&p.signInForgot, outside, "sign_in_forgot.html", signInSamples()...),
		parse(&p.signInSent, outside, "sign_in_sent.html", signInSamples()...),
		parse(&p.signInAgain, outside, "sign_in_again.html", signInSamples()...),
		parse(&p.signInChoose, outside, "sign_in_choose.html", signInSamples()...),
		parse(&p.signInAsk, outside, "sign_in_ask.html"),
		parse(&p.signInDead, outside, "sign_in_dead.html"),
		parse(&p.outside, outside, "problem.html"),
	)
}

func parse[T any](into **sdkweb.Page[T], r *sdkweb.Renderer, file string, samples ...T) (err error) {
	*into, err = sdkweb.NewPage(r, file, samples...)
	return err
}

func firstErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// frame gathers what stands around a page for a signed-in person.
func (s *Server) frame(r *http.Request, staff books.Staff, title, active string) (frame, error) {
	biller, err := s.Store.Biller(r.Context(), staff.BillerID)
	if err != nil {
		return frame{}, err
	}
	nav, err := s.addons.Slots(r.Context(), staff.Addon(), addon.SlotNav)
	if err != nil {
		return frame{}, fmt.Errorf("list navigation: %w", err)
	}
	return frame{Title: title, Active: active, Static: s.static, Staff: staff, Biller: biller, Nav: nav, Today: s.today(biller)}, nil
}

// today is the biller's calendar day, at midnight UTC.
func (s *Server) today(b sdk.Biller) time.Time {
	zone, err := time.LoadLocation(b.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	y, m, d := s.Now().In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Frame writes a page of the host inside the platform's frame.
func (s *Server) Frame(w http.ResponseWriter, r *http.Request, p addon.Page) {
	s.page(func(w http.ResponseWriter, r *http.Request) error {
		staff, err := s.session(r)
		if err != nil {
			return err
		}
		f, err := s.frame(r, staff, p.Title, p.Active)
		if err != nil {
			return err
		}
		status := p.Status
		if status == 0 {
			status = http.StatusOK
		}
		if p.Refused != "" {
			if err := s.Store.RecordRefusal(r.Context(), staff, p.Refused, r.Method+" "+p.Active); err != nil {
				return err
			}
		}
		return s.pages.host.Render(w, r, status, hostPage{frame: f, Body: p.Body})
	}).ServeHTTP(w, r)
}

// problem draws an error, in the frame if somebody is signed in.
func (s *Server) problem(w http.ResponseWriter, r *http.Request, p sdkweb.Problem) {
	s.setHeaders(w)
	data := problemPage{frame: frame{Title: "Problem", Static: s.static}, Problem: p, Retry: p.Status >= 500 && r.Method == http.MethodGet}
	render := s.pages.outside.Render
	if staff, err := s.session(r); err == nil {
		if f, err := s.frame(r, staff, data.Heading(), ""); err == nil {
			data.frame, render = f, s.pages.problem.Render
		}
	}
	data.Title = data.Heading()
	if err := render(w, r, p.Status, data); err != nil {
		s.Log.ErrorContext(r.Context(), "error page failed", "error", err.Error())
		http.Error(w, apperr.GenericMessage, http.StatusInternalServerError)
	}
}
