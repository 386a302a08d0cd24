package sdktest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Northwind is the id of the biller that every new Host has.
const Northwind = "northwind"

// Host is a fake platform in memory. A function field that is set answers in
// place of the default; set it before the add-on starts. Rights are kept as a
// real host keeps them: no token no answer, one biller's token one biller's
// data, and no lists of customers on public calls.
type Host struct {
	// CustomerFn answers Customers.Customer.
	CustomerFn func(ctx context.Context, biller, id string) (sdk.Customer, error)
	// CustomersByEmailFn answers Customers.CustomersByEmail.
	CustomersByEmailFn func(ctx context.Context, biller, email string) ([]sdk.Customer, error)
	// ListCustomersFn answers Customers.ListCustomers.
	ListCustomersFn func(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error)
	// InvoiceFn answers Invoices.Invoice.
	InvoiceFn func(ctx context.Context, biller, id string) (sdk.Invoice, error)
	// ListInvoicesFn answers Invoices.ListInvoices.
	ListInvoicesFn func(ctx context.Context, biller string, q sdk.InvoiceQuery) (sdk.InvoicePage, error)
	// BillerFn answers Billers.Biller.
	BillerFn func(ctx context.Context, biller string) (sdk.Biller, error)
	// SendFn answers Mail.Send; mails it takes are not in Mails.
	SendFn func(ctx context.Context, biller string, m sdk.Message) (sdk.MailResult, error)
	// NotifyFn answers Staff.Notify; notices it takes are not in Notices.
	NotifyFn func(ctx context.Context, biller string, n sdk.StaffNotice) (told int, err error)
	// AuditFn answers Audit.Write; events it takes are not in Audits.
	AuditFn func(ctx context.Context, biller string, e sdk.AuditEvent) error

	// Permissions are the granted ones; nil grants all.
	Permissions []string

	mu        sync.Mutex
	tokens    map[string]grant
	minted    int
	billers   map[string]sdk.Biller
	customers map[string][]sdk.Customer
	invoices  map[string][]sdk.Invoice
	mails     []Mail
	audits    []Audit
	notices   []Notice
	refused   []string
	settings  settingsBook
	// badNotices say why notices were refused, for the conformance kit.
	badNotices []error
}

var _ wire.Services = (*Host)(nil)

// Mail is a mail that the host took, with its biller.
type Mail struct {
	Biller string
	sdk.Message
	Result sdk.MailResult
}

// Audit is an entry of the audit log.
type Audit struct {
	Biller  string
	StaffID string
	sdk.AuditEvent
}

// grant is what a token stands for.
type grant struct {
	call         sdk.Call
	installation bool
}

// NewHost returns a host with the biller Northwind and no customers.
func NewHost() *Host {
	h := &Host{
		tokens:    map[string]grant{},
		billers:   map[string]sdk.Biller{},
		customers: map[string][]sdk.Customer{},
		invoices:  map[string][]sdk.Invoice{},
	}
	h.AddBiller(firstBiller())
	return h
}

func firstBiller() sdk.Biller {
	return sdk.Biller{
		ID:           Northwind,
		Slug:         Northwind,
		Name:         "Northwind Utilities",
		Brand:        "#1d4ed8",
		OnBrand:      "#ffffff",
		Email:        "billing@northwind.example",
		Phone:        "+1 555 0100",
		Hours:        "Mon–Fri 8–5",
		TimeZone:     "America/New_York",
		Locale:       "en-US",
		Currency:     "USD",
		PortalURL:    "http://portal.test/portal/" + Northwind,
		CustomerPath: "/admin/customers/{id}",
	}
}

// AddBiller adds a biller or replaces the one with its id.
func (h *Host) AddBiller(b sdk.Biller) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.billers[b.ID] = b
}

// AddCustomer adds a customer of the biller or replaces the one with its id.
func (h *Host) AddCustomer(biller string, c sdk.Customer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := slices.DeleteFunc(h.customers[biller], func(o sdk.Customer) bool { return o.ID == c.ID })
	list = append(list, c)
	slices.SortFunc(list, func(a, b sdk.Customer) int { return strings.Compare(a.ID, b.ID) })
	h.customers[biller] = list
}

// AddInvoice adds an invoice of the biller.
func (h *Host) AddInvoice(biller string, i sdk.Invoice) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.invoices[biller] = append(h.invoices[biller], i)
}

// Mails are the mails sent so far, oldest first.
func (h *Host) Mails() []Mail {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.mails)
}

// Audits are the audit entries so far, oldest first.
func (h *Host) Audits() []Audit {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.audits)
}

// Refused are the permissions that the add-on has used without holding them, in
// the order of their first use.
func (h *Host) Refused() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.refused)
}

// Token mints a request token for the call.
func (h *Host) Token(call sdk.Call) string { return h.mint(grant{call: call}) }

// Credential mints an installation credential for the call's biller.
func (h *Host) Credential(call sdk.Call) string { return h.mint(grant{call: call, installation: true}) }

func (h *Host) mint(g grant) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.minted++
	token := fmt.Sprintf("token-%d", h.minted)
	h.tokens[token] = g
	return token
}

// Revoke makes a token worthless.
func (h *Host) Revoke(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tokens, token)
}

// For resolves a token, as wire.Services asks for.
func (h *Host) For(_ context.Context, token string) (sdk.Host, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	g, ok := h.tokens[token]
	if !ok {
		return sdk.Host{}, apperr.Errorf(apperr.Unauthenticated, "The token is unknown or has expired.")
	}
	s := &services{host: h, grant: g, biller: g.call.BillerID}
	return sdk.Host{Customers: s, Invoices: s, Mail: s, Billers: s, Staff: s, Audit: s}, nil
}

