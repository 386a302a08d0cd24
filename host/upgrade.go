package host

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Upgrade makes another offered version of an add-on the one that the platform
// wants to run; an empty version means the newest that this host can run. It is for the operator, works
// without Run and does not wait: running hosts fetch it, start it beside the
// version that serves, prove that it can serve, and switch. Addons tells what
// became of it. A version whose trial or probation fails is refused, and the one
// before serves on; if that was withdrawn from the marketplace after the switch, the
// platform does not return to it by itself.
//
// Billers keep what they agreed to: a version that asks for more permissions does
// without them until their staff agree.
//
// seen is the digest of the version that the operator saw run, so that an old page
// cannot undo what somebody else chose; empty means whichever. Wanting once more
// what is wanted changes nothing, and wanting what runs takes back what was wanted
// before. Changes are kept in the operators' audit.
//
// PermissionDenied without the ability addons:operate, NotFound if the version is
// not offered or the platform does not run the add-on, Invalid if the version needs
// another host or processor, Conflict if another version runs than seen.
func (h *Host) Upgrade(ctx context.Context, by addon.Staff, addonID, version, seen string) error {
	if err := mayOperate(by); err != nil {
		return err
	}
	a, err := h.store.ActiveOf(ctx, addonID)
	if err != nil {
		return err
	}
	offer, err := findFitting(ctx, h.config.Marketplace, addonID, version)
	if err != nil {
		return err
	}
	v := addon.Version{Version: offer.Manifest.Version, Digest: offer.Digest}
	return h.want(ctx, seen, v, operation(by, addon.ActionUpgrade, addonID, a.Version, v.Version))
}

// Rollback makes the version before the current one the wanted version, on the
// same path and with the same rules as Upgrade. Conflict if no version before is
// kept, or it is newer than the one that runs: a second rollback does not lead to
// where the first one came from. Invalid if the version was withdrawn from the
// marketplace: see RollbackWithdrawn.
func (h *Host) Rollback(ctx context.Context, by addon.Staff, addonID, seen string) error {
	return h.rollback(ctx, by, addonID, seen, false)
}

// RollbackWithdrawn is Rollback for an operator who has confirmed that the version
// shall run again although it was withdrawn.
func (h *Host) RollbackWithdrawn(ctx context.Context, by addon.Staff, addonID, seen string) error {
	return h.rollback(ctx, by, addonID, seen, true)
}

func (h *Host) rollback(ctx context.Context, by addon.Staff, addonID, seen string, confirmed bool) error {
	if err := mayOperate(by); err != nil {
		return err
	}
	a, err := h.store.ActiveOf(ctx, addonID)
	if err != nil {
		return err
	}
	if seen != "" && a.Digest != seen {
		return apperr.Errorf(apperr.Conflict, "Another version runs by now. Look again before you choose.")
	}
	if a.Previous.Digest == "" {
		return apperr.Errorf(apperr.Conflict, "No version before %s is kept.", a.Version)
	}
	if err := h.mayReturn(ctx, a, confirmed); err != nil {
		return err
	}
	return h.want(ctx, a.Digest, a.Previous, operation(by, addon.ActionRollback, addonID, a.Version, a.Previous.Version))
}

func (h *Host) want(ctx context.Context, seen string, v addon.Version, o addon.Operation) error {
	done, err := h.store.WantFrom(ctx, seen, v, o)
	if err != nil {
		return err
	}
	if done {
		h.config.Log.InfoContext(ctx, "another version is wanted", "addon", o.AddonID, "from", o.From, "to", o.To, "by", o.StaffID)
	}
	h.fleet.Wake()
	return nil
}

// Retry makes running hosts start an add-on at once that rests after a failure or
// is broken. It is kept in the operators' audit. PermissionDenied without the
// ability addons:operate, NotFound if the platform does not run the add-on.
func (h *Host) Retry(ctx context.Context, by addon.Staff, addonID string) error {
	if err := mayOperate(by); err != nil {
		return err
	}
	if err := h.store.Retry(ctx, operation(by, addon.ActionRetry, addonID, "", "")); err != nil {
		return err
	}
	h.fleet.Wake()
	return nil
}

// findOffer returns an offered version; an empty one means the newest. NotFound if
// it is not offered, or was withdrawn.
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
	known, err := from.Look(ctx)
	if err != nil {
		return marketplace.Offer{}, fmt.Errorf("look at the marketplace: %w", err)
	}
	return marketplace.Offer{}, known.Missing(id, version)
}
