package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

type invitationRow struct {
	ID         string `db:"id"`
	CustomerID string `db:"customer_id"`
	Email      string `db:"email"`
	EmailNorm  string `db:"email_norm"`
	State      string `db:"state"`
	Generation int    `db:"generation"`
	Seq        int    `db:"seq"`
	CreatedAt  when   `db:"created_at"`
	QueuedAt   when   `db:"queued_at"`
	OpenedAt   when   `db:"opened_at"`
	ExpiresAt  when   `db:"expires_at"`
	Reminded   int    `db:"reminded"`
	RequestID  string `db:"request_id"`
	Permit     string `db:"permit"`
	Right      string `db:"access_right"`
}

func (r invitationRow) invitation() portal.Invitation {
	return portal.Invitation{
		ID:         r.ID,
		CustomerID: r.CustomerID,
		Email:      r.Email,
		EmailNorm:  r.EmailNorm,
		State:      portal.InvitationState(r.State),
		Generation: r.Generation,
		Seq:        r.Seq,
		CreatedAt:  r.CreatedAt.Time,
		QueuedAt:   r.QueuedAt.Time,
		OpenedAt:   r.OpenedAt.Time,
		ExpiresAt:  r.ExpiresAt.Time,
		Reminded:   r.Reminded,
		RequestID:  r.RequestID,
		Permit:     r.Permit,
		Right:      portal.Right(r.Right),
	}
}

const selectInvitation = `
	SELECT
		id,
		customer_id,
		email,
		email_norm,
		state,
		generation,
		seq,
		created_at,
		queued_at,
		opened_at,
		expires_at,
		reminded,
		request_id,
		permit,
		access_right
	FROM invitations
	WHERE biller_id = $1`

func findInvitation(ctx context.Context, q querier, biller, id string) (portal.Invitation, error) {
	var row invitationRow
	found, err := get(ctx, q, &row, selectInvitation+` AND id = $2`, biller, id)
	if err != nil {
		return portal.Invitation{}, fmt.Errorf("find invitation: %w", err)
	}
	if !found {
		return portal.Invitation{}, apperr.Errorf(apperr.NotFound, "There is no such invitation.")
	}
	return row.invitation(), nil
}

// newestInvitation returns the open invitation to the customer's own address, or
// the latest closed one.
func newestInvitation(ctx context.Context, q querier, biller, customerID string) (_ portal.Invitation, found bool, err error) {
	var row invitationRow
	found, err = get(ctx, q, &row, selectInvitation+`
		AND customer_id = $2 AND request_id = ''
		ORDER BY created_at DESC, id DESC
		LIMIT 1`, biller, customerID)
	if err != nil {
		return portal.Invitation{}, false, fmt.Errorf("find newest invitation: %w", err)
	}
	return row.invitation(), found, nil
}

// Invite implements portal.InvitationStore.
func (s *Store) Invite(ctx context.Context, biller string, in portal.SendInvitation) (inv portal.Invitation, err error) {
	err = again(func() error {
		inv, err = s.invite(ctx, biller, in)
		return err
	})
	return inv, err
}

func (s *Store) invite(ctx context.Context, biller string, in portal.SendInvitation) (portal.Invitation, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Invitation{}, err
	}
	defer tx.Rollback()
	differing, err := s.lockDiffering(ctx, tx, biller, in)
	if err != nil {
		return portal.Invitation{}, err
	}
	customer, err := s.lockCustomer(ctx, tx, biller, in.CustomerID)
	if err != nil {
		return portal.Invitation{}, err
	}
	a, err := accountOf(ctx, tx, biller, customer.EmailNorm, customer.ID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if err := portal.CheckInvitable(customer.customer(), portal.Status(customer.Status), a.Granted); err != nil {
		return portal.Invitation{}, err
	}
	if err := s.settleDiffering(ctx, tx, biller, customer, differing, in); err != nil {
		return portal.Invitation{}, err
	}
	sent, err := sendTimes(ctx, tx, biller, in.CustomerID, in.Now.Add(-portal.SendWindow))
	if err != nil {
		return portal.Invitation{}, err
	}
	if err := portal.CheckSend(sent, in.Now); err != nil {
		return portal.Invitation{}, err
	}
	if err := replaceAccess(ctx, tx, biller, customer, in.By, in.Now); err != nil {
		return portal.Invitation{}, err
	}
	inv, err := sendGeneration(ctx, tx, biller, customer, in)
	if err != nil {
		return portal.Invitation{}, err
	}
	if err := s.announce(ctx, tx, biller, inv, in); err != nil {
		return portal.Invitation{}, err
	}
	in.Activity.Object = inv.ID
	if err := s.record(ctx, tx, biller, in.Activity); err != nil {
		return portal.Invitation{}, err
	}
	if err := tx.Commit(); err != nil {
		return portal.Invitation{}, err
	}
	s.wake(biller)
	return inv, nil
}