// services are the host's services bound to one token.
type services struct {
	host   *Host
	grant  grant
	biller string
}

func (s *services) need(permission string) error {
	if s.host.Permissions == nil || slices.Contains(s.host.Permissions, permission) {
		return nil
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if !slices.Contains(s.host.refused, permission) {
		s.host.refused = append(s.host.refused, permission)
	}
	return apperr.Errorf(apperr.PermissionDenied, "The add-on may not do this: %s was not granted.", permission)
}

func (s *services) Customer(ctx context.Context, id string) (sdk.Customer, error) {
	if err := s.need("customers:read"); err != nil {
		return sdk.Customer{}, err
	}
	if s.host.CustomerFn != nil {
		return s.host.CustomerFn(ctx, s.biller, id)
	}
	for _, c := range s.customers() {
		if c.ID == id {
			return c, nil
		}
	}
	return sdk.Customer{}, apperr.Errorf(apperr.NotFound, "There is no such customer.")
}

func (s *services) customers() []sdk.Customer {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	return slices.Clone(s.host.customers[s.biller])
}

func (s *services) CustomersByEmail(ctx context.Context, addr string) ([]sdk.Customer, error) {
	if err := s.need("customers:read"); err != nil {
		return nil, err
	}
	if s.host.CustomersByEmailFn != nil {
		return s.host.CustomersByEmailFn(ctx, s.biller, addr)
	}
	want, err := email.Normalize(addr)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(s.customers(), func(c sdk.Customer) bool {
		got, err := email.Normalize(c.Email)
		return err != nil || got != want || c.Archived
	}), nil
}

func (s *services) ListCustomers(ctx context.Context, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	if err := s.need("customers:read"); err != nil {
		return sdk.CustomerPage{}, err
	}
	if !s.grant.installation && !s.grant.call.Viewer.IsStaff() {
		return sdk.CustomerPage{}, apperr.Errorf(apperr.PermissionDenied, "Customers cannot be listed on a public page.")
	}
	if s.host.ListCustomersFn != nil {
		return s.host.ListCustomersFn(ctx, s.biller, q)
	}
	list := slices.DeleteFunc(s.customers(), func(c sdk.Customer) bool { return c.ID <= q.After })
	page := sdk.CustomerPage{Customers: list}
	if limit := orDefault(q.Limit, 100); len(list) > limit {
		page.Customers = list[:limit]
		page.Next = list[limit-1].ID
	}
	return page, nil
}

func (s *services) Invoice(ctx context.Context, id string) (sdk.Invoice, error) {
	if err := s.need("invoices:read"); err != nil {
		return sdk.Invoice{}, err
	}
	if s.host.InvoiceFn != nil {
		return s.host.InvoiceFn(ctx, s.biller, id)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	for _, i := range s.host.invoices[s.biller] {
		if i.ID == id {
			return i, nil
		}
	}
	return sdk.Invoice{}, apperr.Errorf(apperr.NotFound, "There is no such invoice.")
}

func (s *services) ListInvoices(ctx context.Context, q sdk.InvoiceQuery) (sdk.InvoicePage, error) {
	if err := s.need("invoices:read"); err != nil {
		return sdk.InvoicePage{}, err
	}
	if s.host.ListInvoicesFn != nil {
		return s.host.ListInvoicesFn(ctx, s.biller, q)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	return pageOfInvoices(s.host.invoices[s.biller], q), nil
}

func pageOfInvoices(all []sdk.Invoice, q sdk.InvoiceQuery) sdk.InvoicePage {
	var page sdk.InvoicePage
	key := func(i sdk.Invoice) string { return i.DueOn.UTC().Format(time.DateOnly) + "/" + i.Number }
	for _, i := range all {
		if i.CustomerID != q.CustomerID || q.OpenOnly && (i.Status == "void" || i.Balance.Minor == 0) {
			continue
		}
		if key(i) > q.After {
			i.Lines = nil
			page.Invoices = append(page.Invoices, i)
		}
	}
	slices.SortFunc(page.Invoices, func(a, b sdk.Invoice) int { return strings.Compare(key(a), key(b)) })
	if limit := orDefault(q.Limit, 50); len(page.Invoices) > limit {
		page.Invoices = page.Invoices[:limit]
		page.Next = key(page.Invoices[limit-1])
	}
	return page
}

func orDefault(n, otherwise int) int {
	if n <= 0 {
		return otherwise
	}
	return n
}

func (s *services) Biller(ctx context.Context) (sdk.Biller, error) {
	if err := s.need("billers:read"); err != nil {
		return sdk.Biller{}, err
	}
	if s.host.BillerFn != nil {
		return s.host.BillerFn(ctx, s.biller)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	b, ok := s.host.billers[s.biller]
	if !ok {
		return sdk.Biller{}, apperr.Errorf(apperr.NotFound, "There is no such biller.")
	}
	return b, nil
}

// As is answered on the add-on's side.
func (s *services) As(context.Context, string) (context.Context, error) {
	return nil, apperr.Errorf(apperr.Internal, "not a host call")
}

// Enabled is answered on the add-on's side.
func (s *services) Enabled() []string { return nil }

func (s *services) Write(ctx context.Context, e sdk.AuditEvent) error {
	if err := s.need("audit:write"); err != nil {
		return err
	}
	if s.host.AuditFn != nil {
		return s.host.AuditFn(ctx, s.biller, e)
	}
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if e.Key != "" && slices.ContainsFunc(s.host.audits, func(a Audit) bool { return a.Biller == s.biller && a.Key == e.Key }) {
		return nil
	}
	s.host.audits = append(s.host.audits, Audit{Biller: s.biller, StaffID: s.grant.call.Viewer.StaffID, AuditEvent: e})
	return nil
}
