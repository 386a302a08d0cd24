package store

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Note implements portal.NoteStore.
func (s *Store) Note(ctx context.Context, biller string, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	return tx.Commit()
}
