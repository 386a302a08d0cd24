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
	staff, err := s.staffWhere(ctx, `
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
	out := make([]books.StaffSeen, len(staff))
	for i, p := range staff {
		out[i] = books.StaffSeen{Staff: p, LastSignIn: last[p.ID]}
	}
	return out, nil
}
