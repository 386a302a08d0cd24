package services

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
)

type invoices struct{ bound }

var _ sdk.Invoices = invoices{}

// Invoice implements sdk.Invoices.
func (i invoices) Invoice(ctx context.Context, id string) (sdk.Invoice, error) {
	if err := i.allow(getInvoice); err != nil {
		return sdk.Invoice{}, err
	}
	return i.cfg.Platform.Invoice(ctx, i.grant.BillerID, id)
}

// ListInvoices implements sdk.Invoices.
func (i invoices) ListInvoices(ctx context.Context, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	if err := i.allow(listInvoices); err != nil {
		return sdk.InvoicePage{}, err
	}
	limit, err := pageLimit(q.Limit, 50, 200)
	if err != nil {
		return sdk.InvoicePage{}, err
	}
	q.Limit = limit
	return i.cfg.Platform.ListInvoices(ctx, i.grant.BillerID, q)
}