// sendGeneration writes the next generation of the customer's invitation, or the
// first one of a new invitation.
func sendGeneration(ctx context.Context, tx *sqlx.Tx, biller string, c customerRow, in portal.SendInvitation) (portal.Invitation, error) {
	inv, found, err := newestInvitation(ctx, tx, biller, c.ID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if _, again := inv.State.Next(portal.InvitationSend); !found || !again || inv.EmailNorm != c.EmailNorm {
		return insertInvitation(ctx, tx, biller, portal.Invitation{
			ID:         in.NewID,
			CustomerID: c.ID,
			Email:      c.Email,
			EmailNorm:  c.EmailNorm,
			Generation: 1,
			CreatedAt:  in.Now,
			QueuedAt:   in.Now,
			ExpiresAt:  in.Now.Add(in.Life),
		})
	}
	inv.Email = c.Email
	return nextGeneration(ctx, tx, biller, inv, in.Now, in.Life)
}

// nextGeneration sends an invitation, with its address and permit, once more:
// earlier links end. ErrLinkDead for one that cannot be sent again.
func nextGeneration(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, now time.Time, life time.Duration) (portal.Invitation, error) {
	next, ok := inv.State.Next(portal.InvitationSend)
	if !ok {
		return portal.Invitation{}, portal.ErrLinkDead
	}
	from, generation := inv.State, inv.Generation
	inv.State, inv.Generation, inv.Seq, inv.Reminded = next, generation+1, 0, 0
	inv.QueuedAt, inv.OpenedAt, inv.ExpiresAt = now, time.Time{}, now.Add(life)
	moved, err := one(ctx, tx, `
		UPDATE invitations
		SET
			email = $1,
			permit = $2,
			state = $3,
			generation = $4,
			seq = 0,
			reminded = 0,
			queued_at = $5,
			opened_at = 0,
			expires_at = $6
		WHERE biller_id = $7 AND id = $8 AND state = $9 AND generation = $10`,
		inv.Email, inv.Permit, string(inv.State), inv.Generation, us(inv.QueuedAt), us(inv.ExpiresAt),
		biller, inv.ID, string(from), generation)
	if err != nil {
		return portal.Invitation{}, fmt.Errorf("update invitation: %w", err)
	}
	if !moved {
		return portal.Invitation{}, errMoved()
	}
	return inv, nil
}

func errMoved() error {
	return apperr.Errorf(apperr.Conflict, "The invitation has changed meanwhile. Try again.")
}

// insertInvitation keeps a new invitation, as one that was just sent.
func insertInvitation(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation) (portal.Invitation, error) {
	next, ok := inv.State.Next(portal.InvitationSend)
	if !ok {
		return portal.Invitation{}, portal.ErrLinkDead
	}
	inv.State = next
	_, err := tx.ExecContext(ctx, `
		INSERT INTO invitations (
			biller_id, id, customer_id, email, email_norm, state,
			generation, seq, created_at, queued_at, opened_at, expires_at, reminded, request_id, permit, access_right)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, 0, $12, $13, $14)`,
		biller, inv.ID, inv.CustomerID, inv.Email, inv.EmailNorm, string(inv.State),
		inv.Generation, inv.Seq, us(inv.CreatedAt), us(inv.QueuedAt), us(inv.ExpiresAt),
		inv.RequestID, inv.Permit, string(cmp.Or(inv.Right, portal.RightPayer)))
	if err != nil {
		return portal.Invitation{}, fmt.Errorf("insert invitation: %w", err)
	}
	return inv, nil
}

// announce adds what goes with a generation: its link, mail, history and status.
func (s *Store) announce(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, in portal.SendInvitation) error {
	if err := s.insertInvitationToken(ctx, tx, biller, inv, in.Now); err != nil {
		return err
	}
	ref := portal.MailRef{Kind: portal.MailInvitation, ID: inv.ID, Generation: inv.Generation}
	if err := enqueueMail(ctx, tx, biller, ref, in.Now); err != nil {
		return err
	}
	detail := "Invitation to " + inv.Email + "."
	if in.Asked {
		detail = "The customer asked for a new link. " + detail
	}
	entry := portal.HistoryEntry{At: in.Now, Kind: portal.HistoryQueued, Detail: detail, By: in.By.Name}
	if err := addHistory(ctx, tx, biller, inv.CustomerID, entry); err != nil {
		return err
	}
	return refreshStatus(ctx, tx, biller, inv.CustomerID, in.Now)
}

// MintLink implements portal.InvitationStore.
func (s *Store) MintLink(ctx context.Context, biller, customerID string, a portal.Activity) (portal.Invitation, error) {
	now := a.At
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Invitation{}, err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, customerID); err != nil {
		return portal.Invitation{}, err
	}
	inv, found, err := newestInvitation(ctx, tx, biller, customerID)
	if err != nil {
		return portal.Invitation{}, err
	}
	if !found || !inv.Live(now) {
		return portal.Invitation{}, apperr.Errorf(apperr.NotFound, "No invitation of this customer is open. Send one first.")
	}
	inv.Seq++
	if _, err := tx.ExecContext(ctx, `
		UPDATE invitations
		SET seq = $1
		WHERE biller_id = $2 AND id = $3`, inv.Seq, biller, inv.ID); err != nil {
		return portal.Invitation{}, fmt.Errorf("update invitation: %w", err)
	}
	if err := s.insertInvitationToken(ctx, tx, biller, inv, now); err != nil {
		return portal.Invitation{}, err
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryLink, Detail: "A link was created to pass on by hand.", By: a.By.Name}
	if err := addHistory(ctx, tx, biller, customerID, entry); err != nil {
		return portal.Invitation{}, err
	}
	a.Object = inv.ID
	if err := s.record(ctx, tx, biller, a); err != nil {
		return portal.Invitation{}, err
	}
	return inv, tx.Commit()
}

