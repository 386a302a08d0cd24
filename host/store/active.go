package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type activeRow struct {
	AddonID         string       `db:"addon_id"`
	Version         string       `db:"version"`
	Digest          string       `db:"digest"`
	UpdatedAt       time.Time    `db:"updated_at"`
	NextVersion     string       `db:"next_version"`
	NextDigest      string       `db:"next_digest"`
	PreviousVersion string       `db:"previous_version"`
	PreviousDigest  string       `db:"previous_digest"`
	ProbationUntil  sql.NullTime `db:"probation_until"`
	FailedVersion   string       `db:"failed_version"`
	FailedDigest    string       `db:"failed_digest"`
	FailedReason    string       `db:"failed_reason"`
	FailedAt        sql.NullTime `db:"failed_at"`
}

func (r activeRow) active() addon.Active {
	return addon.Active{
		AddonID:        r.AddonID,
		Version:        r.Version,
		Digest:         r.Digest,
		UpdatedAt:      r.UpdatedAt.UTC(),
		Next:           addon.Version{Version: r.NextVersion, Digest: r.NextDigest},
		Previous:       addon.Version{Version: r.PreviousVersion, Digest: r.PreviousDigest},
		ProbationUntil: moment(r.ProbationUntil),
		Failed: addon.Refusal{
			Version: addon.Version{Version: r.FailedVersion, Digest: r.FailedDigest},
			Reason:  r.FailedReason,
			At:      moment(r.FailedAt),
		},
	}
}

func moment(t sql.NullTime) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
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
			updated_at,
			next_version,
			next_digest,
			previous_version,
			previous_digest,
			probation_until,
			failed_version,
			failed_digest,
			failed_reason,
			failed_at
		FROM addons
		ORDER BY addon_id`)
	if err != nil {
		return nil, fmt.Errorf("list active add-ons: %w", err)
	}
	list := make([]addon.Active, len(rows))
	for i, r := range rows {
		list[i] = r.active()
	}
	return list, nil
}

// ActiveOf returns the version of one add-on that the platform runs. NotFound
// if it runs none.
func (s *Store) ActiveOf(ctx context.Context, addonID string) (addon.Active, error) {
	list, err := s.Active(ctx)
	if err != nil {
		return addon.Active{}, err
	}
	for _, a := range list {
		if a.AddonID == addonID {
			return a, nil
		}
	}
	return addon.Active{}, errNotRunning()
}

func errNotRunning() error {
	return apperr.Errorf(apperr.NotFound, "The platform does not run this add-on.")
}

// SetActive chooses the version of an add-on that the platform runs, for all
// billers, without a trial. Running servers follow within seconds.
func (s *Store) SetActive(ctx context.Context, a addon.Active) error {
	_, err := s.change(ctx, a.AddonID, `
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
	_, err := s.change(ctx, addonID, `
		DELETE FROM addons
		WHERE addon_id = $1`, addonID)
	if err != nil {
		return fmt.Errorf("clear active version: %w", err)
	}
	return nil
}

// none turns a statement that met no row into the error given.
func none(res sql.Result, err error, what string, missing error) error {
	if err = changed(res, err, what); apperr.Is(err, apperr.NotFound) {
		return missing
	}
	return err
}
