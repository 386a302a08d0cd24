package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

type activeRow struct {
	AddonID   string    `db:"addon_id"`
	Version   string    `db:"version"`
	Digest    string    `db:"digest"`
	UpdatedAt time.Time `db:"updated_at"`
}

// Active returns the version of each add-on that the platform runs, by id. It
// is one choice for all billers.
func (s *Store) Active(ctx context.Context) ([]addon.Active, error) {
	var rows []activeRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			addon_id,
			version,
			digest,
			updated_at
		FROM addons
		ORDER BY addon_id`)
	if err != nil {
		return nil, fmt.Errorf("list active add-ons: %w", err)
	}
	list := make([]addon.Active, len(rows))
	for i, r := range rows {
		list[i] = addon.Active{AddonID: r.AddonID, Version: r.Version, Digest: r.Digest, UpdatedAt: r.UpdatedAt.UTC()}
	}
	return list, nil
}

// SetActive chooses the version of an add-on that the platform runs, for all
// billers. Running servers follow within seconds.
func (s *Store) SetActive(ctx context.Context, a addon.Active) error {
	_, err := s.db.W.ExecContext(ctx, `
		INSERT INTO addons (
			addon_id,
			version,
			digest,
			updated_at
		)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (addon_id) DO UPDATE SET
			version = excluded.version,
			digest = excluded.digest,
			updated_at = excluded.updated_at`,
		a.AddonID, a.Version, a.Digest, s.now())
	if err != nil {
		return fmt.Errorf("choose active version: %w", err)
	}
	return nil
}

// ClearActive stops an add-on on the whole platform; nothing happens if none
// runs. Installations stay.
func (s *Store) ClearActive(ctx context.Context, addonID string) error {
	_, err := s.db.W.ExecContext(ctx, `
		DELETE FROM addons
		WHERE addon_id = $1`, addonID)
	if err != nil {
		return fmt.Errorf("clear active version: %w", err)
	}
	return nil
}
