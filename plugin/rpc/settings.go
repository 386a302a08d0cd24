package rpc

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Settings returns what the biller of the call has set (portal.Service.Settings);
// the portal's defaults stand in for what it has not.
func Settings(ctx context.Context) portal.Settings {
	set, out := sdk.SettingsFrom(ctx), portal.DefaultSettings()
	if set.Has(portal.SettingOpenSignUp) {
		out.OpenSignUp = set.Switch(portal.SettingOpenSignUp)
	}
	out.AnswerUnknown = set.Switch(portal.SettingAnswerUnknown)
	if days := set.Number(portal.SettingInvitationDays); days > 0 {
		out.InvitationLife = time.Duration(min(days, 90)) * 24 * time.Hour
	}
	out.ButtonText = set.Text(portal.SettingButtonText)
	return out
}

// CheckSettings refuses what the manifest's rules cannot (sdk.Parts.CheckSettings).
func CheckSettings(_ context.Context, s sdk.Settings) error {
	return portal.CheckButtonText(s.Text(portal.SettingButtonText))
}
