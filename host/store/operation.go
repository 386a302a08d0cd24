package store

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
)

type operationRow struct {
	ID       string    `db:"id"`
	At       time.Time `db:"at"`
	StaffID  string    `db:"staff_id"`
	By       string    `db:"by_name"`
	Action   string    `db:"action"`
	AddonID  string    `db:"addon_id"`
	BillerID string    `db:"subject_biller"`
	From     string    `db:"from_version"`
	To       string    `db:"to_version"`
	Detail   string    `db:"detail"`
}

// Operations returns what was done to an add-on of the platform, to all if
// addonID is empty, the newest first, limit at most. It is the operators' and
// names no biller's data.
func (s *Store) Operations(ctx context.Context, addonID string, limit int) ([]addon.Operation, error) {
	var rows []operationRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			id,
			at,
			staff_id,
			by_name,
			action,
			addon_id,
			subject_biller,
			from_version,
			to_version,
			detail
		FROM operations
		WHERE (addon_id = $1 OR CAST($1 AS TEXT) = '')
		ORDER BY id DESC
		LIMIT $2`,
		addonID, limit)
	if err != nil {
		return nil, fmt.Errorf("list operations: %w", err)
	}
	list := make([]addon.Operation, len(rows))
	for i, r := range rows {
		list[i] = addon.Operation(r)
		list[i].At = r.At.UTC()
	}
	return list, nil
}

// record appends to the operators' audit, in the transaction of what was done.
func (s *Store) record(ctx context.Context, tx *sqlx.Tx, o addon.Operation) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make id: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO operations (
			id,
			at,
			staff_id,
			by_name,
			action,
			addon_id,
			subject_biller,
			from_version,
			to_version,
			detail
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id.String(), s.now(), o.StaffID, o.By, o.Action, o.AddonID, o.BillerID, o.From, o.To, o.Detail)
	if err != nil {
		return fmt.Errorf("record operation: %w", err)
	}
	return nil
}

// recorded does one thing, records it and tells all hosts: all of that or nothing. do tells whether it
// changed anything; what changes nothing is not recorded.
func (s *Store) recorded(ctx context.Context, o addon.Operation, do func(*sqlx.Tx) (bool, error)) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	changed, err := do(tx)
	if err != nil || !changed {
		return err
	}
	if err := s.record(ctx, tx, o); err != nil {
		return err
	}
	if err := s.notify(ctx, tx, o.AddonID); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
