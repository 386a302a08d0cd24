package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func errPurging() error {
	return apperr.Errorf(apperr.Conflict, "The data of this add-on is being deleted. Install it again when that is done.")
}

// Exported remembers that the biller has taken its data out of a removed add-on.
// Nothing happens if it is not suspended.
func (s *Store) Exported(ctx context.Context, biller, addonID string) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE installations
		SET
			exported_at = $3
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'suspended'`,
		biller, addonID, s.now())
	if err != nil {
		return fmt.Errorf("remember export: %w", err)
	}
	return nil
}

// BeginPurge orders that a removed add-on's data of a biller is deleted, and tells
// whether this call did: of several callers one does, the others find it done.
// The data must have been exported since the add-on was removed, or p says that
// the server keeps an export: else Conflict. Conflict while it is enabled too;
// NotFound if it was never installed.
func (s *Store) BeginPurge(ctx context.Context, biller string, p addon.Purge, o addon.Operation) (begun bool, err error) {
	err = s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			UPDATE installations
			SET
				state = 'purging',
				updated_at = $3,
				purge_staff = $4,
				purge_by = $5,
				purge_keep = $6,
				purge_lease = NULL
			WHERE biller_id = $1
				AND addon_id = $2
				AND state = 'suspended'
				AND (exported_at IS NOT NULL OR $6)`,
			biller, o.AddonID, s.now(), p.StaffID, p.By, p.KeepExport)
		n, err := affected(res, err, "begin purge")
		begun = n > 0
		return begun, err
	})
	if err != nil || begun {
		return begun && err == nil, err
	}
	now, err := s.Installation(ctx, biller, o.AddonID)
	switch {
	case err != nil:
		return false, err
	case now.State == addon.Enabled:
		return false, apperr.Errorf(apperr.Conflict, "Remove this add-on before its data is deleted.")
	case now.State == addon.Suspended:
		return false, apperr.Errorf(apperr.Conflict, "Export the data before it is deleted.")
	}
	return false, nil
}

// Purging returns the installations of all billers whose data is to be deleted,
// the oldest order first. It is for the servers that delete it.
func (s *Store) Purging(ctx context.Context) ([]addon.Installation, error) {
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
		WHERE state = $1
		ORDER BY
			updated_at,
			biller_id`, string(addon.Purging))
}

// ClaimPurge takes a purge for the time of lease, so that one server at a time
// works on it, and tells whether it was free.
func (s *Store) ClaimPurge(ctx context.Context, biller, addonID string, lease time.Duration) (bool, error) {
	now := s.now()
	res, err := s.db.W.ExecContext(ctx, `
		UPDATE installations
		SET
			purge_lease = $3
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'purging'
			AND (purge_lease IS NULL OR purge_lease <= $4)`,
		biller, addonID, now.Add(lease), now)
	n, err := affected(res, err, "claim purge")
	return n > 0, err
}

// RenewPurge keeps a claim for the time of lease from now, and tells whether it
// was still held.
func (s *Store) RenewPurge(ctx context.Context, biller, addonID string, lease time.Duration) (bool, error) {
	now := s.now()
	res, err := s.db.W.ExecContext(ctx, `
		UPDATE installations
		SET
			purge_lease = $3
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'purging'
			AND purge_lease > $4`,
		biller, addonID, now.Add(lease), now)
	n, err := affected(res, err, "renew purge")
	return n > 0, err
}

// ReleasePurge gives a purge back that could not be done yet.
func (s *Store) ReleasePurge(ctx context.Context, biller, addonID string) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE installations
		SET
			purge_lease = NULL
		WHERE biller_id = $1
			AND addon_id = $2
			AND state = 'purging'`,
		biller, addonID)
	if err != nil {
		return fmt.Errorf("release purge: %w", err)
	}
	return nil
}

// EndPurge deletes all that the host keeps of a purging installation, the
// installation last, and tells whether this call did.
func (s *Store) EndPurge(ctx context.Context, biller string, o addon.Operation) (ended bool, err error) {
	err = s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			DELETE FROM installations
			WHERE biller_id = $1
				AND addon_id = $2
				AND state = 'purging'`, biller, o.AddonID)
		n, err := affected(res, err, "delete installation")
		if err != nil || n == 0 {
			return false, err
		}
		ended = true
		return true, errors.Join(
			purgeTable(ctx, tx, `
			DELETE FROM mails
			WHERE biller_id = $1
				AND addon_id = $2`, biller, o.AddonID),
			purgeTable(ctx, tx, `
			DELETE FROM settings
			WHERE biller_id = $1
				AND addon_id = $2`, biller, o.AddonID),
			purgeTable(ctx, tx, `
			DELETE FROM installing
			WHERE biller_id = $1
				AND addon_id = $2`, biller, o.AddonID))
	})
	return ended && err == nil, err
}

func purgeTable(ctx context.Context, tx *sqlx.Tx, statement, biller, addonID string) error {
	if _, err := tx.ExecContext(ctx, statement, biller, addonID); err != nil {
		return fmt.Errorf("delete what an installation left: %w", err)
	}
	return nil
}
