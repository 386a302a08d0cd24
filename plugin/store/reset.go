package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// AskReset implements portal.ResetStore.
func (s *Store) AskReset(ctx context.Context, biller string, r portal.Reset, a portal.Activity) (usedUp time.Time, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return time.Time{}, err
	}
	defer tx.Rollback()
	usedUp, err = takeAttempt(ctx, tx, biller, "reset:"+s.keys.Hash(biller, r.EmailNorm), portal.ResetRequests(), r.CreatedAt)
	if err != nil {
		return time.Time{}, err
	}
	if !usedUp.IsZero() {
		return usedUp, tx.Commit()
	}
	if err := s.sendReset(ctx, tx, biller, r, a); err != nil {
		return time.Time{}, err
	}
	if err := tx.Commit(); err != nil {
		return time.Time{}, err
	}
	s.wake(biller)
	return time.Time{}, nil
}

// sendReset keeps an asking and what goes with it: its link, that of "This wasn't
// me" if somebody asked, and the mail with them.
func (s *Store) sendReset(ctx context.Context, tx *sqlx.Tx, biller string, r portal.Reset, a portal.Activity) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO resets (biller_id, id, email_norm, created_at, expires_at, used_at, ended)
		VALUES ($1, $2, $3, $4, $5, 0, $6)`, biller, r.ID, r.EmailNorm, us(r.CreatedAt), us(r.ExpiresAt), r.Ended); err != nil {
		return fmt.Errorf("insert reset: %w", err)
	}
	token := s.keys.Token(portal.PurposeReset, biller, r.ID, 0, 0)
	if err := insertToken(ctx, tx, biller, portal.Token{
		Hash: s.keys.Hash(biller, token), Purpose: portal.PurposeReset, SubjectID: r.ID, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
	}); err != nil {
		return err
	}
	if !r.Ended {
		if err := s.insertDisownToken(ctx, tx, biller, a); err != nil {
			return err
		}
	}
	if err := enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailReset, ID: r.ID}, r.CreatedAt); err != nil {
		return err
	}
	return s.record(ctx, tx, biller, a)
}

// Reset implements portal.ResetStore.
func (s *Store) Reset(ctx context.Context, biller, tokenHash string, now time.Time) (portal.Reset, portal.Account, error) {
	token, err := findToken(ctx, s.db.R, biller, tokenHash, portal.PurposeReset)
	if err != nil {
		return portal.Reset{}, portal.Account{}, err
	}
	r, err := findReset(ctx, s.db.R, biller, token.SubjectID)
	if err != nil {
		return portal.Reset{}, portal.Account{}, err
	}
	account, err := s.Account(ctx, biller, r.EmailNorm, now)
	return r, account, err
}

func findReset(ctx context.Context, q querier, biller, id string) (portal.Reset, error) {
	var row struct {
		EmailNorm string `db:"email_norm"`
		CreatedAt when   `db:"created_at"`
		ExpiresAt when   `db:"expires_at"`
		UsedAt    when   `db:"used_at"`
		Ended     bool   `db:"ended"`
	}
	found, err := get(ctx, q, &row, `
		SELECT
			email_norm,
			created_at,
			expires_at,
			used_at,
			ended
		FROM resets
		WHERE biller_id = $1 AND id = $2`, biller, id)
	if err != nil {
		return portal.Reset{}, fmt.Errorf("find reset: %w", err)
	}
	if !found {
		return portal.Reset{}, portal.ErrUnknownLink
	}
	return portal.Reset{
		ID: id, EmailNorm: row.EmailNorm, CreatedAt: row.CreatedAt.Time, ExpiresAt: row.ExpiresAt.Time, UsedAt: row.UsedAt.Time,
		Ended: row.Ended,
	}, nil
}

// UseReset implements portal.ResetStore.
func (s *Store) UseReset(ctx context.Context, biller string, in portal.NewPassword, now time.Time) (confirmed bool, err error) {
	token, err := findToken(ctx, s.db.R, biller, in.TokenHash, portal.PurposeReset)
	if err != nil {
		return false, err
	}
	r, err := findReset(ctx, s.db.R, biller, token.SubjectID)
	if err != nil {
		return false, err
	}
	account, err := s.Account(ctx, biller, r.EmailNorm, now)
	if err != nil {
		return false, err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return false, err
	}
	defer tx.Rollback()
	switch {
	case account.User != nil:
		return false, s.setPassword(ctx, tx, biller, account.User.ID, r, in, now)
	case len(account.SignUps) > 0:
		return true, s.confirmByReset(ctx, tx, biller, account.SignUps[0].ID, r, in, now)
	}
	return false, portal.ErrResetGone
}

// consumeReset ends the link, and the other open ones of the address.
func (s *Store) consumeReset(ctx context.Context, tx *sqlx.Tx, biller string, r portal.Reset, now time.Time) error {
	if err := s.lockResets(ctx, tx, biller, r.EmailNorm); err != nil {
		return err
	}
	won, err := one(ctx, tx, `
		UPDATE resets
		SET used_at = $1
		WHERE biller_id = $2 AND id = $3 AND used_at = 0 AND expires_at > $1`, us(now), biller, r.ID)
	if err != nil {
		return fmt.Errorf("use reset: %w", err)
	}
	if !won {
		return portal.ErrResetGone
	}
	return s.endResets(ctx, tx, biller, r.EmailNorm, now)
}

// endResets ends the open links of an address.
func (s *Store) endResets(ctx context.Context, tx *sqlx.Tx, biller, emailNorm string, now time.Time) error {
	if err := s.lockResets(ctx, tx, biller, emailNorm); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `
		UPDATE resets
		SET used_at = $1
		WHERE biller_id = $2 AND email_norm = $3 AND used_at = 0`, us(now), biller, emailNorm)
	if err != nil {
		return fmt.Errorf("end resets: %w", err)
	}
	return nil
}

// setPassword uses a reset of a user who has its address, ends the user's sessions
// and commits.
func (s *Store) setPassword(ctx context.Context, tx *sqlx.Tx, biller, userID string, r portal.Reset, in portal.NewPassword, now time.Time) error {
	u, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate())
	if apperr.Is(err, apperr.NotFound) || err == nil && u.EmailNorm != r.EmailNorm {
		return portal.ErrResetGone // erased, or has another address meanwhile
	}
	if err != nil {
		return err
	}
	if err := s.consumeReset(ctx, tx, biller, r, now); err != nil {
		return err
	}
	set, err := one(ctx, tx, `
		UPDATE users
		SET
			password_hash = $1,
			ended_hash = ''
		WHERE biller_id = $2 AND id = $3 AND state = 'active'`, in.PasswordHash, biller, u.ID)
	if err != nil {
		return fmt.Errorf("set password: %w", err)
	}
	if !set {
		return portal.ErrResetGone
	}
	if err := endOthers(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := s.clearSignIns(ctx, tx, biller, u); err != nil {
		return err
	}
	in.Activity.UserID = u.ID
	if err := s.record(ctx, tx, biller, in.Activity); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// endOthers ends what others may have begun who knew a password that is replaced:
// sessions, the way to one through a sign-up that waits for the agreement, and a
// change of the address that waits for its code.
func endOthers(ctx context.Context, q querier, biller, userID string) error {
	if err := dropAddressChange(ctx, q, biller, userID); err != nil {
		return err
	}
	if err := endHandles(ctx, q, biller, userID); err != nil {
		return err
	}
	return deleteSessions(ctx, q, biller, userID)
}

func deleteSessions(ctx context.Context, q querier, biller, userID string) error {
	_, err := q.ExecContext(ctx, `
		DELETE FROM sessions
		WHERE biller_id = $1 AND user_id = $2`, biller, userID)
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	return nil
}

// confirmByReset goes on with a sign-up whose mailbox the link has proved, for
// the customer of its invitation unless others were chosen.
func (s *Store) confirmByReset(ctx context.Context, tx *sqlx.Tx, biller, signUpID string, r portal.Reset, in portal.NewPassword, now time.Time) error {
	row, err := s.lockSignUp(ctx, tx, biller, signUpID)
	if err != nil {
		return err
	}
	if err := s.consumeReset(ctx, tx, biller, r, now); err != nil {
		return err
	}
	su := row.signUp()
	if !su.Live(now) {
		return portal.ErrResetGone
	}
	inv, err := findInvitation(ctx, tx, biller, su.InvitationID)
	if err != nil {
		return err
	}
	if su.Step == portal.StepProfile {
		if err := moveSignUp(ctx, tx, biller, su, portal.SignUpChoose); err != nil {
			return err
		}
		if err := replaceChosen(ctx, tx, biller, su.ID, inv, []string{inv.CustomerID}); err != nil {
			return err
		}
		row.Step = string(portal.StepConfirm)
	}
	row.PasswordHash, row.HandleHash = in.PasswordHash, in.HandleHash
	in.Activity.UserID, in.Activity.NoticeTo = in.UserID, su.Email
	return s.confirm(ctx, tx, biller, row, inv, in.Activity)
}

// User implements portal.ResetStore.
func (s *Store) User(ctx context.Context, biller, userID string) (portal.User, error) {
	return findUser(ctx, s.db.R, biller, userID)
}

func findUser(ctx context.Context, q querier, biller, userID string) (portal.User, error) {
	var row userRow
	found, err := get(ctx, q, &row, selectUser+` AND id = $2`, biller, userID)
	if err != nil {
		return portal.User{}, fmt.Errorf("find user: %w", err)
	}
	if !found {
		return portal.User{}, apperr.Errorf(apperr.NotFound, "This person does not exist.")
	}
	return row.user(), nil
}

// ChangePassword implements portal.ResetStore.
func (s *Store) ChangePassword(ctx context.Context, biller, oldHash, newHash string, session portal.Session, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	changed, err := one(ctx, tx, `
		UPDATE users
		SET password_hash = $1
		WHERE biller_id = $2 AND id = $3 AND password_hash = $4 AND state = 'active'`, newHash, biller, session.UserID, oldHash)
	if err != nil {
		return fmt.Errorf("change password: %w", err)
	}
	if !changed {
		return apperr.Errorf(apperr.Conflict, "The password was changed meanwhile. Sign in again.")
	}
	u, err := findUser(ctx, tx, biller, session.UserID)
	if err != nil {
		return err
	}
	if err := s.endResets(ctx, tx, biller, u.EmailNorm, a.At); err != nil {
		return err
	}
	if err := endOthers(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := insertSession(ctx, tx, biller, session); err != nil {
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
