package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Publish delivers an event to every add-on that the biller has switched on and
// that wants events. It returns nil only when all of them keep it: else deliver
// the same event again later, from an outbox; add-ons ignore what they have.
func (h *Host) Publish(ctx context.Context, biller string, e sdk.Event) error {
	installed, err := h.store.Installations(ctx, biller)
	if err != nil {
		return err
	}
	var errs []error
	for _, inst := range installed {
		if inst.State != addon.Enabled {
			continue
		}
		m, ok := h.shelf.manifest(inst.AddonID)
		if !ok {
			errs = append(errs, apperr.Errorf(apperr.Unavailable, "The add-on %s does not run.", inst.AddonID))
			continue
		}
		if !m.HasCapability(sdk.CapabilityEvents) {
			continue
		}
		err := h.with(ctx, biller, inst.AddonID, sdk.CapabilityEvents, sdk.Viewer{}, func(v visit) error {
			return v.client.HandleEvent(ctx, v.call, v.token, e)
		})
		if err != nil {
			errs = append(errs, fmt.Errorf("publish to %s: %w", inst.AddonID, err))
		}
	}
	return errors.Join(errs...)
}
