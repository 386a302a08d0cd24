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
// billers, if it runs none yet; running servers follow within seconds. Of several
// callers one chooses: nothing happens if that version runs already, Conflict if
// another one does, which only a trial may replace.
func (s *Store) SetActive(ctx context.Context, a addon.Active) error {
	res, err := s.change(ctx, a.AddonID, `
		INSERT INTO addons (
			addon_id,
			version,
			digest,
			updated_at
		)
		VALUES ($1, $2, $3, $4)
		ON CONFLICT (addon_id) DO NOTHING`,
		a.AddonID, a.Version, a.Digest, s.now())
	n, err := affected(res, err, "choose active version")
	if err != nil || n > 0 {
		return err
	}
	now, err := s.ActiveOf(ctx, a.AddonID)
	if err == nil && now.Digest != a.Digest {
		err = apperr.Errorf(apperr.Conflict, "The platform runs version %s of this add-on by now. Open its page again and read what it asks for.", now.Version)
	}
	return err
}

// none turns a statement that met no row into the error given.
func none(res sql.Result, err error, what string, missing error) error {
	if err = changed(res, err, what); apperr.Is(err, apperr.NotFound) {
		return missing
	}
	return err
}
