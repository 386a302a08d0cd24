package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// sendConfirmation makes the next code and link of a sign-up, and their mail. The
// sign-up lives as long as the link.
func (s *Store) sendConfirmation(ctx context.Context, tx *sqlx.Tx, biller string, su portal.SignUp, now time.Time) error {
	seq := su.Seq + 1
	token := s.keys.Token(portal.PurposeConfirmation, biller, su.ID, 0, seq)
	err := insertToken(ctx, tx, biller, portal.Token{
		Hash:      s.keys.Hash(biller, token),
		Purpose:   portal.PurposeConfirmation,
		SubjectID: su.ID,
		Seq:       seq,
		CreatedAt: now,
		ExpiresAt: now.Add(portal.ConfirmationLife),
	})
	if err != nil {
		return err
	}
	code := s.keys.Code(biller, su.ID, seq)
	if _, err := tx.ExecContext(ctx, `
		UPDATE signups
		SET
			seq = $1,
			code_hash = $2,
			code_tries = 0,
			code_expires_at = $3,
			expires_at = $4
		WHERE biller_id = $5 AND id = $6`,
		seq, s.keys.CodeHash(biller, su.ID, code), us(now.Add(portal.CodeLife)), us(now.Add(portal.SignUpLife)), biller, su.ID); err != nil {
		return fmt.Errorf("set code: %w", err)
	}
	return enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailConfirmation, ID: su.ID, Seq: seq}, now)
}

// ResendConfirmation implements portal.SignUpStore.
func (s *Store) ResendConfirmation(ctx context.Context, biller, handleHash string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, inv, err := s.lockPending(ctx, tx, biller, handleHash, now)
	if err != nil {
		return err
	}
	su := row.signUp()
	if err := moveSignUp(ctx, tx, biller, su, portal.SignUpResend); err != nil {
		return err
	}
	sent, err := confirmationTimes(ctx, tx, biller, inv.ID, now)
	if err != nil {
		return err
	}
	if err := portal.CheckResend(sent, now); err != nil {
		return err
	}
	if err := s.sendConfirmation(ctx, tx, biller, su, now); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryResent, Detail: "The customer asked for the confirmation again."}
	if err := addHistory(ctx, tx, biller, inv.CustomerID, entry); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// ConfirmCode implements portal.SignUpStore.
func (s *Store) ConfirmCode(ctx context.Context, biller, handleHash, code string, a portal.Activity) (portal.Activity, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Activity{}, err
	}
	defer tx.Rollback()
	row, inv, err := s.lockPending(ctx, tx, biller, handleHash, a.At)
	if err != nil {
		return portal.Activity{}, err
	}
	su := row.signUp()
	if _, ok := su.Step.Next(portal.SignUpConfirm); !ok {
		return portal.Activity{}, portal.ErrWrongStep
	}
	if err := countGuess(ctx, tx, biller, su, inv, a.At); err != nil {
		return portal.Activity{}, err
	}
	if !portal.SameHash(row.CodeHash, s.keys.CodeHash(biller, su.ID, code)) {
		if err := tx.Commit(); err != nil {
			return portal.Activity{}, err
		}
		if su.CodeTries+1 >= portal.CodeTries {
			return portal.Activity{}, portal.ErrCodeDead
		}
		return portal.Activity{}, portal.ErrWrongCode
	}
	if err := clearAttempts(ctx, tx, biller, codeGuesses(inv)); err != nil {
		return portal.Activity{}, err
	}
	a.CustomerID, a.Object = inv.CustomerID, su.ID
	return a, s.confirm(ctx, tx, biller, row, inv, a)
}

// countGuess counts a guess on the newest code and on the invitation.
func countGuess(ctx context.Context, tx *sqlx.Tx, biller string, su portal.SignUp, inv portal.Invitation, now time.Time) error {
	counted, err := one(ctx, tx, `
		UPDATE signups
		SET code_tries = code_tries + 1
		WHERE biller_id = $1 AND id = $2 AND code_tries < $3 AND code_expires_at > $4`,
		biller, su.ID, portal.CodeTries, us(now))
	if err != nil {
		return fmt.Errorf("count guess: %w", err)
	}
	if !counted {
		return portal.ErrCodeDead
	}
	usedUp, err := takeAttempt(ctx, tx, biller, codeGuesses(inv), portal.CodeGuesses(), now)
	if err == nil && !usedUp.IsZero() {
		err = portal.ErrCodesUsedUp
	}
	return err
}

// codeGuesses names the count of guesses on one invitation.
func codeGuesses(inv portal.Invitation) string { return "code:" + inv.ID }

// Confirmation implements portal.SignUpStore.
func (s *Store) Confirmation(ctx context.Context, biller, tokenHash string) (portal.Confirmation, error) {
	token, err := findToken(ctx, s.db.R, biller, tokenHash, portal.PurposeConfirmation)
	if err != nil {
		return portal.Confirmation{}, err
	}
	row, err := findSignUp(ctx, s.db.R, biller, token.SubjectID)
	if err != nil {
		return portal.Confirmation{}, err
	}
	inv, err := findInvitation(ctx, s.db.R, biller, row.InvitationID)
	if err != nil {
		return portal.Confirmation{}, err
	}
	customer, err := findCustomer(ctx, s.db.R, biller, inv.CustomerID)
	if err != nil {
		return portal.Confirmation{}, err
	}
	a, err := accountOf(ctx, s.db.R, biller, row.EmailNorm, inv.CustomerID)
	if err != nil {
		return portal.Confirmation{}, err
	}
	return portal.Confirmation{
		Token:      token,
		SignUp:     row.signUp(),
		Invitation: inv,
		Customer:   customer.customer(),
		HasAccount: a.UserID != "",
		HasGrant:   a.Granted,
		Accepted:   a.Accepted,
	}, nil
}

