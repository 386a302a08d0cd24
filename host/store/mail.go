package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type mailRow struct {
	BillerID   string       `db:"biller_id"`
	AddonID    string       `db:"addon_id"`
	Key        string       `db:"idem_key"`
	Kind       string       `db:"kind"`
	CustomerID string       `db:"customer_id"`
	ToHash     string       `db:"to_hash"`
	MessageID  string       `db:"message_id"`
	State      string       `db:"state"`
	Response   string       `db:"response"`
	Attempts   int          `db:"attempts"`
	LeaseUntil time.Time    `db:"lease_until"`
	CreatedAt  time.Time    `db:"created_at"`
	UpdatedAt  time.Time    `db:"updated_at"`
	AcceptedAt sql.NullTime `db:"accepted_at"`
}

func (r mailRow) entry() addon.MailEntry {
	e := addon.MailEntry{
		BillerID:   r.BillerID,
		AddonID:    r.AddonID,
		Key:        r.Key,
		Kind:       r.Kind,
		CustomerID: r.CustomerID,
		ToHash:     r.ToHash,
		MessageID:  r.MessageID,
		State:      addon.MailState(r.State),
		Response:   r.Response,
		Attempts:   r.Attempts,
		CreatedAt:  r.CreatedAt.UTC(),
		UpdatedAt:  r.UpdatedAt.UTC(),
	}
	if r.AcceptedAt.Valid {
		e.AcceptedAt = r.AcceptedAt.Time.UTC()
	}
	return e
}

// ReserveMail claims an idempotency key for the time of lease, and returns what
// is kept under it. If the state is MailReserved the caller has to send the
// mail and then call AcceptMail, FailMail or ReleaseMail; in any other state
// the mail was dealt with before.
//
// Errors: NotFound if the biller has not enabled the add-on; Conflict if the
// key stands for a mail to another address; Unavailable while another caller
// holds the claim; TooManyRequests, with the time to wait, over a cap.
func (s *Store) ReserveMail(ctx context.Context, e addon.MailEntry, caps addon.MailCaps, lease time.Duration) (addon.MailEntry, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return addon.MailEntry{}, err
	}
	defer tx.Rollback()

	if err := s.lockEnabled(ctx, tx, e.BillerID, e.AddonID); err != nil {
		return addon.MailEntry{}, err
	}
	now := s.now()
	row, err := s.findMail(ctx, tx, e.BillerID, e.AddonID, e.Key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		row, err = s.insertMail(ctx, tx, e, caps, now, lease)
	case err == nil:
		row, err = claimMail(ctx, tx, row, e.ToHash, now, lease)
	}
	if err != nil {
		return addon.MailEntry{}, err
	}
	if err := tx.Commit(); err != nil {
		return addon.MailEntry{}, fmt.Errorf("commit: %w", err)
	}
	return row.entry(), nil
}

// lockEnabled makes reservations of one installation wait for each other, so
// that no cap is passed and no key is claimed twice.
func (s *Store) lockEnabled(ctx context.Context, tx *sqlx.Tx, biller, addonID string) error {
	var state string
	err := tx.GetContext(ctx, &state, `
		SELECT
			state
		FROM installations
		WHERE biller_id = $1
			AND addon_id = $2`+s.db.ForUpdate(), biller, addonID)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state != string(addon.Enabled) {
		return errNotInstalled()
	}
	if err != nil {
		return fmt.Errorf("lock installation: %w", err)
	}
	return nil
}

func (s *Store) findMail(ctx context.Context, tx *sqlx.Tx, biller, addonID, key string) (mailRow, error) {
	var row mailRow
	err := tx.GetContext(ctx, &row, `
		SELECT
			biller_id,
			addon_id,
			idem_key,
			kind,
			customer_id,
			to_hash,
			message_id,
			state,
			response,
			attempts,
			lease_until,
			created_at,
			updated_at,
			accepted_at
		FROM mails
		WHERE biller_id = $1
			AND addon_id = $2
			AND idem_key = $3`+s.db.ForUpdate(), biller, addonID, key)
	if err != nil {
		return mailRow{}, fmt.Errorf("find mail: %w", err)
	}
	return row, nil
}

// claimMail takes a mail whose last try did not end it. Ended ones come back
// as they are.
func claimMail(ctx context.Context, tx *sqlx.Tx, row mailRow, toHash string, now time.Time, lease time.Duration) (mailRow, error) {
	if row.ToHash != toHash {
		return mailRow{}, apperr.Errorf(apperr.Conflict, "This key was used for a mail to another address.")
	}
	if row.State != string(addon.MailReserved) {
		return row, nil
	}
	if wait := row.LeaseUntil.Sub(now); wait > 0 {
		return mailRow{}, &apperr.Error{Code: apperr.Unavailable, Message: "This mail is being sent.", RetryAfter: wait}
	}
	row.Attempts++
	row.LeaseUntil, row.UpdatedAt = now.Add(lease), now
	_, err := tx.ExecContext(ctx, `
		UPDATE mails
		SET
			attempts = $4,
			lease_until = $5,
			updated_at = $6
		WHERE biller_id = $1
			AND addon_id = $2
			AND idem_key = $3`,
		row.BillerID, row.AddonID, row.Key, row.Attempts, row.LeaseUntil, row.UpdatedAt)
	if err != nil {
		return mailRow{}, fmt.Errorf("claim mail: %w", err)
	}
	return row, nil
}

