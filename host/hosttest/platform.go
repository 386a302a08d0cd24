package hosttest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Platform is a billing platform of function fields. A nil one answers NotFound,
// or what its comment says.
type Platform struct {
	CustomerFn         func(ctx context.Context, biller, id string) (sdk.Customer, error)
	CustomersByEmailFn func(ctx context.Context, biller, email string) ([]sdk.Customer, error)
	ListCustomersFn    func(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error)
	InvoiceFn          func(ctx context.Context, biller, id string) (sdk.Invoice, error)
	ListInvoicesFn     func(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error)
	// BillerFn and BillerBySlugFn: the billers "northwind" and "southgate", whose
	// slugs are their ids.
	BillerFn       func(ctx context.Context, biller string) (sdk.Biller, error)
	BillerBySlugFn func(ctx context.Context, slug string) (sdk.Biller, error)
	// StaffWithFn: Dana, for northwind; else nobody.
	StaffWithFn func(ctx context.Context, biller, ability string) ([]addon.Staff, error)
	// RecordAuditFn: nothing is kept.
	RecordAuditFn func(ctx context.Context, biller string, r addon.AuditRecord) error
	// StaffFromFn: Dana of northwind, who may do everything; with the header
	// "Biller", of another biller; with "Signed-Out", nobody.
	StaffFromFn func(r *http.Request) (addon.Staff, error)
	// FrameFn: "[title|active]" and the body.
	FrameFn func(w http.ResponseWriter, r *http.Request, p addon.Page)
}

var _ host.Platform = (*Platform)(nil)

func missing(what string) error { return apperr.Errorf(apperr.NotFound, "There is no such %s.", what) }

// Customer implements host.Platform.
func (p *Platform) Customer(ctx context.Context, biller, id string) (sdk.Customer, error) {
	if p.CustomerFn == nil {
		return sdk.Customer{}, missing("customer")
	}
	return p.CustomerFn(ctx, biller, id)
}

// CustomersByEmail implements host.Platform.
func (p *Platform) CustomersByEmail(ctx context.Context, biller, email string) ([]sdk.Customer, error) {
	if p.CustomersByEmailFn == nil {
		return nil, nil
	}
	return p.CustomersByEmailFn(ctx, biller, email)
}

// ListCustomers implements host.Platform.
func (p *Platform) ListCustomers(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	if p.ListCustomersFn == nil {
		return sdk.CustomerPage{}, nil
	}
	return p.ListCustomersFn(ctx, biller, q)
}

// Invoice implements host.Platform.
func (p *Platform) Invoice(ctx context.Context, biller, id string) (sdk.Invoice, error) {
	if p.InvoiceFn == nil {
		return sdk.Invoice{}, missing("invoice")
	}
	return p.InvoiceFn(ctx, biller, id)
}

// ListInvoices implements host.Platform.
func (p *Platform) ListInvoices(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	if p.ListInvoicesFn == nil {
		return sdk.InvoicePage{}, nil
	}
	return p.ListInvoicesFn(ctx, biller, q)
}

// Biller implements host.Platform.
func (p *Platform) Biller(ctx context.Context, biller string) (sdk.Biller, error) {
	if p.BillerFn != nil {
		return p.BillerFn(ctx, biller)
	}
	if biller != "northwind" && biller != "southgate" {
		return sdk.Biller{}, missing("biller")
	}
	return sdk.Biller{
		ID: biller, Slug: biller, Name: biller + " Pool Service", Brand: "#0b6b8a", OnBrand: "#ffffff", Phone: "(727) 555-0142",
		Email: "office@" + biller + ".example", Locale: "en-US", TimeZone: "America/New_York", Currency: "USD", CustomerPath: "/admin/customers/{id}",
	}, nil
}

// BillerBySlug implements host.Platform.
func (p *Platform) BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error) {
	if p.BillerBySlugFn != nil {
		return p.BillerBySlugFn(ctx, slug)
	}
	return p.Biller(ctx, slug)
}

// StaffWith implements host.Platform.
func (p *Platform) StaffWith(ctx context.Context, biller, ability string) ([]addon.Staff, error) {
	if p.StaffWithFn != nil {
		return p.StaffWithFn(ctx, biller, ability)
	}
	if s := Dana(); s.BillerID == biller && s.Can(ability) {
		return []addon.Staff{s}, nil
	}
	return nil, nil
}

// RecordAudit implements host.Platform.
func (p *Platform) RecordAudit(ctx context.Context, biller string, r addon.AuditRecord) error {
	if p.RecordAuditFn == nil {
		return nil
	}
	return p.RecordAuditFn(ctx, biller, r)
}

// StaffFrom implements host.Platform.
func (p *Platform) StaffFrom(r *http.Request) (addon.Staff, error) {
	if p.StaffFromFn != nil {
		return p.StaffFromFn(r)
	}
	if r.Header.Get("Signed-Out") != "" {
		return addon.Staff{}, apperr.Errorf(apperr.Unauthenticated, "Please sign in.")
	}
	s := Dana()
	if b := r.Header.Get("Biller"); b != "" {
		s.BillerID = b
	}
	return s, nil
}

// Dana returns the staff user of northwind who may do everything.
func Dana() addon.Staff {
	return addon.Staff{
		ID: "dana", Name: "Dana Whitfield", Email: "dana@northwind.example", BillerID: "northwind",
		Abilities: []string{addon.AbilityInstall, addon.AbilityOperate, "staff:invite", "staff:configure", "staff:report"},
	}
}

// Frame implements host.Platform.
func (p *Platform) Frame(w http.ResponseWriter, r *http.Request, page addon.Page) {
	if p.FrameFn != nil {
		p.FrameFn(w, r, page)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(max(page.Status, http.StatusOK))
	// A write fails only when the browser has gone.
	_, _ = fmt.Fprintf(w, "[%s|%s]%s", page.Title, page.Active, page.Body)
}
