package services

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type invoices struct{ bound }

var _ sdk.Invoices = invoices{}

// Invoice implements sdk.Invoices.
func (i invoices) Invoice(ctx context.Context, id string) (sdk.Invoice, error) {
	if err := i.allow(ctx, getInvoice); err != nil {
		return sdk.Invoice{}, err
	}
	return i.cfg.Platform.Invoice(ctx, i.grant.BillerID, id)
}

// ListInvoices implements sdk.Invoices. It never lists those of all customers,
// whatever a platform would make of an empty id.
func (i invoices) ListInvoices(ctx context.Context, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	if err := i.allow(ctx, listInvoices); err != nil {
		return sdk.InvoicePage{}, err
	}
	if q.CustomerID == "" {
		return sdk.InvoicePage{}, apperr.Errorf(apperr.Invalid, "A list of invoices must name its customer.")
	}
	limit, err := pageLimit(q.Limit, 50, 200)
	if err != nil {
		return sdk.InvoicePage{}, err
	}
	q.Limit = limit
	return i.cfg.Platform.ListInvoices(ctx, i.grant.BillerID, q)
}
