package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type accessRow struct {
	ID          string `db:"id"`
	CustomerID  string `db:"customer_id"`
	Name        string `db:"name"`
	Email       string `db:"email"`
	EmailNorm   string `db:"email_norm"`
	Message     string `db:"message"`
	Permit      string `db:"permit"`
	State       string `db:"state"`
	CreatedAt   when   `db:"created_at"`
	ExpiresAt   when   `db:"expires_at"`
	CName       string `db:"customer_name"`
	DisplayName string `db:"customer_display_name"`
}

func (r accessRow) request() portal.AccessRequest {
	return portal.AccessRequest{
		ID: r.ID, CustomerID: r.CustomerID, CustomerName: portal.Customer{Name: r.CName, DisplayName: r.DisplayName}.Label(),
		Name: r.Name, Email: r.Email, EmailNorm: r.EmailNorm, Message: r.Message, Permit: r.Permit,
		State: portal.AccessRequestState(r.State), CreatedAt: r.CreatedAt.Time, ExpiresAt: r.ExpiresAt.Time,
	}
}

const selectAccess = `
	SELECT
		a.id,
		a.customer_id,
		a.name,
		a.email,
		a.email_norm,
		a.message,
		a.permit,
		a.state,
		a.created_at,
		a.expires_at,
		c.name AS customer_name,
		c.display_name AS customer_display_name
	FROM access_requests a
	JOIN customers c ON c.biller_id = a.biller_id AND c.id = a.customer_id
	WHERE a.biller_id = $1`

// AskAccess implements portal.AccessStore.
func (s *Store) AskAccess(ctx context.Context, biller, tokenHash string, r portal.AccessRequest, a portal.Activity) (kept bool, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, r.CustomerID); err != nil {
		return false, err
	}
	if err := expireRequests(ctx, tx, biller, r.CustomerID, r.CreatedAt); err != nil {
		return false, err
	}
	state, ok := portal.AccessNone.Next(portal.AccessAsk)
	if !ok {
		return false, portal.ErrAccessDecided
	}
	kept, err = one(ctx, tx, `
		INSERT INTO access_requests (
			biller_id, id, customer_id, token_hash, name, email, email_norm, message, permit, state, created_at, expires_at, decided_at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10, $11, 0)
		ON CONFLICT DO NOTHING`,
		biller, r.ID, r.CustomerID, tokenHash, r.Name, r.Email, r.EmailNorm, r.Message, string(state), us(r.CreatedAt), us(r.ExpiresAt))
	if err != nil {
		return false, fmt.Errorf("insert access request: %w", err)
	}
	if kept {
		entry := portal.HistoryEntry{At: r.CreatedAt, Kind: portal.HistoryAsked, Detail: "Somebody with a forwarded invitation asks for access for " + r.Email + "."}
		if err := addHistory(ctx, tx, biller, r.CustomerID, entry); err != nil {
			return false, err
		}
		if err := s.record(ctx, tx, biller, a); err != nil {
			return false, err
		}
	}
	if err := tx.Commit(); err != nil || !kept {
		return false, err
	}
	s.wake(biller)
	return true, nil
}

// expireRequests closes the open requests of a customer whose time is over.
func expireRequests(ctx context.Context, q querier, biller, customerID string, now time.Time) error {
	next, _ := portal.AccessOpen.Next(portal.AccessExpire)
	_, err := q.ExecContext(ctx, `
		UPDATE access_requests
		SET state = $1
		WHERE biller_id = $2 AND customer_id = $3 AND state = $4 AND expires_at <= $5`,
		string(next), biller, customerID, string(portal.AccessOpen), us(now))
	if err != nil {
		return fmt.Errorf("expire access requests: %w", err)
	}
	return nil
}

// AccessRequests implements portal.AccessStore.
func (s *Store) AccessRequests(ctx context.Context, biller, customerID string, now time.Time, limit int) ([]portal.AccessRequest, error) {
	var rows []accessRow
	if err := selectAll(ctx, s.db.R, &rows, selectAccess+`
		AND a.state = 'open' AND a.expires_at > $2 AND NOT c.archived AND ($3 = '' OR a.customer_id = $3)
		ORDER BY a.created_at, a.id
		LIMIT $4`, biller, us(now), customerID, limit); err != nil {
		return nil, fmt.Errorf("read access requests: %w", err)
	}
	out := make([]portal.AccessRequest, len(rows))
	for i, r := range rows {
		out[i] = r.request()
	}
	return out, nil
}

// AccessRequest implements portal.AccessStore.
func (s *Store) AccessRequest(ctx context.Context, biller, id string) (portal.AccessRequest, error) {
	var row accessRow
	found, err := get(ctx, s.db.R, &row, selectAccess+` AND a.id = $2`, biller, id)
	if err != nil {
		return portal.AccessRequest{}, fmt.Errorf("find access request: %w", err)
	}
	if !found {
		return portal.AccessRequest{}, apperr.Errorf(apperr.NotFound, "There is no such request.")
	}
	return row.request(), nil
}

