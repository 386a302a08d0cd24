package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type settingsRow struct {
	BillerID string `db:"biller_id"`
	AddonID  string `db:"addon_id"`
	Version  int64  `db:"version"`
	Entries  string `db:"entries"`
}

func (r settingsRow) settings() (addon.Settings, error) {
	s := addon.Settings{BillerID: r.BillerID, AddonID: r.AddonID, Version: r.Version}
	if err := json.Unmarshal([]byte(r.Entries), &s.Entries); err != nil {
		return addon.Settings{}, fmt.Errorf("read settings of %s for %s: %w", r.AddonID, r.BillerID, err)
	}
	return s, nil
}

// Settings returns what a biller has set for an add-on; version 0 and no entries
// if nothing.
func (s *Store) Settings(ctx context.Context, biller, addonID string) (addon.Settings, error) {
	var row settingsRow
	err := s.db.R.GetContext(ctx, &row, `
		SELECT
			biller_id,
			addon_id,
			version,
			entries
		FROM settings
		WHERE biller_id = $1
			AND addon_id = $2`,
		biller, addonID)
	if errors.Is(err, sql.ErrNoRows) {
		return addon.Settings{BillerID: biller, AddonID: addonID}, nil
	}
	if err != nil {
		return addon.Settings{}, fmt.Errorf("find settings: %w", err)
	}
	return row.settings()
}

// SettingsOf returns what all billers have set for an add-on. It is for the start
// of the add-on's process, which is told all of it.
func (s *Store) SettingsOf(ctx context.Context, addonID string) ([]addon.Settings, error) {
	var rows []settingsRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			biller_id,
			addon_id,
			version,
			entries
		FROM settings
		WHERE addon_id = $1
		ORDER BY biller_id`,
		addonID)
	if err != nil {
		return nil, fmt.Errorf("list settings: %w", err)
	}
	list := make([]addon.Settings, len(rows))
	for i, row := range rows {
		if list[i], err = row.settings(); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// SaveSettings replaces the entries of an enabled add-on as version v.Version + 1,
// and marks the installation as changed, which makes running servers tell the
// add-on. Of several callers with one version one wins; the others get Conflict.
// NotFound if the add-on is not enabled.
func (s *Store) SaveSettings(ctx context.Context, v addon.Settings) error {
	entries, err := json.Marshal(v.Entries)
	if err != nil {
		return fmt.Errorf("write settings: %w", err)
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	now := s.now()
	res, err := tx.ExecContext(ctx, `
		UPDATE installations
		SET
			updated_at = $3
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'enabled'`,
		v.BillerID, v.AddonID, now)
	if err := changed(res, err, "mark installation"); err != nil {
		return err
	}
	write := `
		UPDATE settings
		SET
			version = $3,
			entries = $4,
			updated_at = $5
		WHERE biller_id = $1
			AND addon_id = $2
			AND version + 1 = $3`
	if v.Version == 0 {
		write = `
		INSERT INTO settings (
			biller_id,
			addon_id,
			version,
			entries,
			updated_at
		)
		VALUES ($1, $2, $3, $4, $5)`
	}
	stale := apperr.Errorf(apperr.Conflict, "Somebody else has changed these settings in the meantime.")
	res, err = tx.ExecContext(ctx, write, v.BillerID, v.AddonID, v.Version+1, string(entries), now)
	if sqldb.IsUnique(err) {
		return stale
	}
	if err := none(res, err, "save settings", stale); err != nil {
		return err
	}
	if err := s.notify(ctx, tx, v.AddonID); err != nil {
		return err
	}
	return tx.Commit()
}
