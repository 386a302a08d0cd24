package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// EnableBiller implements portal.BillerStore.
func (s *Store) EnableBiller(ctx context.Context, biller string, agreement portal.Agreement, now time.Time) (first bool, err error) {
	err = again(func() error {
		first, err = s.enableBiller(ctx, biller, agreement, now)
		return err
	})
	if err != nil {
		return false, err
	}
	s.wake(biller)
	return first, nil
}

func (s *Store) enableBiller(ctx context.Context, biller string, agreement portal.Agreement, now time.Time) (first bool, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	known, err := s.lockBiller(ctx, tx, biller)
	if err != nil {
		return false, err
	}
	if err := openBiller(ctx, tx, biller, known, now); err != nil {
		return false, err
	}
	if _, err := insertAgreement(ctx, tx, biller, portal.AgreementVersion{Agreement: agreement}); err != nil {
		return false, err
	}
	for _, kind := range []string{portal.JobSync, portal.JobRefresh} {
		if err := schedule(ctx, tx, biller, kind, now); err != nil {
			return false, err
		}
	}
	return !known, tx.Commit()
}

// openBiller marks a locked biller as enabled, or makes it known; errOvertaken if
// somebody makes it known just now.
func openBiller(ctx context.Context, tx *sqlx.Tx, biller string, known bool, now time.Time) error {
	query, args := `
		UPDATE billers
		SET enabled = $1
		WHERE biller_id = $2`, []any{true, biller}
	if !known {
		query, args = `
		INSERT INTO billers (enabled, biller_id, created_at)
		VALUES ($1, $2, $3)
		ON CONFLICT (biller_id) DO NOTHING`, []any{true, biller, us(now)}
	}
	done, err := one(ctx, tx, query, args...)
	if err != nil {
		return fmt.Errorf("enable biller: %w", err)
	}
	if !done {
		return errOvertaken
	}
	return nil
}

// Schedule implements portal.BillerStore.
func (s *Store) Schedule(ctx context.Context, biller, kind string, at time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if known, err := s.lockBiller(ctx, tx, biller); err != nil || !known {
		return err
	}
	if err := schedule(ctx, tx, biller, kind, at); err != nil {
		return err
	}
	return tx.Commit()
}

// lockBiller tells whether the biller is one of the portal's, enabled or not, and
// keeps it from being purged until the transaction ends.
func (s *Store) lockBiller(ctx context.Context, tx *sqlx.Tx, biller string) (known bool, err error) {
	var id string
	known, err = get(ctx, tx, &id, `
		SELECT biller_id
		FROM billers
		WHERE biller_id = $1`+s.db.ForUpdate(), biller)
	if err != nil {
		return false, fmt.Errorf("lock biller: %w", err)
	}
	return known, nil
}

func schedule(ctx context.Context, tx *sqlx.Tx, biller, kind string, at time.Time) error {
	return jobs.Enqueue(ctx, tx, jobs.Job{
		Biller:  biller,
		Kind:    kind,
		IdemKey: kind + "/" + at.UTC().Format(time.RFC3339),
		RunAt:   at,
	})
}

// DisableBiller implements portal.BillerStore.
func (s *Store) DisableBiller(ctx context.Context, biller string) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE billers
		SET enabled = $1
		WHERE biller_id = $2`, false, biller)
	if err != nil {
		return fmt.Errorf("disable biller: %w", err)
	}
	return nil
}

// PurgeBiller implements portal.BillerStore.
func (s *Store) PurgeBiller(ctx context.Context, biller string) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, lock := range []string{
		`SELECT biller_id FROM billers WHERE biller_id = $1`,
		`SELECT id FROM customers WHERE biller_id = $1 ORDER BY id`,
		`SELECT id FROM users WHERE biller_id = $1 ORDER BY id`,
	} {
		if _, err := tx.ExecContext(ctx, lock+s.db.ForUpdate(), biller); err != nil {
			return fmt.Errorf("lock everything: %w", err)
		}
	}
	for _, table := range tables() {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE biller_id = $1`, biller); err != nil {
			return fmt.Errorf("purge %s: %w", table, err)
		}
	}
	if err := jobs.Purge(ctx, tx, biller); err != nil {
		return err
	}
	return tx.Commit()
}

// tables lists all tables: billers first, which keeps late writers out, then those
// that refer to later ones, and in the order of locks as far as they do not.
func tables() []string {
	return []string{
		"billers", "erased_acceptances", "acceptances", "agreements", "access_requests", "sessions", "devices", "address_changes", "grants",
		"signup_customers", "signups", "history", "invitations", "customer_terms", "proofs", "resets", "users", "customers",
		"tokens", "throttles", "activity",
	}
}