func (s *Store) insertMail(ctx context.Context, tx *sqlx.Tx, e addon.MailEntry, caps addon.MailCaps, now time.Time, lease time.Duration) (mailRow, error) {
	if err := checkCaps(ctx, tx, e.BillerID, e.AddonID, caps, now); err != nil {
		return mailRow{}, err
	}
	row := mailRow{
		BillerID:   e.BillerID,
		AddonID:    e.AddonID,
		Key:        e.Key,
		Kind:       e.Kind,
		CustomerID: e.CustomerID,
		ToHash:     e.ToHash,
		MessageID:  e.MessageID,
		State:      string(addon.MailReserved),
		Attempts:   1,
		LeaseUntil: sqldb.Time(now.Add(lease)),
		CreatedAt:  now,
		UpdatedAt:  now,
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO mails (
			biller_id,
			addon_id,
			idem_key,
			kind,
			customer_id,
			to_hash,
			message_id,
			state,
			response,
			attempts,
			lease_until,
			created_at,
			updated_at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 1, $9, $10, $10)`,
		row.BillerID, row.AddonID, row.Key, row.Kind, row.CustomerID, row.ToHash, row.MessageID, row.State, row.LeaseUntil, now)
	if err != nil {
		return mailRow{}, fmt.Errorf("insert mail: %w", err)
	}
	return row, nil
}

// checkCaps counts the mails of the last hour and day.
func checkCaps(ctx context.Context, tx *sqlx.Tx, biller, addonID string, caps addon.MailCaps, now time.Time) error {
	for _, c := range []struct {
		most   int
		window time.Duration
		name   string
	}{{caps.Hour, time.Hour, "hour"}, {caps.Day, 24 * time.Hour, "day"}} {
		var sent int
		err := tx.GetContext(ctx, &sent, `
			SELECT
				COUNT(*)
			FROM mails
			WHERE biller_id = $1
				AND addon_id = $2
				AND created_at > $3`,
			biller, addonID, now.Add(-c.window))
		if err != nil {
			return fmt.Errorf("count mails: %w", err)
		}
		if sent >= c.most {
			return apperr.Throttled(c.window/12, "The limit of %d mails per %s is reached.", c.most, c.name)
		}
	}
	return nil
}

// RenewMail prolongs the claim of the try which e was reserved for, even one that
// ran out while the database was away. It does nothing if the mail was dealt with,
// or another try has begun, since. Do not call it after ReleaseMail.
func (s *Store) RenewMail(ctx context.Context, e addon.MailEntry, lease time.Duration) error {
	now := s.now()
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE mails
		SET
			lease_until = $4,
			updated_at = $5
		WHERE biller_id = $1
			AND addon_id = $2
			AND idem_key = $3
			AND state = 'reserved'
			AND attempts = $6`,
		e.BillerID, e.AddonID, e.Key, sqldb.Time(now.Add(lease)), now, e.Attempts)
	if err != nil {
		return fmt.Errorf("renew mail: %w", err)
	}
	return nil
}

// AcceptMail records that the mail server took a mail. It may be repeated.
func (s *Store) AcceptMail(ctx context.Context, biller, addonID, key string, r addon.Receipt) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE mails
		SET
			state = 'accepted',
			response = $4,
			accepted_at = $5,
			updated_at = $6
		WHERE biller_id = $1
			AND addon_id = $2
			AND idem_key = $3`,
		biller, addonID, key, r.Response, sqldb.Time(r.AcceptedAt), s.now())
	if err != nil {
		return fmt.Errorf("record accepted mail: %w", err)
	}
	return nil
}

// FailMail records that the try which e was reserved for was refused for good,
// with the server's words. It does nothing if another try has begun since.
func (s *Store) FailMail(ctx context.Context, e addon.MailEntry, response string) error {
	return s.endTry(ctx, e, addon.MailFailed, response)
}

// ReleaseMail records that the try which e was reserved for failed, and lets
// the next one begin at once. It does nothing if another try has begun since:
// who was held up for longer than the lease must not end another's claim.
func (s *Store) ReleaseMail(ctx context.Context, e addon.MailEntry, response string) error {
	return s.endTry(ctx, e, addon.MailReserved, response)
}

func (s *Store) endTry(ctx context.Context, e addon.MailEntry, state addon.MailState, response string) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE mails
		SET
			state = $4,
			response = $5,
			lease_until = $6,
			updated_at = $6
		WHERE biller_id = $1
			AND addon_id = $2
			AND idem_key = $3
			AND state = 'reserved'
			AND attempts = $7`,
		e.BillerID, e.AddonID, e.Key, string(state), response, s.now(), e.Attempts)
	if err != nil {
		return fmt.Errorf("record failed try: %w", err)
	}
	return nil
}

// CustomerMails returns what was sent to or about one customer, newest first.
func (s *Store) CustomerMails(ctx context.Context, biller, customerID string, limit int) ([]addon.MailEntry, error) {
	var rows []mailRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			biller_id,
			addon_id,
			idem_key,
			kind,
			customer_id,
			to_hash,
			message_id,
			state,
			response,
			attempts,
			lease_until,
			created_at,
			updated_at,
			accepted_at
		FROM mails
		WHERE biller_id = $1
			AND customer_id = $2
		ORDER BY created_at DESC, idem_key
		LIMIT $3`,
		biller, customerID, limit)
	if err != nil {
		return nil, fmt.Errorf("list mails: %w", err)
	}
	list := make([]addon.MailEntry, len(rows))
	for i, r := range rows {
		list[i] = r.entry()
	}
	return list, nil
}
