package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// selectMatches finds the customers with the confirmed address of a user ($2) to
// whom nothing was said about them yet: neither archived nor disabled ones, none
// that are or were granted or that the person dismissed, and none with an
// invitation that is offered anyway.
const selectMatches = `
	SELECT
		'' AS id,
		c.id AS customer_id,
		c.number,
		c.name,
		c.display_name,
		c.display_key || '' AS display_key,
		0 AS expires_at
	FROM users u
	JOIN customers c ON c.biller_id = u.biller_id AND c.email_norm = u.email_norm
	WHERE u.biller_id = $1 AND u.id = $2 AND u.state = 'active' AND u.confirmed_at > 0
		AND c.email_norm <> '' AND NOT c.archived AND c.status <> 'Disabled'
		AND NOT EXISTS (
			SELECT 1
			FROM grants g
			WHERE g.biller_id = $1 AND g.user_id = $2 AND g.customer_id = c.id
		)
		AND NOT EXISTS (
			SELECT 1
			FROM invitations i
			WHERE i.biller_id = $1 AND i.customer_id = c.id AND i.email_norm = u.email_norm
				AND i.state NOT IN ('accepted', 'expired', 'revoked') AND i.expires_at > $3
		)`

// AddMatch implements portal.GrantStore.
func (s *Store) AddMatch(ctx context.Context, biller string, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	u, err := s.lockMatch(ctx, tx, biller, a.UserID, a.CustomerID, a.At)
	if err != nil {
		return err
	}
	if err := choose(ctx, tx, biller, a.UserID, a.CustomerID, portal.GrantAdd, portal.RightPayer, "", a.At); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryAdded, Detail: u.Email + " added this customer to an existing sign-in, which has the address of the customer."}
	if err := tellCustomers(ctx, tx, biller, []string{a.CustomerID}, entry); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// DismissMatch implements portal.GrantStore.
func (s *Store) DismissMatch(ctx context.Context, biller, userID, customerID string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockMatch(ctx, tx, biller, userID, customerID, now); err != nil {
		return err
	}
	if err := choose(ctx, tx, biller, userID, customerID, portal.GrantDismiss, portal.RightPayer, "", now); err != nil {
		return err
	}
	return tx.Commit()
}

// lockMatch locks the customer and the user of a match, in the order of everybody
// who locks both; ErrOfferGone if it is none, or none any more.
func (s *Store) lockMatch(ctx context.Context, tx *sqlx.Tx, biller, userID, customerID string, now time.Time) (portal.User, error) {
	if _, err := s.lockCustomer(ctx, tx, biller, customerID); apperr.Is(err, apperr.NotFound) {
		return portal.User{}, portal.ErrOfferGone
	} else if err != nil {
		return portal.User{}, err
	}
	u, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate())
	if apperr.Is(err, apperr.NotFound) {
		return portal.User{}, portal.ErrOfferGone
	}
	if err != nil {
		return portal.User{}, err
	}
	var match offerRow
	found, err := get(ctx, tx, &match, selectMatches+` AND c.id = $4`, biller, userID, us(now), customerID)
	if err != nil {
		return portal.User{}, fmt.Errorf("find match: %w", err)
	}
	if !found {
		return portal.User{}, portal.ErrOfferGone
	}
	return u, nil
}
