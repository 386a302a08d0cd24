package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// grants returns what a user may see now.
func grants(ctx context.Context, q querier, biller, userID string) ([]portal.Grant, error) {
	var rows []struct {
		CustomerID  string `db:"customer_id"`
		Name        string `db:"name"`
		DisplayName string `db:"display_name"`
		Number      string `db:"number"`
		Right       string `db:"access_right"`
		CreatedAt   when   `db:"created_at"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			g.customer_id,
			c.name,
			c.display_name,
			c.number,
			g.access_right,
			g.created_at
		FROM grants g
		JOIN customers c ON c.biller_id = g.biller_id AND c.id = g.customer_id
		WHERE g.biller_id = $1 AND g.user_id = $2 AND g.state = 'active' AND NOT c.archived
		ORDER BY c.display_key || '', c.id`, biller, userID)
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	out := make([]portal.Grant, len(rows))
	for i, r := range rows {
		c := portal.Customer{Name: r.Name, DisplayName: r.DisplayName}
		out[i] = portal.Grant{CustomerID: r.CustomerID, Name: c.Label(), Number: r.Number, Right: portal.Right(r.Right), CreatedAt: r.CreatedAt.Time}
	}
	return out, nil
}

// grantedCustomers returns the customers whose status depends on a user.
func grantedCustomers(ctx context.Context, q querier, biller, userID string) ([]string, error) {
	var ids []string
	err := selectAll(ctx, q, &ids, `
		SELECT customer_id
		FROM grants
		WHERE biller_id = $1 AND user_id = $2 AND state = 'active'
		ORDER BY customer_id`, biller, userID)
	if err != nil {
		return nil, fmt.Errorf("read grants: %w", err)
	}
	return ids, nil
}

const selectOffers = `
	SELECT
		i.id,
		i.customer_id,
		c.number,
		c.name,
		c.display_name,
		c.display_key || '' AS display_key,
		i.expires_at
	FROM users u
	JOIN invitations i ON i.biller_id = u.biller_id AND i.email_norm = u.email_norm
	JOIN customers c ON c.biller_id = i.biller_id AND c.id = i.customer_id
	WHERE u.biller_id = $1 AND u.id = $2 AND u.state = 'active'
		AND i.state NOT IN ('accepted', 'expired', 'revoked') AND i.expires_at > $3
		AND NOT c.archived
		AND NOT EXISTS (
			SELECT 1
			FROM grants g
			WHERE g.biller_id = $1 AND g.user_id = $2 AND g.customer_id = i.customer_id AND g.state = 'active'
		)`

type offerRow struct {
	ID          string `db:"id"`
	CustomerID  string `db:"customer_id"`
	Number      string `db:"number"`
	Name        string `db:"name"`
	DisplayName string `db:"display_name"`
	DisplayKey  string `db:"display_key"`
	ExpiresAt   when   `db:"expires_at"`
}

// Offers implements portal.GrantStore.
func (s *Store) Offers(ctx context.Context, biller, userID string, matches bool, now time.Time) ([]portal.Offer, error) {
	query := selectOffers
	if matches {
		query += ` UNION ALL` + selectMatches
	}
	var rows []offerRow
	if err := selectAll(ctx, s.db.R, &rows, query+`
		ORDER BY
			display_key,
			customer_id
		LIMIT $4`, biller, userID, us(now), openCustomersAtOnce); err != nil {
		return nil, fmt.Errorf("read offers: %w", err)
	}
	out := make([]portal.Offer, len(rows))
	for i, r := range rows {
		c := portal.Customer{Name: r.Name, DisplayName: r.DisplayName}
		out[i] = portal.Offer{InvitationID: r.ID, CustomerID: r.CustomerID, CustomerName: c.Label(), Number: r.Number, ExpiresAt: r.ExpiresAt.Time}
	}
	return out, nil
}

