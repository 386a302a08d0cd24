package host

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// withdrawn tells when a version was withdrawn; zero if it was not.
func withdrawn(known marketplace.Listing, addonID, version string) time.Time {
	for _, w := range known.Withdrawn {
		if w.ID == addonID && w.Version == version {
			return w.At
		}
	}
	return time.Time{}
}

// known is what the marketplace says just now, as far as it can be had.
func (h *Host) known(ctx context.Context) marketplace.Listing {
	known, err := h.config.Marketplace.Look(ctx)
	if err != nil {
		h.config.Log.WarnContext(ctx, "offers cannot be read", "error", err.Error())
	}
	return known
}

// guarded is the store that the supervisor works with: a failure leads back only to
// a version that was not withdrawn.
type guarded struct {
	*store.Store
	host *Host
}

// Refuse implements supervisor.Store.
func (g guarded) Refuse(ctx context.Context, addonID, digest, reason string) (bool, error) {
	a, err := g.ActiveOf(ctx, addonID)
	if err != nil {
		return false, err
	}
	if a.Digest != digest || !a.OnProbation(g.host.config.Now()) {
		return g.Store.Refuse(ctx, addonID, digest, reason)
	}
	at := withdrawn(g.host.known(ctx), addonID, a.Previous.Version)
	if at.IsZero() {
		return g.Store.Refuse(ctx, addonID, digest, reason)
	}
	reason += fmt.Sprintf(" The platform does not return to %s by itself: it was withdrawn from the marketplace on %s.", a.Previous.Version, at.UTC().Format("2 January 2006 (UTC)"))
	stayed, err := g.Stay(ctx, addonID, digest, reason)
	if stayed {
		g.host.config.Log.ErrorContext(ctx, "version failed, and the one before was withdrawn", "addon", addonID, "version", a.Version, "before", a.Previous.Version)
	}
	return false, err
}

// mayReturn refuses the version before as the aim of a rollback.
func (h *Host) mayReturn(ctx context.Context, a addon.Active, confirmed bool) error {
	switch at := withdrawn(h.known(ctx), a.AddonID, a.Previous.Version); {
	case newer(a.Previous.Version, a.Version):
		return apperr.Errorf(apperr.Conflict, "%s is what ran before; to run %s again, upgrade to it.", a.Version, a.Previous.Version)
	case !at.IsZero() && !confirmed:
		return apperr.Errorf(apperr.Invalid, "%s %s was withdrawn from the marketplace on %s. It runs again only if you confirm that.",
			a.AddonID, a.Previous.Version, at.UTC().Format("2 January 2006 (UTC)"))
	}
	return nil
}
