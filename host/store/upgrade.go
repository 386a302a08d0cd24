package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Want makes v the version that running servers try next, in place of any other
// that was wanted, and forgets the last refusal. Wanting the version that runs
// takes back what was wanted before. NotFound if the platform does not run the
// add-on.
func (s *Store) Want(ctx context.Context, addonID string, v addon.Version) error {
	res, err := s.change(ctx, addonID, `
		UPDATE addons
		SET
			next_version = CASE WHEN digest = $3 THEN '' ELSE $2 END,
			next_digest = CASE WHEN digest = $3 THEN '' ELSE $3 END,
			failed_version = '',
			failed_digest = '',
			failed_reason = '',
			failed_at = NULL,
			updated_at = $4
		WHERE addon_id = $1`,
		addonID, v.Version, v.Digest, s.now())
	return none(res, err, "want version", errNotRunning())
}

// WantFrom is Want in the name of an operator who saw the version with the digest
// seen run; empty means whichever. Conflict if another one runs by now. Wanting
// once more what is wanted changes and records nothing.
func (s *Store) WantFrom(ctx context.Context, seen string, v addon.Version, o addon.Operation) (done bool, err error) {
	err = s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			UPDATE addons
			SET
				next_version = CASE WHEN digest = $3 THEN '' ELSE $2 END,
				next_digest = CASE WHEN digest = $3 THEN '' ELSE $3 END,
				failed_version = '',
				failed_digest = '',
				failed_reason = '',
				failed_at = NULL,
				updated_at = $4
			WHERE addon_id = $1
				AND ($5 = '' OR digest = $5)
				AND (failed_digest <> '' OR CASE WHEN digest = $3 THEN next_digest <> '' ELSE next_digest <> $3 END)`,
			o.AddonID, v.Version, v.Digest, s.now(), seen)
		n, err := affected(res, err, "want version")
		done = n > 0
		return done, err
	})
	if err != nil || done {
		return done && err == nil, err
	}
	a, err := s.ActiveOf(ctx, o.AddonID)
	if err == nil && seen != "" && a.Digest != seen {
		err = apperr.Errorf(apperr.Conflict, "Another version runs by now. Look again before you choose.")
	}
	return false, err
}

// Promote makes the wanted version with this digest the one that runs, keeps the
// one before as the previous, begins a probation and records that. Of several servers
// one changes something; the others succeed as well while the version runs. Conflict
// if it is no longer wanted.
func (s *Store) Promote(ctx context.Context, addonID, digest string, probation time.Duration) error {
	now := s.now()
	done, err := s.became(ctx, addon.Operation{AddonID: addonID, Action: addon.ActionSwitched}, `
		UPDATE addons
		SET
			previous_version = version,
			previous_digest = digest,
			version = next_version,
			digest = next_digest,
			next_version = '',
			next_digest = '',
			probation_until = $3,
			failed_version = '',
			failed_digest = '',
			failed_reason = '',
			failed_at = NULL,
			updated_at = $4
		WHERE addon_id = $1
			AND next_digest = $2`,
		addonID, digest, now.Add(probation), now)
	if err != nil || done {
		return err
	}
	a, err := s.ActiveOf(ctx, addonID)
	switch {
	case err != nil:
		return err
	case a.Digest != digest:
		return apperr.Errorf(apperr.Conflict, "This version is no longer wanted.")
	}
	return nil
}

// Refuse keeps and records why a version failed. If it was wanted, it no longer is;
// if it runs and is on probation, the previous version runs again. It tells whether
// any of that was so.
func (s *Store) Refuse(ctx context.Context, addonID, digest, reason string) (bool, error) {
	now := s.now()
	done, err := s.became(ctx, addon.Operation{AddonID: addonID, Action: addon.ActionRefused, Detail: reason}, `
		UPDATE addons
		SET
			failed_version = next_version,
			failed_digest = next_digest,
			failed_reason = $3,
			failed_at = $4,
			next_version = '',
			next_digest = '',
			updated_at = $4
		WHERE addon_id = $1
			AND next_digest = $2
			AND next_digest <> ''`,
		addonID, digest, reason, now)
	if err != nil || done {
		return done, err
	}
	return s.became(ctx, addon.Operation{AddonID: addonID, Action: addon.ActionReturned, Detail: reason}, `
		UPDATE addons
		SET
			failed_version = version,
			failed_digest = digest,
			failed_reason = $3,
			failed_at = $4,
			version = previous_version,
			digest = previous_digest,
			previous_version = '',
			previous_digest = '',
			probation_until = NULL,
			updated_at = $4
		WHERE addon_id = $1
			AND digest = $2
			AND previous_digest <> ''
			AND probation_until > $4`,
		addonID, digest, reason, now)
}

// Stay ends the probation of the version with this digest although it failed, and
// keeps and records why the platform does not return to the one before. It tells
// whether it was on probation.
func (s *Store) Stay(ctx context.Context, addonID, digest, reason string) (bool, error) {
	return s.became(ctx, addon.Operation{AddonID: addonID, Action: addon.ActionStayed, Detail: reason}, `
		UPDATE addons
		SET
			failed_version = version,
			failed_digest = digest,
			failed_reason = $3,
			failed_at = $4,
			probation_until = NULL
		WHERE addon_id = $1
			AND digest = $2
			AND previous_digest <> ''
			AND probation_until > $4`,
		addonID, digest, reason, s.now())
}

// became runs one statement that says what became of a version. If it met the
// add-on's row it records the outcome, with the versions that the row names now, and
// tells all hosts.
func (s *Store) became(ctx context.Context, o addon.Operation, query string, args ...any) (done bool, err error) {
	o.StaffID, o.By = addon.PlatformID, addon.PlatformName
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()

	res, err := tx.ExecContext(ctx, query, args...)
	if n, err := affected(res, err, "record outcome"); err != nil || n == 0 {
		return false, err
	}
	if o.From, o.To, err = s.versions(ctx, tx, o); err != nil {
		return false, err
	}
	if err := s.record(ctx, tx, o); err != nil {
		return false, err
	}
	if err := s.notify(ctx, tx, o.AddonID); err != nil {
		return false, err
	}
	if err := tx.Commit(); err != nil {
		return false, fmt.Errorf("commit: %w", err)
	}
	return true, nil
}

// versions are those that an outcome is about: what ran, and what took over, was
// refused, runs again or was withdrawn.
func (s *Store) versions(ctx context.Context, tx *sqlx.Tx, o addon.Operation) (from, to string, err error) {
	var row struct {
		Version  string `db:"version"`
		Previous string `db:"previous_version"`
		Failed   string `db:"failed_version"`
	}
	err = tx.GetContext(ctx, &row, `
		SELECT
			version,
			previous_version,
			failed_version
		FROM addons
		WHERE addon_id = $1`,
		o.AddonID)
	if err != nil {
		return "", "", fmt.Errorf("read versions: %w", err)
	}
	switch o.Action {
	case addon.ActionSwitched:
		return row.Previous, row.Version, nil
	case addon.ActionReturned:
		return row.Failed, row.Version, nil
	case addon.ActionStayed:
		return row.Version, row.Previous, nil
	}
	return row.Version, row.Failed, nil
}

// Retry makes running servers start an add-on at once that rests or is broken, in
// the name of an operator. NotFound if the platform does not run it.
func (s *Store) Retry(ctx context.Context, o addon.Operation) error {
	return s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			UPDATE addons
			SET
				updated_at = $2
			WHERE addon_id = $1`,
			o.AddonID, s.now())
		return true, none(res, err, "retry add-on", errNotRunning())
	})
}

func affected(res sql.Result, err error, what string) (int64, error) {
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return n, nil
}
