package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TakeAttempt implements portal.ThrottleStore.
func (s *Store) TakeAttempt(ctx context.Context, biller, key string, rule portal.Attempts, now time.Time) (time.Time, error) {
	return takeAttempt(ctx, s.db.W, biller, key, rule, now)
}

func takeAttempt(ctx context.Context, q querier, biller, key string, rule portal.Attempts, now time.Time) (time.Time, error) {
	return takeBudgets(ctx, q, biller, []portal.Budget{{Name: key, Attempts: rule}}, now)
}

// takeBudgets counts a try in each budget and returns when the last of those that
// are used up ends; zero if none is.
func takeBudgets(ctx context.Context, q querier, biller string, budgets []portal.Budget, now time.Time) (retryAt time.Time, err error) {
	values, args, limits := []string{}, []any{biller, us(now)}, map[string]int{}
	for _, b := range budgets {
		n := len(args)
		values = append(values, fmt.Sprintf("($1, $%d, 1, $%d)", n+1, n+2))
		args = append(args, b.Name, us(now.Add(b.Window)))
		limits[b.Name] = b.Limit
	}
	var rows []struct {
		Name   string `db:"name"`
		Tries  int    `db:"tries"`
		EndsAt when   `db:"ends_at"`
	}
	err = selectAll(ctx, q, &rows, `
		INSERT INTO throttles (biller_id, name, tries, ends_at)
		VALUES `+strings.Join(values, ", ")+`
		ON CONFLICT (biller_id, name) DO UPDATE SET
			tries = CASE WHEN throttles.ends_at <= $2 THEN 1 ELSE throttles.tries + 1 END,
			ends_at = CASE WHEN throttles.ends_at <= $2 THEN excluded.ends_at ELSE throttles.ends_at END
		RETURNING
			name,
			tries,
			ends_at`, args...)
	if err != nil {
		return time.Time{}, fmt.Errorf("count try: %w", err)
	}
	for _, r := range rows {
		if r.Tries > limits[r.Name] && r.EndsAt.After(retryAt) {
			retryAt = r.EndsAt.Time
		}
	}
	return retryAt, nil
}

// ClearAttempts implements portal.ThrottleStore.
func (s *Store) ClearAttempts(ctx context.Context, biller, key string) error {
	return clearAttempts(ctx, s.db.W, biller, key)
}

func clearAttempts(ctx context.Context, q querier, biller, key string) error {
	_, err := q.ExecContext(ctx, `
		DELETE FROM throttles
		WHERE biller_id = $1 AND name = $2`, biller, key)
	if err != nil {
		return fmt.Errorf("clear attempts: %w", err)
	}
	return nil
}

// clearSignIns forgets the tries to sign in as the user, in all browsers.
func (s *Store) clearSignIns(ctx context.Context, q querier, biller string, u portal.User) error {
	_, err := q.ExecContext(ctx, `
		DELETE FROM throttles
		WHERE biller_id = $1 AND name IN (
			SELECT CAST($2 AS TEXT)
			UNION ALL
			SELECT CAST($2 AS TEXT) || ' ' || hash
			FROM devices
			WHERE biller_id = $1 AND user_id = $3
		)`, biller, portal.SignInKey(s.keys, biller, u.EmailNorm), u.ID)
	if err != nil {
		return fmt.Errorf("clear tries to sign in: %w", err)
	}
	return nil
}

// TakeTry implements portal.ThrottleStore.
func (s *Store) TakeTry(ctx context.Context, biller string, t portal.Try, now time.Time) (taken portal.Taken, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Taken{}, err
	}
	defer tx.Rollback()
	if len(t.Budgets) > 0 {
		if taken.RetryAt, err = takeBudgets(ctx, tx, biller, t.Budgets, now); err != nil {
			return portal.Taken{}, err
		}
	}
	if t.Account != "" && taken.RetryAt.IsZero() {
		if taken, err = takeDelayed(ctx, tx, biller, t, now); err != nil {
			return portal.Taken{}, err
		}
	}
	return taken, tx.Commit()
}

// takeDelayed counts a try of an account under the lock of its row.
func takeDelayed(ctx context.Context, tx *sqlx.Tx, biller string, t portal.Try, now time.Time) (portal.Taken, error) {
	var row struct {
		Tries   int  `db:"tries"`
		Refused int  `db:"refused"`
		OpenAt  when `db:"open_at"`
		EndsAt  when `db:"ends_at"`
	}
	_, err := get(ctx, tx, &row, `
		INSERT INTO throttles (biller_id, name, tries, ends_at, open_at, refused)
		VALUES ($1, $2, 0, 0, 0, 0)
		ON CONFLICT (biller_id, name) DO UPDATE SET name = excluded.name
		RETURNING
			tries,
			refused,
			open_at,
			ends_at`, biller, t.Account)
	if err != nil {
		return portal.Taken{}, fmt.Errorf("lock tries: %w", err)
	}
	next, retryAt := t.Delays.Next(portal.Tries{
		Count: row.Tries, OpenAt: row.OpenAt.Time, ForgottenAt: row.EndsAt.Time, Refused: row.Refused,
	}, now)
	_, err = tx.ExecContext(ctx, `
		UPDATE throttles
		SET
			tries = $1,
			refused = $2,
			open_at = $3,
			ends_at = $4
		WHERE biller_id = $5 AND name = $6`, next.Count, next.Refused, us(next.OpenAt), us(next.ForgottenAt), biller, t.Account)
	if err != nil {
		return portal.Taken{}, fmt.Errorf("count try: %w", err)
	}
	return portal.Taken{RetryAt: retryAt, Wrong: next.Count}, nil
}

// ReturnTry implements portal.ThrottleStore.
func (s *Store) ReturnTry(ctx context.Context, biller string, t portal.Try, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, b := range t.Budgets {
		if _, err := tx.ExecContext(ctx, `
			UPDATE throttles
			SET tries = tries - 1
			WHERE biller_id = $1 AND name = $2 AND tries > 0 AND ends_at > $3`, biller, b.Name, us(now)); err != nil {
			return fmt.Errorf("return try: %w", err)
		}
	}
	if t.Account != "" {
		if err := clearAttempts(ctx, tx, biller, t.Account); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// RefuseSignIn implements portal.AccountStore.
func (s *Store) RefuseSignIn(ctx context.Context, biller string, r portal.Refusal) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	flooded, err := takeAttempt(ctx, tx, biller, "refused", portal.Recorded(), r.Activity.At)
	if err != nil {
		return err
	}
	if flooded.IsZero() {
		if err := keep(ctx, tx, biller, r.Activity); err != nil {
			return err
		}
	}
	if r.Blocked != nil {
		if err := s.warn(ctx, tx, biller, r.BlockedKey, *r.Blocked); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if r.Blocked != nil {
		s.wake(biller)
	}
	return nil
}

// warn keeps that the next try has to wait and tells the owner of the address. A
// flood of wrong tries does not keep it from that: these have a count of their own.
func (s *Store) warn(ctx context.Context, tx *sqlx.Tx, biller, key string, blocked portal.Activity) error {
	told, err := takeAttempt(ctx, tx, biller, key, portal.BlockedNotices(), blocked.At)
	if err != nil || !told.IsZero() {
		return err
	}
	flooded, err := takeAttempt(ctx, tx, biller, "blocked", portal.Recorded(), blocked.At)
	if err != nil || !flooded.IsZero() {
		return err
	}
	if err := keep(ctx, tx, biller, blocked); err != nil {
		return err
	}
	return s.tellPerson(ctx, tx, biller, blocked)
}
