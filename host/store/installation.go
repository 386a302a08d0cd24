package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type installationRow struct {
	BillerID    string    `db:"biller_id"`
	AddonID     string    `db:"addon_id"`
	State       string    `db:"state"`
	Permissions string    `db:"permissions"`
	Version     string    `db:"version"`
	InstalledBy string    `db:"installed_by"`
	InstalledAt time.Time `db:"installed_at"`
	UpdatedAt   time.Time `db:"updated_at"`

	ExportedAt sql.NullTime `db:"exported_at"`
	PurgeStaff string       `db:"purge_staff"`
	PurgeBy    string       `db:"purge_by"`
	PurgeKeep  bool         `db:"purge_keep"`
}

func (r installationRow) installation() (addon.Installation, error) {
	i := addon.Installation{
		BillerID:    r.BillerID,
		AddonID:     r.AddonID,
		State:       addon.State(r.State),
		Version:     r.Version,
		InstalledBy: r.InstalledBy,
		InstalledAt: r.InstalledAt.UTC(),
		UpdatedAt:   r.UpdatedAt.UTC(),
		ExportedAt:  moment(r.ExportedAt),
		Purge:       addon.Purge{StaffID: r.PurgeStaff, By: r.PurgeBy, KeepExport: r.PurgeKeep},
	}
	if err := json.Unmarshal([]byte(r.Permissions), &i.Permissions); err != nil {
		return addon.Installation{}, fmt.Errorf("read permissions of %s for %s: %w", r.AddonID, r.BillerID, err)
	}
	return i, nil
}

func permissionsText(permissions []string) (string, error) {
	sorted := slices.Sorted(slices.Values(permissions))
	if sorted == nil {
		sorted = []string{}
	}
	text, err := json.Marshal(slices.Compact(sorted))
	if err != nil {
		return "", fmt.Errorf("write permissions: %w", err)
	}
	return string(text), nil
}

// Install enables an add-on for a biller, for the first time or after it was
// suspended, and returns the installation with its times. Of several callers
// one wins; the others get Conflict, as does everybody while it is enabled or its
// data is being deleted.
func (s *Store) Install(ctx context.Context, i addon.Installation) (addon.Installation, error) {
	permissions, err := permissionsText(i.Permissions)
	if err != nil {
		return addon.Installation{}, err
	}
	var row installationRow
	err = s.changeRow(ctx, i.AddonID, &row, `
		INSERT INTO installations (
			biller_id,
			addon_id,
			state,
			permissions,
			version,
			installed_by,
			installed_at,
			updated_at
		)
		VALUES ($1, $2, 'enabled', $3, $4, $5, $6, $6)
		ON CONFLICT (biller_id, addon_id) DO UPDATE SET
			state = 'enabled',
			permissions = excluded.permissions,
			version = excluded.version,
			installed_by = excluded.installed_by,
			installed_at = excluded.installed_at,
			updated_at = excluded.updated_at,
			exported_at = NULL
		WHERE installations.biller_id = $1
			AND installations.state = 'suspended'
		RETURNING
			biller_id,
			addon_id,
			state,
			permissions,
			version,
			installed_by,
			installed_at,
			updated_at,
			exported_at,
			purge_staff,
			purge_by,
			purge_keep`,
		i.BillerID, i.AddonID, permissions, i.Version, i.InstalledBy, s.now())
	if errors.Is(err, sql.ErrNoRows) {
		return addon.Installation{}, s.errTaken(ctx, i.BillerID, i.AddonID)
	}
	if err != nil {
		return addon.Installation{}, fmt.Errorf("install add-on: %w", err)
	}
	return row.installation()
}

// errTaken tells why an add-on cannot be installed now.
func (s *Store) errTaken(ctx context.Context, biller, addonID string) error {
	now, err := s.Installation(ctx, biller, addonID)
	if err == nil && now.State == addon.Purging {
		return errPurging()
	}
	return apperr.Errorf(apperr.Conflict, "This add-on is installed already.")
}

// Agree replaces the permissions of an enabled installation by those that the
// biller agreed to for a version. NotFound if the add-on is not enabled.
func (s *Store) Agree(ctx context.Context, biller, addonID, version string, permissions []string) error {
	text, err := permissionsText(permissions)
	if err != nil {
		return err
	}
	res, err := s.change(ctx, addonID, `
		UPDATE installations
		SET
			permissions = $3,
			version = $4,
			updated_at = $5
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'enabled'`,
		biller, addonID, text, version, s.now())
	return changed(res, err, "update permissions")
}

// Suspend closes an add-on for a biller and keeps its data. NotFound if the
// add-on is not enabled.
func (s *Store) Suspend(ctx context.Context, biller, addonID string) error {
	res, err := s.change(ctx, addonID, `
		UPDATE installations
		SET
			state = 'suspended',
			updated_at = $3,
			exported_at = NULL
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'enabled'`,
		biller, addonID, s.now())
	return changed(res, err, "suspend add-on")
}

// changed turns a statement that met no row into NotFound.
func changed(res sql.Result, err error, what string) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if n == 0 {
		return errNotInstalled()
	}
	return nil
}

func errNotInstalled() error {
	return apperr.Errorf(apperr.NotFound, "This add-on is not installed.")
}

// Installation returns a biller's installation, suspended ones included.
// NotFound if there never was one.
func (s *Store) Installation(ctx context.Context, biller, addonID string) (addon.Installation, error) {
	var row installationRow
	err := s.db.R.GetContext(ctx, &row, `
		SELECT
			biller_id,
			addon_id,
			state,
			permissions,
			version,
			installed_by,
			installed_at,
			updated_at,
			exported_at,
			purge_staff,
			purge_by,
			purge_keep
		FROM installations
		WHERE biller_id = $1
			AND addon_id = $2`,
		biller, addonID)
	if errors.Is(err, sql.ErrNoRows) {
		return addon.Installation{}, errNotInstalled()
	}
	if err != nil {
		return addon.Installation{}, fmt.Errorf("find installation: %w", err)
	}
	return row.installation()
}

// Installations returns a biller's installations by add-on, suspended ones
// included.
func (s *Store) Installations(ctx context.Context, biller string) ([]addon.Installation, error) {
	return s.installations(ctx, `
		SELECT
			biller_id,
			addon_id,
			state,
			permissions,
			version,
			installed_by,
			installed_at,
			updated_at,
			exported_at,
			purge_staff,
			purge_by,
			purge_keep
		FROM installations
		WHERE biller_id = $1
		ORDER BY addon_id`, biller)
}

// InstallationsOf returns an add-on's installations for all billers, suspended
// ones included. It is for the supervisor, which tells the add-on's process
// who has it.
func (s *Store) InstallationsOf(ctx context.Context, addonID string) ([]addon.Installation, error) {
	return s.installations(ctx, `
		SELECT
			biller_id,
			addon_id,
			state,
			permissions,
			version,
			installed_by,
			installed_at,
			updated_at,
			exported_at,
			purge_staff,
			purge_by,
			purge_keep
		FROM installations
		WHERE addon_id = $1
		ORDER BY biller_id`, addonID)
}

func (s *Store) installations(ctx context.Context, query, arg string) ([]addon.Installation, error) {
	var rows []installationRow
	if err := s.db.R.SelectContext(ctx, &rows, query, arg); err != nil {
		return nil, fmt.Errorf("list installations: %w", err)
	}
	list := make([]addon.Installation, len(rows))
	for n, row := range rows {
		i, err := row.installation()
		if err != nil {
			return nil, err
		}
		list[n] = i
	}
	return list, nil
}
