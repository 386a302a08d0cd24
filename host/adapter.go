package host

import (
	"context"

	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// tokens issues request tokens for pages.
type tokens struct{ services *services.Services }

var _ pages.Tokens = tokens{}

// Issue implements pages.Tokens.
func (t tokens) Issue(g pages.Grant) string {
	return t.services.IssueRequest(services.Grant{
		BillerID: g.Installation.BillerID, AddonID: g.AddonID, Permissions: g.Installation.Permissions, Viewer: g.Viewer,
		Public: g.Surface == wire.Public, RequestID: g.RequestID, RemoteIP: g.RemoteIP,
	})
}

// Revoke implements pages.Tokens.
func (t tokens) Revoke(token string) { t.services.Revoke(token) }

// client passes pages to running add-ons.
type client struct{ fleet *supervisor.Supervisor }

var _ pages.Client = client{}

// Serve implements pages.Client.
func (c client) Serve(ctx context.Context, addonID string, p wire.PageRequest, onHead wire.OnHead) error {
	running, release, err := c.fleet.Acquire(addonID)
	if err != nil {
		return err
	}
	defer release()
	return running.ServePage(ctx, p, onHead)
}
