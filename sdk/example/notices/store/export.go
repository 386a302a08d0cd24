package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
)

// Each calls f with every notice of the biller, by id, until f fails.
func (s *Store) Each(ctx context.Context, biller string, f func(notice.Notice) error) (err error) {
	rows, err := s.db.R.QueryContext(ctx, `
		SELECT
			id,
			text,
			first_day,
			last_day,
			written_by
		FROM notices
		WHERE biller_id = $1
		ORDER BY id`, biller)
	if err != nil {
		return fmt.Errorf("read notices: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var n notice.Notice
		if err := rows.Scan(&n.ID, &n.Text, &n.FirstDay, &n.LastDay, &n.WrittenBy); err != nil {
			return fmt.Errorf("read notice: %w", err)
		}
		if err := f(n); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read notices: %w", err)
	}
	return nil
}
