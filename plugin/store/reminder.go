package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Remind implements portal.ReminderStore. The 2 of its statement is MaxReminders,
// which the index invitations_remind has to name.
func (s *Store) Remind(ctx context.Context, biller string, r portal.Reminders, now time.Time, limit int) (int, error) {
	var due []struct {
		ID         string `db:"id"`
		CustomerID string `db:"customer_id"`
	}
	if err := s.db.R.SelectContext(ctx, &due, `
		SELECT
			id,
			customer_id
		FROM invitations
		WHERE biller_id = $1
			AND reminded < 2
			AND state IN ('sent', 'delivered', 'opened', 'started')
			AND expires_at > $2
			AND (queued_at <= $3 AND reminded < 1 OR queued_at <= $4)
		ORDER BY queued_at
		LIMIT $5`, biller, us(now), sentBefore(now, r.Days[0]), sentBefore(now, r.Days[1]), limit); err != nil {
		return 0, fmt.Errorf("find due reminders: %w", err)
	}
	for _, inv := range due {
		if err := s.remind(ctx, biller, inv.CustomerID, inv.ID, r, now); err != nil {
			return 0, err
		}
	}
	if len(due) > 0 {
		s.wake(biller)
	}
	return len(due), nil
}

// sentBefore is by when an invitation was sent whose reminder after days is due;
// no invitation was where there is no such reminder.
func sentBefore(now time.Time, days int) int64 {
	if days <= 0 {
		return 0
	}
	return us(now.Add(-time.Duration(days) * 24 * time.Hour))
}

// remind adds the mail of one reminder, unless somebody else has, or there is no
// need any more.
func (s *Store) remind(ctx context.Context, biller, customerID, id string, r portal.Reminders, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, customerID); err != nil {
		return err
	}
	inv, err := findInvitation(ctx, tx, biller, id)
	if err != nil {
		return err
	}
	n := r.Due(inv, now)
	if n == 0 {
		return nil
	}
	a, err := accountOf(ctx, tx, biller, inv.EmailNorm, inv.CustomerID)
	if err != nil {
		return err
	}
	if a.Granted || a.Disabled {
		n = portal.MaxReminders
	} else if err := enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailReminder, ID: inv.ID, Generation: inv.Generation, Seq: n}, now); err != nil {
		return err
	}
	if err := reminded(ctx, tx, biller, inv, n); err != nil {
		return err
	}
	return tx.Commit()
}

func reminded(ctx context.Context, tx *sqlx.Tx, biller string, inv portal.Invitation, n int) error {
	done, err := one(ctx, tx, `
		UPDATE invitations
		SET reminded = $1
		WHERE biller_id = $2 AND id = $3 AND generation = $4 AND reminded = $5`,
		n, biller, inv.ID, inv.Generation, inv.Reminded)
	if err != nil {
		return fmt.Errorf("update invitation: %w", err)
	}
	if !done {
		return errMoved()
	}
	return nil
}