// CountAccessRequests implements portal.AccessStore.
func (s *Store) CountAccessRequests(ctx context.Context, biller string, now time.Time) (int, error) {
	var n int
	_, err := get(ctx, s.db.R, &n, `
		SELECT COUNT(*)
		FROM access_requests a
		JOIN customers c ON c.biller_id = a.biller_id AND c.id = a.customer_id
		WHERE a.biller_id = $1 AND a.state = 'open' AND a.expires_at > $2 AND NOT c.archived`, biller, us(now))
	if err != nil {
		return 0, fmt.Errorf("count access requests: %w", err)
	}
	return n, nil
}

// DecideAccess implements portal.AccessStore.
func (s *Store) DecideAccess(ctx context.Context, biller string, d portal.Decision) error {
	r, err := s.AccessRequest(ctx, biller, d.RequestID)
	if err != nil {
		return err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	customer, err := s.lockCustomer(ctx, tx, biller, r.CustomerID)
	if err != nil {
		return err
	}
	if err := closeRequest(ctx, tx, biller, r, d); err != nil {
		return err
	}
	if d.Event == portal.AccessApprove {
		err = s.approve(ctx, tx, biller, customer, r, d)
	} else {
		err = refuse(ctx, tx, biller, r, d)
	}
	if err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, r.CustomerID, d.Activity.At); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, d.Activity); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// closeRequest writes the decision, which one caller can. An approval keeps the
// permit with the invitation instead.
func closeRequest(ctx context.Context, tx *sqlx.Tx, biller string, r portal.AccessRequest, d portal.Decision) error {
	next, ok := r.State.Next(d.Event)
	if !ok {
		return portal.ErrAccessDecided
	}
	permit := d.Permit
	if next == portal.AccessApproved {
		permit = ""
	}
	won, err := one(ctx, tx, `
		UPDATE access_requests
		SET
			state = $1,
			decided_at = $2,
			permit = $3
		WHERE biller_id = $4 AND id = $5 AND state = $6 AND expires_at > $2`,
		string(next), us(d.Activity.At), permit, biller, r.ID, string(r.State))
	if err != nil {
		return fmt.Errorf("decide access request: %w", err)
	}
	if !won {
		return portal.ErrAccessDecided
	}
	return nil
}

// refuse tells the requester.
func refuse(ctx context.Context, tx *sqlx.Tx, biller string, r portal.AccessRequest, d portal.Decision) error {
	entry := portal.HistoryEntry{At: d.Activity.At, Kind: portal.HistoryRefused, Detail: "The request for " + r.Email + " was declined.", By: d.Activity.By.Name}
	if err := addHistory(ctx, tx, biller, r.CustomerID, entry); err != nil {
		return err
	}
	return enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailAccess, ID: r.ID}, d.Activity.At)
}

// approve invites the requester to the customer, beside whoever else is invited.
func (s *Store) approve(ctx context.Context, tx *sqlx.Tx, biller string, customer customerRow, r portal.AccessRequest, d portal.Decision) error {
	if customer.Archived {
		return portal.ErrArchived
	}
	if err := canBeLetIn(ctx, tx, biller, portal.Invitation{CustomerID: r.CustomerID, EmailNorm: r.EmailNorm}, d.Activity.At); err != nil {
		return err
	}
	inv, err := insertInvitation(ctx, tx, biller, portal.Invitation{
		ID: d.NewID, CustomerID: r.CustomerID, Email: r.Email, EmailNorm: r.EmailNorm, Generation: 1,
		CreatedAt: d.Activity.At, QueuedAt: d.Activity.At, ExpiresAt: d.Activity.At.Add(d.Life),
		RequestID: r.ID, Permit: d.Permit, Right: d.Right,
	})
	if err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: d.Activity.At, Kind: portal.HistoryApproved, Detail: "Invitation of their own to " + r.Email + ".", By: d.Activity.By.Name}
	return s.announceAccess(ctx, tx, biller, inv, entry)
}

// canBeLetIn refuses an invitation to a requester who has access, or another open
// invitation, already.
func canBeLetIn(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, now time.Time) error {
	a, err := accountOf(ctx, tx, biller, inv.EmailNorm, inv.CustomerID)
	if err != nil {
		return err
	}
	var open int
	if _, err := get(ctx, tx, &open, `
		SELECT COUNT(*)
		FROM invitations
		WHERE biller_id = $1 AND customer_id = $2 AND email_norm = $3
			AND state NOT IN ('accepted', 'expired', 'revoked') AND expires_at > $4 AND id <> $5`,
		biller, inv.CustomerID, inv.EmailNorm, us(now), inv.ID); err != nil {
		return fmt.Errorf("find invitations: %w", err)
	}
	if a.Granted || open > 0 {
		return portal.ErrAccessHas
	}
	return nil
}

// announceAccess adds what goes with a generation of an invitation that answers a
// request: its link, mail and history.
func (s *Store) announceAccess(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, entry portal.HistoryEntry) error {
	if err := s.insertInvitationToken(ctx, tx, biller, inv, entry.At); err != nil {
		return err
	}
	ref := portal.MailRef{Kind: portal.MailInvitation, ID: inv.ID, Generation: inv.Generation}
	if err := enqueueMail(ctx, tx, biller, ref, entry.At); err != nil {
		return err
	}
	return addHistory(ctx, tx, biller, inv.CustomerID, entry)
}

// keptBy is what a grant keeps of the invitation it came from: people with an
// invitation of their own differ from the profile by staff's decision.
func keptBy(inv portal.Invitation) string {
	if inv.RequestID != "" {
		return "*"
	}
	return ""
}
