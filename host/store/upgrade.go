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
// one before as the previous and begins a probation. Of several servers one
// changes something; the others succeed as well while the version runs. Conflict
// if it is no longer wanted.
func (s *Store) Promote(ctx context.Context, addonID, digest string, probation time.Duration) error {
	now := s.now()
	res, err := s.change(ctx, addonID, `
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
	gone := apperr.Errorf(apperr.Conflict, "This version is no longer wanted.")
	if err := none(res, err, "promote version", gone); !apperr.Is(err, apperr.Conflict) {
		return err
	}
	a, err := s.ActiveOf(ctx, addonID)
	switch {
	case err != nil:
		return err
	case a.Digest != digest:
		return gone
	}
	return nil
}

// Refuse keeps why a version failed. If it was wanted, it no longer is; if it
// runs and is on probation, the previous version runs again. It tells whether
// any of that was so.
func (s *Store) Refuse(ctx context.Context, addonID, digest, reason string) (bool, error) {
	now := s.now()
	res, err := s.change(ctx, addonID, `
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
	n, err := affected(res, err, "refuse wanted version")
	if err != nil || n > 0 {
		return n > 0, err
	}
	res, err = s.change(ctx, addonID, `
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
	n, err = affected(res, err, "go back to previous version")
	return n > 0, err
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
