package host

import (
	"context"
	"net/http"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
)

// Platform is what a billing platform implements to embed the host. Every
// method takes the biller from the host, which has checked that the caller may
// act for it; a record of another biller is apperr.NotFound.
//
// All methods are called concurrently. Errors are coded (package apperr); an
// uncoded one is answered as internal and logged.
type Platform interface {
	// Customer returns one customer.
	Customer(ctx context.Context, biller, id string) (sdk.Customer, error)
	// CustomersByEmail returns at most 100 customers, archived ones left out,
	// whose address equals email after email.Normalize.
	CustomersByEmail(ctx context.Context, biller, email string) ([]sdk.Customer, error)
	// ListCustomers returns a page ordered by id, archived ones included.
	ListCustomers(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error)
	// Invoice returns one invoice with its lines.
	Invoice(ctx context.Context, biller, id string) (sdk.Invoice, error)
	// ListInvoices returns a page of a customer's invoices without lines.
	ListInvoices(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error)

	// Biller returns the business. PortalURL is filled by the host.
	Biller(ctx context.Context, biller string) (sdk.Biller, error)
	// BillerBySlug finds the business by the name in its portal's path.
	BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error)

	// StaffWith returns the biller's staff who hold the ability and may sign in,
	// the longest-serving first, for mails: the host writes to the first twenty.
	StaffWith(ctx context.Context, biller, ability string) ([]addon.Staff, error)

	// RecordAudit appends to the biller's audit log. Of several records of an
	// add-on with one Key only the first is kept.
	RecordAudit(ctx context.Context, biller string, r addon.AuditRecord) error

	// StaffFrom returns who is signed in; apperr.Unauthenticated if nobody is.
	StaffFrom(r *http.Request) (addon.Staff, error)
	// Frame writes a page of the staff area around p.Body, status and headers
	// (Content-Security-Policy included) and all.
	Frame(w http.ResponseWriter, r *http.Request, p addon.Page)
}
