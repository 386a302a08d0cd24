package host

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/web"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// openFleet prepares the supervisor.
func (h *Host) openFleet(ctx context.Context) error {
	c := h.config
	level := slog.LevelInfo
	if c.Log.Enabled(ctx, slog.LevelDebug) {
		level = slog.LevelDebug
	}
	h.fleet = supervisor.New(supervisor.Config{
		Store: guarded{h.store, h}, Credentials: h.services, Services: func(id string) wire.Services { return h.services.Addon(id) },
		Env: h.env, Call: h.jobCall, Settings: h.settingsFor, Fetch: h.shelf.fetch, SelfTest: h.selfTest, Switched: h.shelf.wake, Probation: c.Probation,
		Meter: h.metrics, Tracing: h.tracing, Packages: h.shelf.dir, DataDir: c.DataDir, Name: hostName(), Log: c.Log, Dev: c.Dev, LogLevel: level, Now: c.Now,
		Times: c.Times,
		Users: c.AddonUsers.On(), Limits: c.AddonLimits,
	})
	return nil
}

// takeNewBuilds makes a developer's latest build of each active add-on the one
// that Run tries first.
func (h *Host) takeNewBuilds(ctx context.Context) error {
	active, err := h.store.Active(ctx)
	if err != nil {
		return err
	}
	offers, err := newestOffers(ctx, h.config.Marketplace)
	if err != nil {
		return err
	}
	for _, a := range active {
		i := slices.IndexFunc(offers, func(o marketplace.Offer) bool { return o.Manifest.ID == a.AddonID && o.Digest != a.Digest })
		if i < 0 {
			continue
		}
		newest := addon.Version{Version: offers[i].Manifest.Version, Digest: offers[i].Digest}
		if err := h.store.Want(ctx, a.AddonID, newest); err != nil {
			return fmt.Errorf("take new build of %s: %w", a.AddonID, err)
		}
	}
	return nil
}

// jobCall describes an add-on's work for a biller outside requests.
func (h *Host) jobCall(ctx context.Context, i addon.Installation) (sdk.Call, error) {
	b, err := h.platform.Biller(ctx, i.BillerID)
	if err != nil {
		return sdk.Call{}, fmt.Errorf("read biller: %w", err)
	}
	return h.call(b, i.AddonID, sdk.Viewer{}, web.NewRequestID()), nil
}
