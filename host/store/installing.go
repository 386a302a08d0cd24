package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type installingRow struct {
	BillerID  string    `db:"biller_id"`
	AddonID   string    `db:"addon_id"`
	Version   string    `db:"version"`
	Run       string    `db:"run"`
	Step      string    `db:"step"`
	Done      int64     `db:"done"`
	Total     int64     `db:"total"`
	Problem   string    `db:"problem"`
	UpdatedAt time.Time `db:"updated_at"`
}

// BeginInstalling records an attempt to install. Of several callers one wins; the
// others get Conflict, until the attempt ended or nobody works on it any more.
func (s *Store) BeginInstalling(ctx context.Context, i addon.Installing) error {
	now := s.now()
	res, err := s.db.W.ExecContext(ctx, `
		INSERT INTO installing (
			biller_id,
			addon_id,
			version,
			run,
			step,
			done,
			total,
			problem,
			updated_at
		)
		VALUES ($1, $2, $3, $4, $5, 0, $6, '', $7)
		ON CONFLICT (biller_id, addon_id) DO UPDATE SET
			version = excluded.version,
			run = excluded.run,
			step = excluded.step,
			done = excluded.done,
			total = excluded.total,
			problem = excluded.problem,
			updated_at = excluded.updated_at
		WHERE installing.biller_id = $1
			AND (installing.problem <> '' OR installing.updated_at < $8)`,
		i.BillerID, i.AddonID, i.Version, i.Run, string(i.Step), i.Total, now, now.Add(-addon.InstallAlive))
	if err = changed(res, err, "begin installation"); apperr.Is(err, apperr.NotFound) {
		return apperr.Errorf(apperr.Conflict, "This add-on is being installed already.")
	}
	return err
}

// TellInstalling records how far an attempt is, or its problem. NotFound if another
// attempt has taken over.
func (s *Store) TellInstalling(ctx context.Context, i addon.Installing) error {
	res, err := s.db.W.ExecContext(ctx, `
		UPDATE installing
		SET
			step = $4,
			done = $5,
			total = $6,
			problem = $7,
			updated_at = $8
		WHERE biller_id = $1
			AND addon_id = $2
			AND run = $3`,
		i.BillerID, i.AddonID, i.Run, string(i.Step), i.Done, i.Total, i.Problem, s.now())
	return changed(res, err, "record installation")
}

// EndInstalling forgets an attempt that succeeded. Nothing happens if another one
// has taken over.
func (s *Store) EndInstalling(ctx context.Context, i addon.Installing) error {
	_, err := s.db.W.ExecContext(ctx, `
		DELETE FROM installing
		WHERE biller_id = $1
			AND addon_id = $2
			AND run = $3`,
		i.BillerID, i.AddonID, i.Run)
	if err != nil {
		return fmt.Errorf("end installation: %w", err)
	}
	return nil
}

// Installing returns the attempt to install an add-on for a biller that is under
// way or ended with a problem. NotFound if there is none.
func (s *Store) Installing(ctx context.Context, biller, addonID string) (addon.Installing, error) {
	var r installingRow
	err := s.db.R.GetContext(ctx, &r, `
		SELECT
			biller_id,
			addon_id,
			version,
			run,
			step,
			done,
			total,
			problem,
			updated_at
		FROM installing
		WHERE biller_id = $1
			AND addon_id = $2`,
		biller, addonID)
	if errors.Is(err, sql.ErrNoRows) {
		return addon.Installing{}, apperr.Errorf(apperr.NotFound, "This add-on is not being installed.")
	}
	if err != nil {
		return addon.Installing{}, fmt.Errorf("find installation under way: %w", err)
	}
	return addon.Installing{
		BillerID: r.BillerID, AddonID: r.AddonID, Version: r.Version, Run: r.Run, Step: addon.InstallStep(r.Step),
		Done: r.Done, Total: r.Total, Problem: r.Problem, UpdatedAt: r.UpdatedAt.UTC(),
	}, nil
}
