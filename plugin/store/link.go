package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Link implements portal.LinkStore.
func (s *Store) Link(ctx context.Context, biller, tokenHash string, now time.Time) (portal.Link, error) {
	token, err := findToken(ctx, s.db.R, biller, tokenHash, portal.PurposeInvitation)
	if err != nil {
		return portal.Link{}, err
	}
	link, err := readLink(ctx, s.db.R, biller, token.SubjectID, now)
	link.Token = token
	return link, err
}

// readLink reads everything about an invitation that decides what its link does.
func readLink(ctx context.Context, q querier, biller, invitationID string, now time.Time) (portal.Link, error) {
	inv, err := findInvitation(ctx, q, biller, invitationID)
	if err != nil {
		return portal.Link{}, err
	}
	customer, err := findCustomer(ctx, q, biller, inv.CustomerID)
	if err != nil {
		return portal.Link{}, err
	}
	link := portal.Link{Invitation: inv, Customer: customer.customer()}
	su, found, err := liveSignUp(ctx, q, biller, inv.ID, now)
	if err != nil {
		return portal.Link{}, err
	}
	if found {
		link.SignUp = &su
	}
	a, err := accountOf(ctx, q, biller, inv.EmailNorm, inv.CustomerID)
	link.AccountID, link.HasGrant, link.Accepted = a.UserID, a.Granted, a.Accepted
	return link, err
}

// account is the user with an address, as far as one customer is concerned.
type account struct {
	// UserID is empty if nobody has the address.
	UserID string `db:"id"`
	// Disabled tells that staff switched the sign-in off.
	Disabled bool `db:"disabled"`
	// Granted tells of access to the customer, Accepted of any agreement accepted.
	Granted  bool `db:"granted"`
	Accepted bool `db:"accepted"`
}

// accountOf finds the user with an address, and whether it has access to a customer.
func accountOf(ctx context.Context, q querier, biller, emailNorm, customerID string) (account, error) {
	var a account
	_, err := get(ctx, q, &a, `
		SELECT
			u.id,
			u.state = 'disabled' AS disabled,
			EXISTS (
				SELECT 1
				FROM grants g
				WHERE g.biller_id = $1 AND g.user_id = u.id AND g.customer_id = $3 AND g.state = 'active'
			) AS granted,
			EXISTS (
				SELECT 1
				FROM acceptances a
				WHERE a.biller_id = $1 AND a.user_id = u.id
			) AS accepted
		FROM users u
		WHERE u.biller_id = $1 AND u.email_norm = $2`, biller, emailNorm, customerID)
	if err != nil {
		return account{}, fmt.Errorf("find account: %w", err)
	}
	return a, nil
}

// MarkOpened implements portal.LinkStore.
func (s *Store) MarkOpened(ctx context.Context, biller, invitationID string, generation int, now time.Time) error {
	inv, err := findInvitation(ctx, s.db.R, biller, invitationID)
	if err != nil {
		return err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, inv.CustomerID); err != nil {
		return err
	}
	opened, err := one(ctx, tx, `
		UPDATE invitations
		SET opened_at = $1
		WHERE biller_id = $2 AND id = $3 AND generation = $4 AND opened_at = 0`,
		us(now), biller, invitationID, generation)
	if err != nil {
		return fmt.Errorf("mark opened: %w", err)
	}
	if !opened {
		return nil
	}
	if inv, err = findInvitation(ctx, tx, biller, invitationID); err != nil || !inv.Live(now) {
		return err
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationOpen); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryOpened, Detail: "The link was opened. Some mail systems open links by themselves."}
	if err := addHistory(ctx, tx, biller, inv.CustomerID, entry); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, now); err != nil {
		return err
	}
	return tx.Commit()
}
