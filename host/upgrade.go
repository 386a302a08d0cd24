package host

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Upgrade makes another offered version of an add-on the one that the platform
// wants to run; an empty version means the newest. It is for the operator, works
// without Run and does not wait: running hosts fetch it, start it beside the
// version that serves, prove that it can serve, and switch. Addons tells what
// became of it. A version whose trial or probation fails is refused, and the one
// before serves on.
//
// Billers keep what they agreed to: a version that asks for more permissions does
// without them until their staff agree.
//
// NotFound if the version is not offered or the platform does not run the add-on,
// Invalid if the version needs another host. Wanting what runs takes back what
// was wanted before.
func (h *Host) Upgrade(ctx context.Context, addonID, version string) error {
	a, err := h.store.ActiveOf(ctx, addonID)
	if err != nil {
		return err
	}
	offer, err := findOffer(ctx, h.config.Marketplace, addonID, version)
	if err != nil {
		return err
	}
	m := offer.Manifest
	if !m.AcceptsHost(wire.SDKVersion) {
		return apperr.Errorf(apperr.Invalid, "%s %s needs a host of version %s; this one is %s.", m.Name, m.Version, m.Host, wire.SDKVersion)
	}
	return h.want(ctx, a, addon.Version{Version: m.Version, Digest: offer.Digest})
}

// Rollback makes the version before the current one the wanted version, on the
// same path as Upgrade. NotFound if the platform does not run the add-on; Conflict
// if no version before is kept.
func (h *Host) Rollback(ctx context.Context, addonID string) error {
	a, err := h.store.ActiveOf(ctx, addonID)
	if err != nil {
		return err
	}
	if a.Previous.Digest == "" {
		return apperr.Errorf(apperr.Conflict, "No version before %s is kept.", a.Version)
	}
	return h.want(ctx, a, a.Previous)
}

func (h *Host) want(ctx context.Context, a addon.Active, v addon.Version) error {
	if err := h.store.Want(ctx, a.AddonID, v); err != nil {
		return err
	}
	h.config.Log.InfoContext(ctx, "another version is wanted", "addon", a.AddonID, "from", a.Version, "to", v.Version)
	h.fleet.Wake()
	return nil
}

// Retry makes running hosts start an add-on at once that rests after a failure or
// is broken. It is for the operator. NotFound if the platform does not run it.
func (h *Host) Retry(ctx context.Context, addonID string) error {
	if err := h.store.Retry(ctx, addonID); err != nil {
		return err
	}
	h.fleet.Wake()
	return nil
}

// findOffer returns an offered version; an empty one means the newest.
func findOffer(ctx context.Context, from marketplace.Source, id, version string) (marketplace.Offer, error) {
	offers, err := from.List(ctx)
	if err != nil {
		return marketplace.Offer{}, fmt.Errorf("list offers: %w", err)
	}
	for _, o := range offers {
		if o.Manifest.ID == id && (version == "" || o.Manifest.Version == version) {
			return o, nil
		}
	}
	if version == "" {
		return marketplace.Offer{}, apperr.Errorf(apperr.NotFound, "The marketplace does not offer %s.", id)
	}
	return marketplace.Offer{}, apperr.Errorf(apperr.NotFound, "The marketplace does not offer %s %s.", id, version)
}
