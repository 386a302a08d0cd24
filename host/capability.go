package host

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// visit is one call to an add-on's capability: for one biller, with a token that
// ends with it.
type visit struct {
	client *wire.Client
	call   sdk.Call
	token  string
}

// with calls f with a client of the add-on, for the biller. NotFound if the
// biller has not switched it on, Unavailable if it does not run now.
func (h *Host) with(ctx context.Context, biller, addonID, capability string, viewer sdk.Viewer, f func(visit) error) error {
	inst, err := h.store.Installation(ctx, biller, addonID)
	if err != nil {
		return err
	}
	m, ok := h.shelf.manifest(addonID)
	if inst.State != addon.Enabled || !ok || !m.HasCapability(capability) {
		return apperr.Errorf(apperr.NotFound, "This add-on is not installed or does not offer this.")
	}
	b, err := h.platform.Biller(ctx, biller)
	if err != nil {
		return fmt.Errorf("read biller: %w", err)
	}
	client, release, err := h.fleet.Acquire(addonID)
	if err != nil {
		return err
	}
	defer release()
	id := web.RequestID(ctx)
	if id == "" {
		id = telemetry.Job(ctx)
	}
	if id == "" {
		id = web.NewRequestID()
	}
	token := h.services.IssueRequest(services.Grant{
		BillerID: biller, AddonID: addonID, Permissions: inst.Permissions, Viewer: viewer,
		Public: capability == sdk.CapabilitySignUp, RequestID: id,
	})
	defer h.services.Revoke(token)
	return f(visit{client, h.call(b, addonID, viewer, id), token})
}

// call describes a call that no browser made.
func (h *Host) call(b sdk.Biller, addonID string, viewer sdk.Viewer, requestID string) sdk.Call {
	return sdk.Call{
		BillerID: b.ID, Viewer: viewer, Locale: b.Locale, BaseURL: h.config.PortalBaseURL,
		PortalURL: h.portalURL(b, addonID), RequestID: requestID,
	}
}

// portalURL returns where an add-on's public pages of a biller begin, or "".
func (h *Host) portalURL(b sdk.Biller, addonID string) string {
	m, ok := h.shelf.manifest(addonID)
	if !ok || m.Pages.Public.Prefix == "" {
		return ""
	}
	return h.config.PortalBaseURL + "/" + m.Pages.Public.Prefix + "/" + b.Slug
}

// staffURL returns where an add-on's staff pages begin, and the add-on's name.
func (h *Host) staffURL(addonID string) (url, name string) {
	name = addonID
	if m, ok := h.shelf.manifest(addonID); ok {
		name = m.Name
	}
	return h.config.BaseURL + h.pages.AddonPath(addonID), name
}

// Invite returns the add-on's Inviter for a staff user and the biller they work
// for. Each call of it is PermissionDenied without the ability staff:invite,
// NotFound if the biller has not installed the add-on.
func (h *Host) Invite(staff addon.Staff, addonID string) sdk.Inviter {
	return inviter{h, staff, addonID}
}

type inviter struct {
	host    *Host
	staff   addon.Staff
	addonID string
}

var _ sdk.Inviter = inviter{}

func (i inviter) with(ctx context.Context, f func(sdk.Inviter) error) error {
	if !i.staff.Can("staff:invite") {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to invite customers.")
	}
	return i.host.with(ctx, i.staff.BillerID, i.addonID, sdk.CapabilityInvite, i.host.viewer(i.staff, i.addonID), func(v visit) error {
		return f(v.client.Invite(v.call, v.token))
	})
}

// Send implements sdk.Inviter.
func (i inviter) Send(ctx context.Context, customerID string) (inv sdk.Invitation, err error) {
	err = i.with(ctx, func(c sdk.Inviter) (err error) { inv, err = c.Send(ctx, customerID); return err })
	return inv, err
}

// Resend implements sdk.Inviter.
func (i inviter) Resend(ctx context.Context, customerID string) (inv sdk.Invitation, err error) {
	err = i.with(ctx, func(c sdk.Inviter) (err error) { inv, err = c.Resend(ctx, customerID); return err })
	return inv, err
}

// Status implements sdk.Inviter.
func (i inviter) Status(ctx context.Context, customerID string) (s sdk.InvitationStatus, err error) {
	err = i.with(ctx, func(c sdk.Inviter) (err error) { s, err = c.Status(ctx, customerID); return err })
	return s, err
}

// Link implements sdk.Inviter.
func (i inviter) Link(ctx context.Context, customerID string) (link string, err error) {
	err = i.with(ctx, func(c sdk.Inviter) (err error) { link, err = c.Link(ctx, customerID); return err })
	return link, err
}

// Report returns the add-on's Reporter for a staff user and the biller they work
// for. PermissionDenied without the ability staff:report.
func (h *Host) Report(staff addon.Staff, addonID string) sdk.Reporter {
	return reporter{h, staff, addonID}
}

type reporter struct {
	host    *Host
	staff   addon.Staff
	addonID string
}

var _ sdk.Reporter = reporter{}

// Registrations implements sdk.Reporter.
func (r reporter) Registrations(ctx context.Context, q sdk.RegistrationQuery, send func(sdk.Registration) error) error {
	if !r.staff.Can("staff:report") {
		return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow you to see reports.")
	}
	return r.host.with(ctx, r.staff.BillerID, r.addonID, sdk.CapabilityReport, r.host.viewer(r.staff, r.addonID), func(v visit) error {
		return v.client.Report(v.call, v.token).Registrations(ctx, q, send)
	})
}
