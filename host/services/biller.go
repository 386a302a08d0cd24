package services

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type billers struct{ bound }

var _ sdk.Billers = billers{}

// Biller implements sdk.Billers.
func (b billers) Biller(ctx context.Context) (sdk.Biller, error) {
	if err := b.allow(ctx, getBiller); err != nil {
		return sdk.Biller{}, err
	}
	return b.biller(ctx)
}

// biller returns the biller of the token, whatever the permissions.
func (b bound) biller(ctx context.Context) (sdk.Biller, error) {
	found, err := b.cfg.Platform.Biller(ctx, b.grant.BillerID)
	if err != nil {
		return sdk.Biller{}, err
	}
	found.PortalURL = b.cfg.PortalURL(found, b.grant.AddonID)
	return found, nil
}

// As implements sdk.Billers. The SDK answers it in the add-on's own process.
func (billers) As(context.Context, string) (context.Context, error) {
	return nil, apperr.Errorf(apperr.Unavailable, "The platform does not offer this service.")
}

// Enabled implements sdk.Billers. The SDK answers it in the add-on's own process.
func (billers) Enabled() []string { return nil }
