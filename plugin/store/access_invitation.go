package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// accessInvitations are those of a customer that answered requests and still
// matter: open ones, and ones that expired and can be sent again.
func accessInvitations(ctx context.Context, q querier, biller, customerID string) ([]portal.Invitation, error) {
	var rows []invitationRow
	if err := selectAll(ctx, q, &rows, selectInvitation+`
		AND customer_id = $2 AND request_id <> '' AND state NOT IN ('accepted', 'revoked')
		ORDER BY created_at, id`, biller, customerID); err != nil {
		return nil, fmt.Errorf("read invitations: %w", err)
	}
	out := make([]portal.Invitation, len(rows))
	for i, r := range rows {
		out[i] = r.invitation()
	}
	return out, nil
}

// expireAccess closes a customer's requests and invitations of requesters whose
// time is over.
func expireAccess(ctx context.Context, tx *sqlx.Tx, biller, customerID string, now time.Time) error {
	list, err := accessInvitations(ctx, tx, biller, customerID)
	if err != nil {
		return err
	}
	for _, inv := range list {
		if !inv.State.Open() || inv.Live(now) {
			continue
		}
		if err := expire(ctx, tx, biller, inv, now); err != nil {
			return err
		}
	}
	return expireRequests(ctx, tx, biller, customerID, now)
}

// revokeAllAccess ends the open invitations of requesters of a customer.
func revokeAllAccess(ctx context.Context, tx *sqlx.Tx, biller, customerID, why string, now time.Time) error {
	list, err := accessInvitations(ctx, tx, biller, customerID)
	if err != nil {
		return err
	}
	for _, inv := range list {
		if !inv.State.Open() {
			continue
		}
		if err := revokeInvitation(ctx, tx, biller, inv, portal.HistoryEntry{At: now, Kind: portal.HistoryRevoked, Detail: why}); err != nil {
			return err
		}
	}
	return nil
}

// replaceAccess ends the open invitations of requesters whose address has become
// the customer's own, which is invited itself now.
func replaceAccess(ctx context.Context, tx *sqlx.Tx, biller string, c customerRow, by portal.Actor, now time.Time) error {
	list, err := accessInvitations(ctx, tx, biller, c.ID)
	if err != nil {
		return err
	}
	for _, inv := range list {
		if !inv.State.Open() || inv.EmailNorm != c.EmailNorm {
			continue
		}
		entry := portal.HistoryEntry{At: now, Kind: portal.HistoryRevoked, Detail: "The customer is invited at " + inv.Email + " itself.", By: by.Name}
		if err := revokeInvitation(ctx, tx, biller, inv, entry); err != nil {
			return err
		}
	}
	return nil
}

// revokeInvitation ends an open invitation and the sign-ups on it.
func revokeInvitation(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, entry portal.HistoryEntry) error {
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationRevoke); err != nil {
		return err
	}
	if err := voidSignUps(ctx, tx, biller, inv.ID); err != nil {
		return err
	}
	return addHistory(ctx, tx, biller, inv.CustomerID, entry)
}

// lockAccessInvitation locks the customer of an invitation that answered a request.
func (s *Store) lockAccessInvitation(ctx context.Context, tx *sqlx.Tx, biller, id string) (portal.Invitation, error) {
	if err := s.lockInvited(ctx, tx, biller, id); err != nil {
		return portal.Invitation{}, err
	}
	inv, err := findInvitation(ctx, tx, biller, id)
	if err == nil && inv.RequestID == "" {
		err = apperr.Errorf(apperr.NotFound, "There is no such invitation.")
	}
	return inv, err
}

// RevokeAccess implements portal.AccessStore.
func (s *Store) RevokeAccess(ctx context.Context, biller, invitationID string, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	inv, err := s.lockAccessInvitation(ctx, tx, biller, invitationID)
	if err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryRevoked, Detail: "The invitation to " + inv.Email + " was revoked.", By: a.By.Name}
	if err := revokeInvitation(ctx, tx, biller, inv, entry); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, a.At); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	return tx.Commit()
}

// RenewAccess implements portal.AccessStore.
func (s *Store) RenewAccess(ctx context.Context, biller, invitationID, permit string, life time.Duration, a portal.Activity) (portal.Invitation, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Invitation{}, err
	}
	defer tx.Rollback()
	inv, err := s.lockAccessInvitation(ctx, tx, biller, invitationID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if err := limitRenewing(ctx, tx, biller, inv, a.At); err != nil {
		return portal.Invitation{}, err
	}
	if err := canBeLetIn(ctx, tx, biller, inv, a.At); err != nil {
		return portal.Invitation{}, err
	}
	if permit != "" {
		inv.Permit = permit
	}
	if inv, err = nextGeneration(ctx, tx, biller, inv, a.At, life); err != nil {
		return portal.Invitation{}, err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryApproved, Detail: "Invitation of their own to " + inv.Email + ", sent again.", By: a.By.Name}
	if err := s.announceAccess(ctx, tx, biller, inv, entry); err != nil {
		return portal.Invitation{}, err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, a.At); err != nil {
		return portal.Invitation{}, err
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return portal.Invitation{}, err
	}
	if err := tx.Commit(); err != nil {
		return portal.Invitation{}, err
	}
	s.wake(biller)
	return inv, nil
}

// limitRenewing holds the same limits as CheckSend, per invitation.
func limitRenewing(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, now time.Time) error {
	if err := portal.CheckSend([]time.Time{inv.QueuedAt}, now); err != nil {
		return err
	}
	rule := portal.Attempts{Limit: portal.SendsADay - 1, Window: portal.SendWindow}
	usedUp, err := takeAttempt(ctx, tx, biller, "renew:"+inv.ID, rule, now)
	if err == nil && !usedUp.IsZero() {
		err = apperr.Throttled(usedUp.Sub(now), "This person was invited %d times in the last 24 hours. Send again tomorrow.", portal.SendsADay)
	}
	return err
}
