package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// StaffSeen returns all staff of the biller by name, disabled ones included, with
// the last sign-in of each.
func (s *Store) StaffSeen(ctx context.Context, biller string) ([]books.StaffSeen, error) {
	var rows []staffRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			biller_id,
			id,
			email,
			name,
			CASE WHEN operator THEN 'operator' ELSE role END AS role,
			disabled
		FROM staff
		WHERE biller_id = $1
		ORDER BY name, id`, biller)
	if err != nil {
		return nil, fmt.Errorf("list staff: %w", err)
	}
	var seen []struct {
		StaffID string    `db:"staff_id"`
		At      time.Time `db:"at"`
	}
	err = s.db.R.SelectContext(ctx, &seen, `
		SELECT
			a.staff_id,
			a.at
		FROM staff p
		JOIN audit a
			ON a.biller_id = p.biller_id
			AND a.id = (
				SELECT l.id
				FROM audit l
				WHERE l.biller_id = $1
					AND l.staff_id = p.id
					AND l.action = $2
				ORDER BY l.at DESC, l.id DESC
				LIMIT 1
			)
		WHERE p.biller_id = $1
			AND a.biller_id = $1`, biller, books.AuditStaffSignedIn)
	if err != nil {
		return nil, fmt.Errorf("list last sign-ins: %w", err)
	}
	last := map[string]time.Time{}
	for _, r := range seen {
		last[r.StaffID] = r.At.UTC()
	}
	out := make([]books.StaffSeen, len(rows))
	for i, r := range rows {
		out[i] = books.StaffSeen{Staff: r.staff(), LastSignIn: last[r.ID]}
	}
	return out, nil
}
