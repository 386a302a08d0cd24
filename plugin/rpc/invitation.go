package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Inviter implements sdk.Inviter.
type Inviter struct {
	Service *portal.Service
}

var _ sdk.Inviter = (*Inviter)(nil)

// Send implements sdk.Inviter.
func (i *Inviter) Send(ctx context.Context, customerID string) (sdk.Invitation, error) {
	c := caller.Of(sdk.CallFrom(ctx), "")
	inv, err := i.Service.Invite(ctx, c, customerID)
	if err != nil {
		return sdk.Invitation{}, err
	}
	return invitation(inv, portal.StatusQueued), nil
}

// Resend implements sdk.Inviter.
func (i *Inviter) Resend(ctx context.Context, customerID string) (sdk.Invitation, error) {
	c := caller.Of(sdk.CallFrom(ctx), "")
	view, err := i.Service.Customer(ctx, c, customerID)
	if err != nil {
		return sdk.Invitation{}, err
	}
	if view.Invitation == nil {
		return sdk.Invitation{}, apperr.Errorf(apperr.NotFound, "This customer was never invited.")
	}
	return i.Send(ctx, customerID)
}

// Status implements sdk.Inviter.
func (i *Inviter) Status(ctx context.Context, customerID string) (sdk.InvitationStatus, error) {
	c := caller.Of(sdk.CallFrom(ctx), "")
	view, err := i.Service.Customer(ctx, c, customerID)
	if err != nil {
		return sdk.InvitationStatus{}, err
	}
	out := sdk.InvitationStatus{CustomerID: customerID, Status: string(view.Status)}
	if view.Invitation != nil {
		out.Invitation = invitation(*view.Invitation, view.Status)
	}
	for _, e := range view.History {
		out.History = append(out.History, sdk.HistoryEntry{At: e.At, Kind: string(e.Kind), Detail: e.Detail, By: e.By})
	}
	return out, nil
}

// Link implements sdk.Inviter.
func (i *Inviter) Link(ctx context.Context, customerID string) (string, error) {
	c := caller.Of(sdk.CallFrom(ctx), "")
	return i.Service.Link(ctx, c, customerID)
}

func invitation(inv portal.Invitation, status portal.Status) sdk.Invitation {
	return sdk.Invitation{
		ID: inv.ID, CustomerID: inv.CustomerID, Email: inv.Email,
		Status: string(status), Generation: inv.Generation, ExpiresAt: inv.ExpiresAt,
	}
}
