package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TakeAttempt implements portal.AccountStore.
func (s *Store) TakeAttempt(ctx context.Context, biller, key string, rule portal.Attempts, now time.Time) (time.Time, error) {
	return takeAttempt(ctx, s.db.W, biller, key, rule, now)
}

func takeAttempt(ctx context.Context, q querier, biller, key string, rule portal.Attempts, now time.Time) (time.Time, error) {
	var row struct {
		Tries  int  `db:"tries"`
		EndsAt when `db:"ends_at"`
	}
	_, err := get(ctx, q, &row, `
		INSERT INTO throttles (biller_id, name, tries, ends_at)
		VALUES ($1, $2, 1, $3)
		ON CONFLICT (biller_id, name) DO UPDATE SET
			tries = CASE WHEN throttles.ends_at <= $4 THEN 1 ELSE throttles.tries + 1 END,
			ends_at = CASE WHEN throttles.ends_at <= $4 THEN excluded.ends_at ELSE throttles.ends_at END
		RETURNING
			tries,
			ends_at`, biller, key, us(now.Add(rule.Window)), us(now))
	if err != nil {
		return time.Time{}, fmt.Errorf("count attempt: %w", err)
	}
	if row.Tries > rule.Limit {
		return row.EndsAt.Time, nil
	}
	return time.Time{}, nil
}

// ClearAttempts implements portal.AccountStore.
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
