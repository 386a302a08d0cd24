package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// inputs are what a customer's status and the report's columns follow from.
type inputs struct {
	portal.StatusInputs
	invitedAt, registeredAt time.Time
	confirmed               bool
}

func statusInputs(ctx context.Context, q querier, biller string, c customerRow) (inputs, error) {
	in := inputs{StatusInputs: portal.StatusInputs{HasEmail: c.EmailNorm != ""}}
	if err := in.readInvitations(ctx, q, biller, c.ID); err != nil {
		return inputs{}, fmt.Errorf("read invitations: %w", err)
	}
	if err := in.readSignUps(ctx, q, biller, c.ID); err != nil {
		return inputs{}, fmt.Errorf("read sign-ups: %w", err)
	}
	if err := in.readUsers(ctx, q, biller, c.ID); err != nil {
		return inputs{}, fmt.Errorf("read users: %w", err)
	}
	return in, nil
}

func (in *inputs) readInvitations(ctx context.Context, q querier, biller, customerID string) error {
	var rows []struct {
		State     string `db:"state"`
		QueuedAt  when   `db:"queued_at"`
		ExpiresAt when   `db:"expires_at"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			state,
			queued_at,
			expires_at
		FROM invitations
		WHERE biller_id = $1 AND customer_id = $2`, biller, customerID)
	for _, r := range rows {
		in.Invitations = append(in.Invitations, portal.InvitationInput{
			State:     portal.InvitationState(r.State),
			ExpiresAt: r.ExpiresAt.Time,
		})
		if r.QueuedAt.After(in.invitedAt) {
			in.invitedAt = r.QueuedAt.Time
		}
	}
	return err
}

func (in *inputs) readSignUps(ctx context.Context, q querier, biller, customerID string) error {
	var rows []struct {
		Step      string `db:"step"`
		ExpiresAt when   `db:"expires_at"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			s.step,
			s.expires_at
		FROM signups s
		JOIN invitations i ON i.biller_id = s.biller_id AND i.id = s.invitation_id
		WHERE s.biller_id = $1 AND i.customer_id = $2 AND s.step IN ('profile', 'confirm')`, biller, customerID)
	for _, r := range rows {
		in.SignUps = append(in.SignUps, portal.SignUpInput{Step: portal.Step(r.Step), ExpiresAt: r.ExpiresAt.Time})
	}
	return err
}

func (in *inputs) readUsers(ctx context.Context, q querier, biller, customerID string) error {
	var rows []struct {
		State       string `db:"state"`
		ConfirmedAt when   `db:"confirmed_at"`
		GrantedAt   when   `db:"granted_at"`
		AcceptedAt  when   `db:"accepted_at"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			u.state,
			u.confirmed_at,
			g.created_at AS granted_at,
			(SELECT MIN(a.accepted_at)
				FROM acceptances a
				WHERE a.biller_id = $1 AND a.user_id = u.id) AS accepted_at
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		WHERE g.biller_id = $1 AND g.customer_id = $2 AND g.state = 'active'`, biller, customerID)
	for _, r := range rows {
		user := portal.UserInput{
			Disabled:       r.State == string(portal.UserDisabled),
			EmailConfirmed: !r.ConfirmedAt.IsZero(),
			Accepted:       !r.AcceptedAt.IsZero(),
		}
		in.Users = append(in.Users, user)
		in.confirmed = in.confirmed || user.EmailConfirmed
		if !user.EmailConfirmed || !user.Accepted {
			continue
		}
		at := r.AcceptedAt.Time
		if r.GrantedAt.After(at) {
			at = r.GrantedAt.Time
		}
		if in.registeredAt.IsZero() || at.Before(in.registeredAt) {
			in.registeredAt = at
		}
	}
	return err
}

// refreshStatus makes the report's columns of a customer true again. Every
// change that may alter them ends with it, in the same transaction, under the
// customer's lock.
func refreshStatus(ctx context.Context, q querier, biller, customerID string, now time.Time) error {
	c, err := findCustomer(ctx, q, biller, customerID)
	if err != nil {
		return err
	}
	in, err := statusInputs(ctx, q, biller, c)
	if err != nil {
		return err
	}
	status, change := portal.CustomerStatus(in.StatusInputs, now)
	_, err = q.ExecContext(ctx, `
		UPDATE customers
		SET
			status = $1,
			status_change_at = $2,
			invited_at = $3,
			registered_at = $4,
			email_confirmed = $5
		WHERE biller_id = $6 AND id = $7`,
		string(status), us(change), us(in.invitedAt), us(in.registeredAt), in.confirmed, biller, customerID)
	if err != nil {
		return fmt.Errorf("update status: %w", err)
	}
	return nil
}

// RefreshDue implements portal.CustomerStore.
func (s *Store) RefreshDue(ctx context.Context, biller string, now time.Time, limit int) (int, error) {
	var ids []string
	if err := s.db.R.SelectContext(ctx, &ids, `
		SELECT id
		FROM customers
		WHERE biller_id = $1 AND status_change_at > 0 AND status_change_at <= $2
		ORDER BY status_change_at
		LIMIT $3`, biller, us(now), limit); err != nil {
		return 0, fmt.Errorf("find due customers: %w", err)
	}
	for _, id := range ids {
		if err := s.refreshOne(ctx, biller, id, now); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}

func (s *Store) refreshOne(ctx context.Context, biller, customerID string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, customerID); err != nil {
		return err
	}
	inv, found, err := newestInvitation(ctx, tx, biller, customerID)
	if err != nil {
		return err
	}
	if found && inv.State.Open() && !inv.Live(now) {
		if err := expire(ctx, tx, biller, inv, now); err != nil {
			return err
		}
	}
	if err := expireAccess(ctx, tx, biller, customerID, now); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, customerID, now); err != nil {
		return err
	}
	return tx.Commit()
}

// expire closes an invitation whose time is over, unless somebody is in the
// middle of signing up with it.
func expire(ctx context.Context, q querier, biller string, inv portal.Invitation, now time.Time) error {
	_, busy, err := liveSignUp(ctx, q, biller, inv.ID, now)
	if err != nil || busy {
		return err
	}
	if _, err := moveInvitation(ctx, q, biller, inv, portal.InvitationExpire); err != nil {
		return err
	}
	return addHistory(ctx, q, biller, inv.CustomerID, portal.HistoryEntry{
		At: inv.ExpiresAt, Kind: portal.HistoryExpired, Detail: "Nobody signed up in time.",
	})
}
