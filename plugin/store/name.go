package store

import (
	"context"
	"fmt"
)

// namesOf is of how many customers the names make no password.
const namesOf = 20

// Names implements portal.NameStore.
func (s *Store) Names(ctx context.Context, biller, emailNorm string) ([]string, error) {
	var names []string
	if err := selectAll(ctx, s.db.R, &names, `
		SELECT c.name || ' ' || c.display_name || ' ' || c.company
		FROM customers c
		WHERE c.biller_id = $1 AND c.id IN (
			SELECT g.customer_id
			FROM users u
			JOIN grants g ON g.biller_id = u.biller_id AND g.user_id = u.id
			WHERE u.biller_id = $1 AND u.email_norm = $2 AND g.state = 'active'
			UNION ALL
			SELECT i.customer_id
			FROM signups s
			JOIN invitations i ON i.biller_id = s.biller_id AND i.id = s.invitation_id
			WHERE s.biller_id = $1 AND s.email_norm = $2 AND s.step IN ('profile', 'confirm')
			UNION ALL
			SELECT o.id
			FROM customers o
			WHERE o.biller_id = $1 AND o.email_norm = $2 AND o.email_norm <> '' AND NOT o.archived AND o.status <> 'Disabled'
		)
		ORDER BY c.id
		LIMIT $3`, biller, emailNorm, namesOf); err != nil {
		return nil, fmt.Errorf("find names: %w", err)
	}
	return names, nil
}