// moveInvitation writes the state after an event; moved is false if the event
// changes nothing. Conflict for an event that cannot happen. It is the only
// statement that changes a state, but for the next generation.
func moveInvitation(ctx context.Context, q querier, biller string, inv portal.Invitation, e portal.InvitationEvent) (moved bool, err error) {
	next, ok := inv.State.Next(e)
	if !ok {
		return false, portal.ErrLinkDead
	}
	if next == inv.State {
		return false, nil
	}
	moved, err = one(ctx, q, `
		UPDATE invitations
		SET state = $1
		WHERE biller_id = $2 AND id = $3 AND state = $4 AND generation = $5`,
		string(next), biller, inv.ID, string(inv.State), inv.Generation)
	if err != nil {
		return false, fmt.Errorf("move invitation: %w", err)
	}
	if !moved {
		return false, errMoved()
	}
	return true, nil
}

func enqueueMail(ctx context.Context, tx *sqlx.Tx, biller string, ref portal.MailRef, now time.Time) error {
	payload, err := json.Marshal(ref)
	if err != nil {
		return fmt.Errorf("encode mail job: %w", err)
	}
	return jobs.Enqueue(ctx, tx, jobs.Job{
		Biller:  biller,
		Kind:    portal.JobMail,
		Payload: string(payload),
		IdemKey: ref.Key(),
		RunAt:   now,
	})
}
