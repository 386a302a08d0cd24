package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// tokensKept is how long the dead link of an invitation, which staff sent, still
// says that it has expired.
const tokensKept = 365 * 24 * time.Hour

// activityKept is how long the portal tells of an activity; the platform's audit
// log keeps it for longer. Changes of a person's address stay for as long as the
// person, whose erasure has to know earlier addresses.
const activityKept = 365 * 24 * time.Hour

// resetsKept is how long what anybody can ask for still says that it is dead:
// resets, proofs, sign-ups that came to nothing, and all links but invitations'.
const resetsKept = 7 * 24 * time.Hour

// strangersKept is how long the portal tells of what was done to nobody's sign-in,
// such as a wrong password for an address that nobody has.
const strangersKept = 30 * 24 * time.Hour

// closedRequestsKept is how long a request for access is kept after its time.
const closedRequestsKept = 90 * 24 * time.Hour

// sweep deletes what was over at a time. What is kept for a shorter time than its
// neighbours is looked for in the last 30 days before (2592000000000 µs): the rest
// was swept by then, or goes with the neighbours. MATERIALIZED has PostgreSQL look
// once: else it may look again for each row, and delete more than the limit.
type sweep struct {
	query string
	until time.Time
}

// sweepsOfPeople are of what belongs to people, and of what they did.
func sweepsOfPeople(skip string, now time.Time) []sweep {
	return []sweep{
		{`WITH dead AS MATERIALIZED (
				SELECT token_hash
				FROM sessions
				WHERE biller_id = $1 AND seen_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM sessions
			WHERE biller_id = $1 AND token_hash IN (SELECT token_hash FROM dead)`, now.Add(-portal.SessionIdle)},
		{`WITH dead AS MATERIALIZED (
				SELECT name
				FROM throttles
				WHERE biller_id = $1 AND ends_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM throttles
			WHERE biller_id = $1 AND name IN (SELECT name FROM dead)`, now},
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM activity
				WHERE biller_id = $1 AND at <= $2
					AND NOT (action IN ('address.changed', 'activity.disowned') AND detail LIKE '%"from":%')
				LIMIT $3` + skip + `)
			DELETE FROM activity
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-activityKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM activity
				WHERE biller_id = $1 AND at <= $2 AND at > $2 - 2592000000000 AND user_id = '' AND customer_id = '' AND staff_id = ''
				LIMIT $3` + skip + `)
			DELETE FROM activity
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-strangersKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT user_id, hash
				FROM devices
				WHERE biller_id = $1 AND seen_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM devices
			WHERE biller_id = $1 AND (user_id, hash) IN (SELECT user_id, hash FROM dead)`, now.Add(-portal.DeviceLife)},
		{`WITH dead AS MATERIALIZED (
				SELECT user_id
				FROM address_changes
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM address_changes
			WHERE biller_id = $1 AND user_id IN (SELECT user_id FROM dead)`, now},
	}
}

// sweepsOfAskings are of what anybody can ask for.
func sweepsOfAskings(skip string, now time.Time) []sweep {
	return []sweep{
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM resets
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM resets
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-resetsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM access_requests
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM access_requests
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-closedRequestsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM proofs
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM proofs
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-resetsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT c.signup_id, c.customer_id
				FROM signups s
				JOIN signup_customers c ON c.biller_id = s.biller_id AND c.signup_id = s.id
				WHERE s.biller_id = $1 AND s.step = 'void' AND s.expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM signup_customers
			WHERE biller_id = $1 AND (signup_id, customer_id) IN (SELECT signup_id, customer_id FROM dead)`, now.Add(-resetsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT id
				FROM signups s
				WHERE biller_id = $1 AND step = 'void' AND expires_at <= $2 AND NOT EXISTS (
					SELECT 1
					FROM signup_customers c
					WHERE c.biller_id = $1 AND c.signup_id = s.id
				)
				LIMIT $3` + skip + `)
			DELETE FROM signups
			WHERE biller_id = $1 AND id IN (SELECT id FROM dead)`, now.Add(-resetsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT hash
				FROM tokens
				WHERE biller_id = $1 AND expires_at <= $2 AND expires_at > $2 - 2592000000000 AND purpose <> 'invitation'
				LIMIT $3` + skip + `)
			DELETE FROM tokens
			WHERE biller_id = $1 AND hash IN (SELECT hash FROM dead)`, now.Add(-resetsKept)},
		{`WITH dead AS MATERIALIZED (
				SELECT hash
				FROM tokens
				WHERE biller_id = $1 AND expires_at <= $2
				LIMIT $3` + skip + `)
			DELETE FROM tokens
			WHERE biller_id = $1 AND hash IN (SELECT hash FROM dead)`, now.Add(-tokensKept)},
	}
}

// Sweep implements portal.CustomerStore. Each statement stands alone.
func (s *Store) Sweep(ctx context.Context, biller string, now time.Time, limit int) (int, error) {
	most := 0
	for _, d := range slices.Concat(sweepsOfPeople(s.db.SkipLocked(), now), sweepsOfAskings(s.db.SkipLocked(), now)) {
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
	if errors.Is(err, portal.ErrUnknownLink) {
		return nil // erased meanwhile
	}
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
