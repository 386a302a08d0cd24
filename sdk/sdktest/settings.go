package sdktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// checkTime is how long an add-on has for CheckSettings.
const checkTime = 5 * time.Second

// settingsBook is what the billers of a Host have set.
type settingsBook map[string]sdk.Settings

// SetSettings says what the biller has set. The add-on learns it at the next
// Enable of the biller.
func (h *Host) SetSettings(biller string, s sdk.Settings) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings = maps.Clone(h.settings)
	if h.settings == nil {
		h.settings = settingsBook{}
	}
	h.settings[biller] = s
}

func (h *Host) settingsOf(biller string) sdk.Settings {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settings[biller]
}

// Defaults returns the settings of a biller who has touched none.
func Defaults(m *manifest.Manifest) sdk.Settings { return sdk.NewSettings(m.Defaults(), nil) }

// Configure sets what the biller has set and tells the add-on; the test fails if
// its hook does.
func (i *Instance) Configure(biller string, s sdk.Settings) {
	i.tb.Helper()
	i.Host.SetSettings(biller, s)
	i.Enable(biller)
}

// CheckSettings asks the add-on whether it accepts the settings.
func (i *Instance) CheckSettings(ctx context.Context, call sdk.Call, s sdk.Settings) error {
	token := i.Host.Token(call)
	defer i.Host.Revoke(token)
	return i.Client.CheckSettings(ctx, call, token, s)
}

// acceptsDefaults: the add-on's own check takes the manifest's defaults, unless
// they lack something required, and answers in time.
func acceptsDefaults(ctx context.Context, s *subject) error {
	if len(s.manifest.Settings) == 0 {
		return fmt.Errorf("%w: the manifest has no settings", errNotApplicable)
	}
	i, err := s.serving(ctx)
	if err != nil {
		return err
	}
	incomplete := false
	for _, setting := range s.manifest.Settings {
		incomplete = incomplete || setting.Required && setting.Empty(setting.Fallback())
	}
	call := s.host.StaffCall(Northwind, "staff:configure")
	err = within(ctx, checkTime, "CheckSettings", func(ctx context.Context) error {
		err := i.CheckSettings(ctx, call, Defaults(s.manifest))
		if incomplete && apperr.Is(err, apperr.Invalid) {
			return nil
		}
		return err
	})
	return errors.Join(err, s.healthy(ctx, i))
}
