package services

import (
	"context"
	"slices"

	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// method is one call an add-on can make.
type method int

const (
	getCustomer method = iota
	findCustomers
	listCustomers
	getInvoice
	listInvoices
	sendMail
	permitMail
	getBiller
	notifyStaff
	writeAudit
)

// rule says what a method needs.
type rule struct {
	permission string
	// public tells whether the method may be called while a public request is
	// answered.
	public bool
}

// rules is the one table of who may call what.
func rules() map[method]rule {
	return map[method]rule{
		getCustomer:   {"customers:read", true},
		findCustomers: {"customers:read", true},
		listCustomers: {"customers:read", false},
		getInvoice:    {"invoices:read", true},
		listInvoices:  {"invoices:read", true},
		sendMail:      {"mail:send", true},
		permitMail:    {"mail:send", false},
		getBiller:     {"billers:read", true},
		notifyStaff:   {"staff:notify", false},
		writeAudit:    {"audit:write", true},
	}
}

// allow returns PermissionDenied unless the token may call the method, and
// TooManyRequests, with RetryAfter, while its installation calls too often.
func (b bound) allow(ctx context.Context, m method) error {
	if err := b.meter.count(b.grant.BillerID, b.grant.AddonID); err != nil {
		b.refused(ctx, refusal.Throttled, "calls")
		return err
	}
	r := rules()[m]
	if r.permission == "" || !slices.Contains(b.grant.Permissions, r.permission) {
		b.refused(ctx, refusal.Permission, r.permission)
		return apperr.Errorf(apperr.PermissionDenied, "The add-on was not given the permission %s.", r.permission)
	}
	if b.grant.Public && !r.public {
		b.refused(ctx, refusal.Permission, r.permission+" on a public page")
		return apperr.Errorf(apperr.PermissionDenied, "This is not possible while a public page is answered.")
	}
	return nil
}

// refused lists a call that was refused in the log.
func (b bound) refused(ctx context.Context, why, what string) {
	b.refusals.Refused(ctx, why, "what", what, "addon", b.grant.AddonID, "biller", b.grant.BillerID, "staff", b.grant.Viewer.StaffID)
}
