package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
)

type approvalRow struct {
	AddonID    string    `db:"addon_id"`
	ApprovedBy string    `db:"approved_by"`
	ApprovedAt time.Time `db:"approved_at"`
}

// Approvals returns what the operator lets billers install, by add-on.
func (s *Store) Approvals(ctx context.Context) (map[string]addon.Approval, error) {
	var rows []approvalRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			addon_id,
			approved_by,
			approved_at
		FROM approvals`)
	if err != nil {
		return nil, fmt.Errorf("list approvals: %w", err)
	}
	list := map[string]addon.Approval{}
	for _, r := range rows {
		list[r.AddonID] = addon.Approval{AddonID: r.AddonID, ApprovedBy: r.ApprovedBy, ApprovedAt: r.ApprovedAt.UTC()}
	}
	return list, nil
}

// Approve lets billers install an add-on. Approving again changes nothing: the
// first one counts.
func (s *Store) Approve(ctx context.Context, o addon.Operation) error {
	return s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			INSERT INTO approvals (
				addon_id,
				approved_by,
				approved_at
			)
			VALUES ($1, $2, $3)
			ON CONFLICT (addon_id) DO NOTHING`,
			o.AddonID, o.By, s.now())
		n, err := affected(res, err, "approve add-on")
		return n > 0, err
	})
}

// Disapprove keeps further billers from installing an add-on; those who have it
// keep it. Nothing happens if it is not approved.
func (s *Store) Disapprove(ctx context.Context, o addon.Operation) error {
	return s.recorded(ctx, o, func(tx *sqlx.Tx) (bool, error) {
		res, err := tx.ExecContext(ctx, `
			DELETE FROM approvals
			WHERE addon_id = $1`, o.AddonID)
		n, err := affected(res, err, "disapprove add-on")
		return n > 0, err
	})
}
