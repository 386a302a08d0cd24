package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// tokensKept is how long a dead link still says that it has expired.
const tokensKept = 365 * 24 * time.Hour

// activityKept is how long the portal tells of an activity; the platform's audit
// log keeps it for longer. Changes of a person's address stay for as long as the
// person, whose erasure has to know earlier addresses.
const activityKept = 365 * 24 * time.Hour

// resetsKept is how long a dead reset, or a dead proof, still says so.
const resetsKept = 7 * 24 * time.Hour

// closedRequestsKept is how long a request for access is kept after its time.
const closedRequestsKept = 90 * 24 * time.Hour

// Sweep implements portal.CustomerStore. Each statement stands alone.
func (s *Store) Sweep(ctx context.Context, biller string, now time.Time, limit int) (int, error) {
	skip := s.db.SkipLocked()
	deletions := []struct {
		query string
		until time.Time
	}{
		{`DELETE FROM sessions
			WHERE biller_id = $1 AND token_hash IN (
				SELECT token_hash
				FROM sessions
				WHERE biller_id = $1 AND seen_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-portal.SessionIdle)},
		{`DELETE FROM throttles
			WHERE biller_id = $1 AND name IN (
				SELECT name
				FROM throttles
				WHERE biller_id = $1 AND ends_at <= $2
				LIMIT $3` + skip + `)`, now},
		{`DELETE FROM activity
			WHERE biller_id = $1 AND id IN (
				SELECT id
				FROM activity
				WHERE biller_id = $1 AND at <= $2
					AND NOT (action IN ('address.changed', 'activity.disowned') AND detail LIKE '%"from":%')
				LIMIT $3` + skip + `)`, now.Add(-activityKept)},
		{`DELETE FROM devices
			WHERE biller_id = $1 AND (user_id, hash) IN (
				SELECT user_id, hash
				FROM devices
				WHERE biller_id = $1 AND seen_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-portal.DeviceLife)},
		{`DELETE FROM address_changes
			WHERE biller_id = $1 AND user_id IN (
				SELECT user_id
				FROM address_changes
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)`, now},
		{`DELETE FROM resets
			WHERE biller_id = $1 AND id IN (
				SELECT id
				FROM resets
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-resetsKept)},
		{`DELETE FROM access_requests
			WHERE biller_id = $1 AND id IN (
				SELECT id
				FROM access_requests
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-closedRequestsKept)},
		{`DELETE FROM proofs
			WHERE biller_id = $1 AND id IN (
				SELECT id
				FROM proofs
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-resetsKept)},
		{`DELETE FROM tokens
			WHERE biller_id = $1 AND hash IN (
				SELECT hash
				FROM tokens
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)`, now.Add(-tokensKept)},
	}
	most := 0
	for _, d := range deletions {
		res, err := s.db.W.ExecContext(ctx, d.query, biller, us(d.until), limit)
		if err != nil {
			return 0, fmt.Errorf("sweep: %w", err)
		}
		n, err := res.RowsAffected()
		if err != nil {
			return 0, fmt.Errorf("sweep: %w", err)
		}
		most = max(most, int(n))
	}
	n, err := s.sweepSignUps(ctx, biller, now, limit)
	return max(most, n), err
}

// sweepSignUps ends sign-ups that nobody can go on with, secrets and all.
func (s *Store) sweepSignUps(ctx context.Context, biller string, now time.Time, limit int) (int, error) {
	var rows []signUpRow
	if err := s.db.R.SelectContext(ctx, &rows, selectSignUp+`
		AND step IN ('profile', 'confirm') AND expires_at <= $2
		ORDER BY expires_at
		LIMIT $3`, biller, us(now), limit); err != nil {
		return 0, fmt.Errorf("find dead sign-ups: %w", err)
	}
	for _, r := range rows {
		if err := s.endSignUp(ctx, biller, r.ID, now); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// endSignUp makes a sign-up void unless somebody went on with it meanwhile.
func (s *Store) endSignUp(ctx context.Context, biller, id string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, err := s.lockSignUp(ctx, tx, biller, id)
	if err != nil {
		return err
	}
	su := row.signUp()
	if _, ok := su.Step.Next(portal.SignUpVoid); !ok || su.Live(now) {
		return nil
	}
	if err := moveSignUp(ctx, tx, biller, su, portal.SignUpVoid); err != nil {
		return err
	}
	return tx.Commit()
}
