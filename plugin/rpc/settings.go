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
	return settings(sdk.SettingsFrom(ctx))
}

func settings(set sdk.Settings) portal.Settings {
	out := portal.DefaultSettings()
	if set.Has(portal.SettingOpenSignUp) {
		out.OpenSignUp = set.Switch(portal.SettingOpenSignUp)
	}
	out.AnswerUnknown = set.Switch(portal.SettingAnswerUnknown)
	if days := set.Number(portal.SettingInvitationDays); days > 0 {
		out.InvitationLife = time.Duration(min(days, 90)) * 24 * time.Hour
	}
	out.ButtonText = set.Text(portal.SettingButtonText)
	for key, hold := range map[string]*int{
		portal.SettingFirstReminder:  &out.Reminders.Days[0],
		portal.SettingSecondReminder: &out.Reminders.Days[1],
		portal.SettingQuietFrom:      &out.Reminders.QuietFrom,
		portal.SettingQuietTo:        &out.Reminders.QuietTo,
	} {
		if set.Has(key) {
			*hold = int(set.Number(key))
		}
	}
	return out
}

// CheckSettings refuses what the manifest's rules cannot (sdk.Parts.CheckSettings).
func CheckSettings(_ context.Context, s sdk.Settings) error {
	set := settings(s)
	if err := portal.CheckButtonText(set.ButtonText); err != nil {
		return err
	}
	return set.Reminders.Check()
}
