package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// StartAddressChange implements portal.AddressStore.
func (s *Store) StartAddressChange(ctx context.Context, biller string, ch portal.AddressChange, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := lockUser(ctx, tx, biller, ch.UserID, s.db.ForUpdate()); apperr.Is(err, apperr.NotFound) {
		return portal.ErrSignedOut // erased meanwhile
	} else if err != nil {
		return err
	}
	usedUp, err := takeAttempt(ctx, tx, biller, "address:"+ch.UserID, portal.AddressChanges(), ch.CreatedAt)
	if err != nil {
		return err
	}
	if !usedUp.IsZero() {
		return apperr.Throttled(usedUp.Sub(ch.CreatedAt), "We sent several codes in the last hour. Wait, then try again.")
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO address_changes (biller_id, user_id, id, email, email_norm, code_hash, code_tries, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)
		ON CONFLICT (biller_id, user_id) DO UPDATE SET
			id = excluded.id,
			email = excluded.email,
			email_norm = excluded.email_norm,
			code_hash = excluded.code_hash,
			code_tries = 0,
			created_at = excluded.created_at,
			expires_at = excluded.expires_at`,
		biller, ch.UserID, ch.ID, ch.Email, ch.EmailNorm, ch.CodeHash, us(ch.CreatedAt), us(ch.ExpiresAt)); err != nil {
		return fmt.Errorf("insert address change: %w", err)
	}
	if err := s.insertDisownToken(ctx, tx, biller, a); err != nil {
		return err
	}
	if err := enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailAddress, ID: ch.ID, User: ch.UserID}, ch.CreatedAt); err != nil {
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

// AddressChange implements portal.AddressStore.
func (s *Store) AddressChange(ctx context.Context, biller, userID string, now time.Time) (portal.AddressChange, error) {
	ch, err := findAddressChange(ctx, s.db.R, biller, userID)
	if err == nil && !ch.Live(now) {
		err = portal.ErrNoAddressChange
	}
	return ch, err
}

func findAddressChange(ctx context.Context, q querier, biller, userID string) (portal.AddressChange, error) {
	var row struct {
		ID        string `db:"id"`
		Email     string `db:"email"`
		EmailNorm string `db:"email_norm"`
		CodeHash  string `db:"code_hash"`
		CodeTries int    `db:"code_tries"`
		CreatedAt when   `db:"created_at"`
		ExpiresAt when   `db:"expires_at"`
	}
	found, err := get(ctx, q, &row, `
		SELECT
			id,
			email,
			email_norm,
			code_hash,
			code_tries,
			created_at,
			expires_at
		FROM address_changes
		WHERE biller_id = $1 AND user_id = $2`, biller, userID)
	if err != nil {
		return portal.AddressChange{}, fmt.Errorf("find address change: %w", err)
	}
	if !found {
		return portal.AddressChange{}, portal.ErrNoAddressChange
	}
	return portal.AddressChange{
		ID: row.ID, UserID: userID, Email: row.Email, EmailNorm: row.EmailNorm, CodeHash: row.CodeHash, CodeTries: row.CodeTries,
		CreatedAt: row.CreatedAt.Time, ExpiresAt: row.ExpiresAt.Time,
	}, nil
}

// ConfirmAddress implements portal.AddressStore.
func (s *Store) ConfirmAddress(ctx context.Context, biller, userID, codeHash string, session portal.Session, a portal.Activity) (ch portal.AddressChange, err error) {
	err = again(func() error {
		ch, err = s.confirmAddress(ctx, biller, userID, codeHash, session, a)
		return err
	})
	if sqldb.IsUnique(err) {
		err = portal.ErrAddressTaken
	}
	return ch, err
}

func (s *Store) confirmAddress(ctx context.Context, biller, userID, codeHash string, session portal.Session, a portal.Activity) (portal.AddressChange, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.AddressChange{}, err
	}
	defer tx.Rollback()
	customers, err := grantedCustomers(ctx, tx, biller, userID)
	if err != nil {
		return portal.AddressChange{}, err
	}
	u, err := s.lockWithCustomers(ctx, tx, biller, userID, customers)
	if apperr.Is(err, apperr.NotFound) {
		return portal.AddressChange{}, portal.ErrNoAddressChange // erased meanwhile
	}
	if err != nil {
		return portal.AddressChange{}, err
	}
	counted, err := one(ctx, tx, `
		UPDATE address_changes
		SET code_tries = code_tries + 1
		WHERE biller_id = $1 AND user_id = $2 AND code_tries < $3 AND expires_at > $4`, biller, userID, portal.CodeTries, us(a.At))
	if err != nil {
		return portal.AddressChange{}, fmt.Errorf("count guess: %w", err)
	}
	if !counted {
		return portal.AddressChange{}, portal.ErrNoAddressChange
	}
	ch, err := findAddressChange(ctx, tx, biller, userID)
	if err != nil {
		return portal.AddressChange{}, err
	}
	if !portal.SameHash(ch.CodeHash, codeHash) {
		if err := tx.Commit(); err != nil {
			return portal.AddressChange{}, err
		}
		if ch.CodeTries >= portal.CodeTries {
			return portal.AddressChange{}, portal.ErrCodeDead
		}
		return portal.AddressChange{}, portal.ErrWrongCode
	}
	if err := s.changeAddress(ctx, tx, biller, u, ch, customers, session, a); err != nil {
		return portal.AddressChange{}, err
	}
	if err := tx.Commit(); err != nil {
		return portal.AddressChange{}, err
	}
	s.wake(biller)
	return ch, nil
}

// changeAddress puts a proven address in the place of the old one.
func (s *Store) changeAddress(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, ch portal.AddressChange, customers []string, session portal.Session, a portal.Activity) error {
	if err := s.setAddress(ctx, tx, biller, u, ch.Email, ch.EmailNorm, a.At); err != nil {
		return err
	}
	if err := insertSession(ctx, tx, biller, session); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryAddress, Detail: "The person signs in with " + ch.Email + " now, before with " + u.Email + "."}
	if err := tellCustomers(ctx, tx, biller, customers, entry); err != nil {
		return err
	}
	return s.record(ctx, tx, biller, a)
}

// lockWithCustomers locks a user after the customers with access, which were read
// before. ErrNoPerson for an unknown user.
func (s *Store) lockWithCustomers(ctx context.Context, tx *sqlx.Tx, biller, userID string, customers []string) (portal.User, error) {
	if err := s.lockCustomers(ctx, tx, biller, customers); err != nil {
		return portal.User{}, err
	}
	u, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate())
	if err != nil {
		return portal.User{}, err
	}
	granted, err := grantedCustomers(ctx, tx, biller, userID)
	if err == nil && !within(granted, customers) {
		err = errOvertaken
	}
	return u, err
}

// setAddress changes the address of a user and ends what the old one opened.
// ErrAddressTaken if another user has it; a unique index if one takes it now,
// after which the transaction is over.
func (s *Store) setAddress(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, email, emailNorm string, now time.Time) error {
	changed, err := one(ctx, tx, `
		UPDATE users
		SET
			email = $1,
			email_norm = $2
		WHERE biller_id = $3 AND id = $4 AND NOT EXISTS (
			SELECT 1
			FROM users o
			WHERE o.biller_id = $3 AND o.email_norm = $2 AND o.id <> $4
		)`, email, emailNorm, biller, u.ID)
	if err != nil {
		return fmt.Errorf("change address: %w", err)
	}
	if !changed {
		return portal.ErrAddressTaken
	}
	if err := s.endResets(ctx, tx, biller, u.EmailNorm, now); err != nil {
		return err
	}
	return endOthers(ctx, tx, biller, u.ID)
}

// undoAddressChange ends a change that was asked for with the address of somebody
// else. One that was asked for again is another; of one that was confirmed the
// customers' histories tell, for staff to decide.
func undoAddressChange(ctx context.Context, q querier, biller string, d disowned, said portal.Activity) error {
	if said.Detail["did"] == string(portal.UndoUsed) {
		entry := portal.HistoryEntry{At: said.At, Kind: portal.HistoryDisowned, Detail: "The owner of " + d.user.Email + " says that changing the sign-in to this address was not theirs. Nothing has changed: decide who keeps access."}
		return tellCustomers(ctx, q, biller, d.customers, entry)
	}
	_, err := q.ExecContext(ctx, `
		DELETE FROM address_changes
		WHERE biller_id = $1 AND user_id = $2 AND id = $3`, biller, d.what.UserID, d.what.ID)
	if err != nil {
		return fmt.Errorf("undo address change: %w", err)
	}
	return nil
}

func dropAddressChange(ctx context.Context, q querier, biller, userID string) error {
	_, err := q.ExecContext(ctx, `
		DELETE FROM address_changes
		WHERE biller_id = $1 AND user_id = $2`, biller, userID)
	if err != nil {
		return fmt.Errorf("drop address change: %w", err)
	}
	return nil
}
