package store

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host/addon"
)

// StaffWith implements host.Platform; of more than 500 people it looks at the 500
// who were added first.
func (s *Store) StaffWith(ctx context.Context, biller, ability string) ([]addon.Staff, error) {
	staff, err := s.staffWhere(ctx, `
			AND NOT disabled
		ORDER BY id
		LIMIT 500`, biller)
	if err != nil {
		return nil, fmt.Errorf("list staff with ability: %w", err)
	}
	var out []addon.Staff
	for _, person := range staff {
		if p := person.Addon(); p.Can(ability) {
			out = append(out, p)
		}
	}
	return out, nil
}