func findSignUp(ctx context.Context, q querier, biller, id string) (signUpRow, error) {
	row, found, err := readSignUp(ctx, q, selectSignUp+` AND id = $2`, biller, id)
	if err == nil && !found {
		err = portal.ErrUnknownLink
	}
	return row, err
}

// ConfirmLink implements portal.SignUpStore.
func (s *Store) ConfirmLink(ctx context.Context, biller, tokenHash, newHandleHash string, a portal.Activity) (portal.Activity, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Activity{}, err
	}
	defer tx.Rollback()
	token, err := findToken(ctx, tx, biller, tokenHash, portal.PurposeConfirmation)
	if err != nil {
		return portal.Activity{}, err
	}
	row, err := s.lockSignUp(ctx, tx, biller, token.SubjectID)
	if err != nil {
		return portal.Activity{}, err
	}
	switch conf := (portal.Confirmation{Token: token, SignUp: row.signUp()}); conf.Outcome("", a.At) {
	case portal.ConfirmationDead:
		return portal.Activity{}, portal.ErrLinkDead
	case portal.ConfirmationExpired:
		return portal.Activity{}, portal.ErrLinkExpired
	case portal.ConfirmationRegistered:
		return portal.Activity{}, portal.ErrRegistered
	}
	inv, err := findInvitation(ctx, tx, biller, row.InvitationID)
	if err != nil {
		return portal.Activity{}, err
	}
	if newHandleHash != "" {
		row.HandleHash = newHandleHash
	}
	a.CustomerID, a.Object = inv.CustomerID, row.ID
	return a, s.confirm(ctx, tx, biller, row, inv, a)
}

// confirm makes the user of the activity and its grants, closes the invitation,
// keeps the activity and commits. Where another sign-up was faster with the
// address, it ends this one instead and returns ErrHasAccount, the invitation then
// staying open as an offer, or ErrRegistered if the user has access to the customer
// already.
func (s *Store) confirm(ctx context.Context, tx *sqlx.Tx, biller string, row signUpRow, inv portal.Invitation, a portal.Activity) error {
	su, userID, now := row.signUp(), a.UserID, a.At
	created, err := insertUser(ctx, tx, biller, su, userID, now)
	if err != nil {
		return err
	}
	if !created {
		return tooLate(ctx, tx, biller, su, inv, now)
	}
	if err := moveSignUp(ctx, tx, biller, su, portal.SignUpConfirm); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE signups
		SET
			user_id = $1,
			handle_hash = $2
		WHERE biller_id = $3 AND id = $4`, userID, su.HandleHash, biller, su.ID); err != nil {
		return fmt.Errorf("set user: %w", err)
	}
	if err := grantChosen(ctx, tx, biller, su.ID, userID, inv, now); err != nil {
		return err
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationAccept); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryConfirmed, Detail: su.Email + " was confirmed. The user agreement is next."}
	if err := addHistory(ctx, tx, biller, inv.CustomerID, entry); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, now); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	return tx.Commit()
}

// tooLate ends a sign-up whose address became a user of another one, and commits.
func tooLate(ctx context.Context, tx *sqlx.Tx, biller string, su portal.SignUp, inv portal.Invitation, now time.Time) error {
	a, err := accountOf(ctx, tx, biller, su.EmailNorm, inv.CustomerID)
	if err != nil {
		return err
	}
	if err := moveSignUp(ctx, tx, biller, su, portal.SignUpVoid); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, inv.CustomerID, now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if a.Granted {
		return portal.ErrRegistered
	}
	return portal.ErrHasAccount
}

// insertUser makes the user of a sign-up; created is false if the address has one.
func insertUser(ctx context.Context, q querier, biller string, su portal.SignUp, id string, now time.Time) (created bool, err error) {
	state, ok := portal.UserPending.Next(portal.UserConfirm)
	if !ok {
		return false, portal.ErrWrongStep
	}
	created, err = one(ctx, q, `
		INSERT INTO users (biller_id, id, email, email_norm, password_hash, state, confirmed_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
		ON CONFLICT (biller_id, email_norm) DO NOTHING`,
		biller, id, su.Email, su.EmailNorm, su.PasswordHash, string(state), us(now))
	if err != nil {
		return false, fmt.Errorf("insert user: %w", err)
	}
	return created, nil
}

func grantChosen(ctx context.Context, q querier, biller, signUpID, userID string, inv portal.Invitation, now time.Time) error {
	var ids []string
	if err := selectAll(ctx, q, &ids, `
		SELECT customer_id
		FROM signup_customers
		WHERE biller_id = $1 AND signup_id = $2
		ORDER BY customer_id`, biller, signUpID); err != nil {
		return fmt.Errorf("read choice: %w", err)
	}
	for _, id := range ids {
		if err := grantInvited(ctx, q, biller, userID, id, inv, now); err != nil {
			return err
		}
	}
	return nil
}
