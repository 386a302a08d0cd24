package store

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

const (
	settingInvitationDays = "invitation_days"
	settingButtonText     = "button_text"
)

// Settings implements portal.SettingStore.
func (s *Store) Settings(ctx context.Context, biller string) (portal.Settings, error) {
	var rows []struct {
		Name  string `db:"name"`
		Value string `db:"value"`
	}
	if err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			name,
			value
		FROM settings
		WHERE biller_id = $1`, biller); err != nil {
		return portal.Settings{}, fmt.Errorf("read settings: %w", err)
	}
	settings := portal.DefaultSettings()
	for _, r := range rows {
		switch r.Name {
		case settingInvitationDays:
			days, err := strconv.Atoi(r.Value)
			if err != nil {
				return portal.Settings{}, fmt.Errorf("read setting %s: %w", r.Name, err)
			}
			settings.InvitationLife = time.Duration(min(max(days, 1), 90)) * 24 * time.Hour
		case settingButtonText:
			settings.ButtonText = r.Value
		}
	}
	return settings, nil
}
