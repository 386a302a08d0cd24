package store

import (
	"context"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// RecordRefusal writes into the audit of a staff user's biller that a request of
// theirs was refused, why, and for which page: as many as books.DenialsKept says.
func (s *Store) RecordRefusal(ctx context.Context, staff books.Staff, why, page string) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, b := range books.DenialsKept(staff.ID, staff.BillerID) {
		full, err := s.count(ctx, tx, []books.Budget{b}, s.now())
		if err != nil {
			return err
		}
		if !full.IsZero() {
			return tx.Commit()
		}
	}
	record := addon.AuditRecord{Action: books.AuditStaffDenied, StaffID: staff.ID, Detail: map[string]string{"why": why, "page": page}}
	if err := s.audit(ctx, tx, staff.BillerID, record); err != nil {
		return err
	}
	return tx.Commit()
}