// AddOffer implements portal.GrantStore.
func (s *Store) AddOffer(ctx context.Context, biller string, a portal.Activity) (customerID string, err error) {
	userID, invitationID, now := a.UserID, a.Object, a.At
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	if err := s.lockInvited(ctx, tx, biller, invitationID); apperr.Is(err, apperr.NotFound) {
		return "", portal.ErrOfferGone
	} else if err != nil {
		return "", err
	}
	if _, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate()); apperr.Is(err, apperr.NotFound) {
		return "", portal.ErrOfferGone // erased meanwhile
	} else if err != nil {
		return "", err
	}
	var offer offerRow
	found, err := get(ctx, tx, &offer, selectOffers+` AND i.id = $4`, biller, userID, us(now), invitationID)
	if err != nil {
		return "", fmt.Errorf("find offer: %w", err)
	}
	if !found {
		return "", portal.ErrOfferGone
	}
	inv, err := findInvitation(ctx, tx, biller, invitationID)
	if err != nil {
		return "", err
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationAccept); err != nil {
		return "", err
	}
	if err := voidSignUps(ctx, tx, biller, inv.ID); err != nil {
		return "", err
	}
	if err := grantInvited(ctx, tx, biller, userID, inv.CustomerID, inv, now); err != nil {
		return "", err
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryAdded, Detail: inv.Email + " added this customer to an existing sign-in."}
	if err := tellCustomers(ctx, tx, biller, []string{inv.CustomerID}, entry); err != nil {
		return "", err
	}
	a.CustomerID = inv.CustomerID
	if err := s.record(ctx, tx, biller, a); err != nil {
		return "", err
	}
	if err := tx.Commit(); err != nil {
		return "", err
	}
	s.wake(biller)
	return inv.CustomerID, nil
}

// grantInvited makes, or renews, the grant of an invitation that a user accepts.
func grantInvited(ctx context.Context, q querier, biller, userID, customerID string, inv portal.Invitation, now time.Time) error {
	return choose(ctx, q, biller, userID, customerID, portal.GrantAdd, inv.Right, keptBy(inv), now)
}

// choose writes what a user decided about access to a customer. ErrOfferGone if
// that cannot be decided, or not any more.
func choose(ctx context.Context, q querier, biller, userID, customerID string, e portal.GrantEvent, right portal.Right, kept string, now time.Time) error {
	from, err := grantState(ctx, q, biller, userID, customerID)
	if err != nil {
		return err
	}
	next, ok := from.Next(e)
	if !ok {
		return portal.ErrOfferGone
	}
	chosen, err := one(ctx, q, `
		INSERT INTO grants (biller_id, user_id, customer_id, state, created_at, access_right, kept)
		VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (biller_id, user_id, customer_id) DO UPDATE SET
			state = excluded.state,
			created_at = excluded.created_at,
			access_right = excluded.access_right,
			kept = excluded.kept
		WHERE grants.state = $8`, biller, userID, customerID, string(next), us(now), string(right), kept, string(from))
	if err != nil {
		return fmt.Errorf("insert grant: %w", err)
	}
	if !chosen {
		return portal.ErrOfferGone
	}
	return nil
}

// grantState reads the state of a grant.
func grantState(ctx context.Context, q querier, biller, userID, customerID string) (portal.GrantState, error) {
	var state string
	_, err := get(ctx, q, &state, `
		SELECT state
		FROM grants
		WHERE biller_id = $1 AND user_id = $2 AND customer_id = $3`, biller, userID, customerID)
	if err != nil {
		return portal.GrantNone, fmt.Errorf("find grant: %w", err)
	}
	return portal.GrantState(state), nil
}

// removeGrant takes access away. ErrNoPerson if the user has none.
func removeGrant(ctx context.Context, q querier, biller, userID, customerID string) error {
	from, err := grantState(ctx, q, biller, userID, customerID)
	if err != nil {
		return err
	}
	next, ok := from.Next(portal.GrantRemove)
	if !ok {
		return portal.ErrNoPerson
	}
	removed, err := one(ctx, q, `
		UPDATE grants
		SET state = $1
		WHERE biller_id = $2 AND user_id = $3 AND customer_id = $4 AND state = $5`,
		string(next), biller, userID, customerID, string(from))
	if err != nil {
		return fmt.Errorf("remove grant: %w", err)
	}
	if !removed {
		return portal.ErrNoPerson
	}
	return nil
}
