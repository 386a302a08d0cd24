// Package rpc offers the portal's use-cases to platforms that call them without
// pages: the capabilities invite, signup, report and events, and the hooks of
// billers. Each adapter turns sdk's types into the portal's and back.
package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// need returns the caller of ctx if it is staff with the ability.
func need(ctx context.Context, ability string) (portal.Caller, error) {
	c := caller.Of(sdk.CallFrom(ctx), "")
	if !c.Can(ability) {
		return portal.Caller{}, apperr.Errorf(apperr.PermissionDenied, "Your role does not allow this.")
	}
	return c, nil
}
