package sdk

import (
	"context"
	"time"
)

// Host is the client of the host's services. Which biller a call is about, and
// what it may do, follows from the context: a call made with the context of a
// request has the rights of that request, a job takes the context of
// Host.Billers.As. There is no parameter with which to name a biller.
//
// Errors are coded (package apperr): PermissionDenied without the permission
// named at each method, Unauthenticated with a context that carries no or an
// expired token, NotFound for a record of another biller, Unavailable when the
// platform cannot answer now.
type Host struct {
	Customers Customers
	Invoices  Invoices
	Mail      Mail
	Billers   Billers
	Staff     Staff
	Audit     Audit
}

// Customers reads the biller's customer records. Permission customers:read.
type Customers interface {
	// Customer returns one customer.
	Customer(ctx context.Context, id string) (Customer, error)
	// CustomersByEmail returns the customers that have exactly this address
	// after email.Normalize, archived ones left out; at most 100.
	CustomersByEmail(ctx context.Context, email string) ([]Customer, error)
	// ListCustomers returns a page of customers ordered by id, archived ones
	// included. Not on public requests: PermissionDenied there.
	ListCustomers(ctx context.Context, q CustomerQuery) (CustomerPage, error)
}

// Invoices reads the biller's invoices. Permission invoices:read. On public
// requests the add-on must have checked that its user may see the customer.
type Invoices interface {
	// Invoice returns one invoice with its lines.
	Invoice(ctx context.Context, id string) (Invoice, error)
	// ListInvoices returns a page of a customer's invoices without lines,
	// ordered by due date, then number.
	ListInvoices(ctx context.Context, q InvoiceQuery) (InvoicePage, error)
}

// Mail sends mail in the biller's name. Permission mail:send.
type Mail interface {
	// Send returns after the mail server accepted the mail, even when ctx ends
	// meanwhile. A second Send with the same idempotency key sends nothing and
	// reports the first result. Errors: Invalid for an address that no mail
	// server would take or a permanent refusal (5xx), Unavailable for what may
	// succeed later (4xx, no connection), TooManyRequests over the cap.
	Send(ctx context.Context, m Message) (MailResult, error)
	// Permit lets mails of kind "access" about a customer go to an address that
	// is not the customer's, for 90 days: put the answer into Message.Permit. Only
	// within a request of a staff user with the ability staff:invite, who decides
	// so; PermissionDenied otherwise. Invalid for what is no address, NotFound for
	// an unknown customer. The platform keeps an audit entry.
	Permit(ctx context.Context, customerID, to string) (permit string, err error)
}

// Billers tells about the biller of the context. Permission billers:read for
// Biller; As needs none.
type Billers interface {
	// Biller returns the biller's name, brand and contact.
	Biller(ctx context.Context) (Biller, error)
	// As returns ctx with the installation credential of a biller that enabled
	// the add-on, for jobs. NotFound if the biller has not, or no longer.
	As(ctx context.Context, billerID string) (context.Context, error)
	// Enabled lists the billers that have the add-on now.
	Enabled() []string
}

// Audit adds to the biller's audit log. Permission audit:write.
type Audit interface {
	// Write records one event. The host adds time, add-on, viewer and address.
	Write(ctx context.Context, e AuditEvent) error
}

// Customer is a record in the biller's books.
type Customer struct {
	ID string
	// Number is the account number that people know ("NW-1042"), may be empty.
	Number string
	// Name is the person or business billed; DisplayName what lists show.
	Name, DisplayName, Company string
	// Email as the biller typed it; may be empty.
	Email, Phone string
	Address      Address
	// ParentID is the customer this one is a sub-customer of, or empty.
	ParentID string
	Archived bool
	// Type is the biller's own word, for example "Residential"; may be empty.
	Type        string
	OpenBalance Money
	// Version grows with each change of the record; older events are ignored.
	Version int64
}

// Address is a postal address; every part may be empty.
type Address struct{ Street, City, State, Zip, Country string }

// Money is an amount in minor units (cents) of an ISO 4217 currency.
type Money struct {
	Minor    int64
	Currency string
}

// CustomerQuery asks for a page of customers.
type CustomerQuery struct {
	// Limit is 1 to 1,000; 0 means 100.
	Limit int
	// After is CustomerPage.Next of the page before, empty for the first.
	After string
}

// CustomerPage is a page of customers; Next is empty on the last.
type CustomerPage struct {
	Customers []Customer
	Next      string
}

// Invoice is a bill to one customer. Dates are calendar days at midnight UTC.
type Invoice struct {
	ID, Number, CustomerID string
	// Title is the first thing people read ("June weekly service").
	Title string
	// Status is "open", "paid" or "void".
	Status               string
	IssuedOn, DueOn      time.Time
	Subtotal, Tax, Total Money
	Paid, Balance        Money
	Memo                 string
	BillTo               Address
	Lines                []InvoiceLine
}

// InvoiceLine is one line of an invoice. Quantity is in thousandths.
type InvoiceLine struct {
	Description, Detail string
	QuantityMilli       int64
	UnitPrice, Amount   Money
}

// InvoiceQuery asks for a page of one customer's invoices.
type InvoiceQuery struct {
	CustomerID string
	// OpenOnly leaves out invoices whose balance is zero and void ones.
	OpenOnly bool
	// Limit is 1 to 200; 0 means 50.
	Limit int
	After string
}

// InvoicePage is a page of invoices; Next is empty on the last.
type InvoicePage struct {
	Invoices []Invoice
	Next     string
}

// Biller is the business the call belongs to.
type Biller struct {
	ID, Slug, Name string
	// Brand colours as #rrggbb; OnBrand is the text colour on Brand.
	Brand, OnBrand string
	// Contact, as customers see it. Hours is free text.
	Email, Phone, Hours string
	Address             Address
	// TimeZone is an IANA name, Locale a BCP 47 tag, Currency ISO 4217.
	TimeZone, Locale, Currency string
	// PortalURL is where the add-on's public pages of this biller begin,
	// without a trailing slash; empty if it has none.
	PortalURL string
	// CustomerPath is the path of the platform's own page of a customer, with
	// "{id}" in it, for links in staff pages; empty if it has none.
	CustomerPath string
}

// Message is one mail to one person. The host sets From, Reply-To, Date,
// Message-ID and the footer.
type Message struct {
	// Key is the idempotency key, 1 to 200 characters, unique per biller.
	Key string
	// To is one bare address. CustomerID names the customer it is about; empty
	// while the address is not yet tied to one.
	To, CustomerID string
	// Kind is a short word for lists and counts ("invitation").
	Kind    string
	Subject string
	Text    string
	HTML    string
	// Permit is what Mail.Permit answered for this customer and address, with the
	// kind "access"; else empty.
	Permit string
}

// MailResult says what became of a mail.
type MailResult struct {
	MessageID  string
	AcceptedAt time.Time
	// Response is the server's last line ("250 2.0.0 Ok").
	Response string
	// Repeated is true when the key was sent before.
	Repeated bool
}

// AuditEvent is something worth remembering. Never put a secret in it.
type AuditEvent struct {
	// Key makes a second writing of the same event a no-op, up to 200 characters,
	// unique per biller; empty for an event that is written once.
	Key string
	// Action in the form noun.verb: "invitation.sent".
	Action string
	// Object is the id of what it happened to, CustomerID the customer.
	Object, CustomerID string
	// PortalUser is the add-on's own word on who acted: a claim, not proof.
	PortalUser string
	Detail     map[string]string
}
