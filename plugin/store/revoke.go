package store

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Revoke implements portal.InvitationStore.
func (s *Store) Revoke(ctx context.Context, biller string, a portal.Activity) (portal.Invitation, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Invitation{}, err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, a.CustomerID); err != nil {
		return portal.Invitation{}, err
	}
	inv, found, err := newestInvitation(ctx, tx, biller, a.CustomerID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if !found || !inv.Live(a.At) {
		return portal.Invitation{}, portal.ErrNoneOpen
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationRevoke); err != nil {
		return portal.Invitation{}, err
	}
	if err := voidSignUps(ctx, tx, biller, inv.ID); err != nil {
		return portal.Invitation{}, err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryRevoked, Detail: "The invitation to " + inv.Email + " was taken back.", By: a.By.Name}
	if err := tellCustomers(ctx, tx, biller, []string{a.CustomerID}, entry); err != nil {
		return portal.Invitation{}, err
	}
	a.Object = inv.ID
	if err := s.record(ctx, tx, biller, a); err != nil {
		return portal.Invitation{}, err
	}
	return inv, tx.Commit()
}
