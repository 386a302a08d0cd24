package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

type signUpRow struct {
	ID            string `db:"id"`
	InvitationID  string `db:"invitation_id"`
	Email         string `db:"email"`
	EmailNorm     string `db:"email_norm"`
	PasswordHash  string `db:"password_hash"`
	HandleHash    string `db:"handle_hash"`
	Step          string `db:"step"`
	UserID        string `db:"user_id"`
	Seq           int    `db:"seq"`
	CodeHash      string `db:"code_hash"`
	CodeTries     int    `db:"code_tries"`
	CodeExpiresAt when   `db:"code_expires_at"`
	CreatedAt     when   `db:"created_at"`
	ExpiresAt     when   `db:"expires_at"`
}

func (r signUpRow) signUp() portal.SignUp {
	return portal.SignUp{
		ID:            r.ID,
		InvitationID:  r.InvitationID,
		Email:         r.Email,
		EmailNorm:     r.EmailNorm,
		PasswordHash:  r.PasswordHash,
		HandleHash:    r.HandleHash,
		Step:          portal.Step(r.Step),
		UserID:        r.UserID,
		Seq:           r.Seq,
		CodeTries:     r.CodeTries,
		CodeExpiresAt: r.CodeExpiresAt.Time,
		CreatedAt:     r.CreatedAt.Time,
		ExpiresAt:     r.ExpiresAt.Time,
	}
}

const selectSignUp = `
	SELECT
		id,
		invitation_id,
		email,
		email_norm,
		password_hash,
		handle_hash,
		step,
		user_id,
		seq,
		code_hash,
		code_tries,
		code_expires_at,
		created_at,
		expires_at
	FROM signups
	WHERE biller_id = $1`

const whereLive = ` AND step NOT IN ('void', 'done') AND expires_at > $3`

// liveSignUp returns the sign-up in progress on an invitation, if there is one.
func liveSignUp(ctx context.Context, q querier, biller, invitationID string, now time.Time) (portal.SignUp, bool, error) {
	row, found, err := readSignUp(ctx, q, selectSignUp+` AND invitation_id = $2`+whereLive+`
		ORDER BY created_at DESC, id DESC
		LIMIT 1`, biller, invitationID, us(now))
	return row.signUp(), found, err
}

func readSignUp(ctx context.Context, q querier, query string, args ...any) (signUpRow, bool, error) {
	var row signUpRow
	found, err := get(ctx, q, &row, query, args...)
	if err != nil {
		return signUpRow{}, false, fmt.Errorf("find sign-up: %w", err)
	}
	return row, found, nil
}

// pendingRow returns the live sign-up of a handle.
func pendingRow(ctx context.Context, q querier, biller, handleHash string, now time.Time) (signUpRow, error) {
	if handleHash == "" {
		return signUpRow{}, portal.ErrSignUpEnded
	}
	row, found, err := readSignUp(ctx, q, selectSignUp+` AND handle_hash = $2 AND handle_hash <> ''`+whereLive, biller, handleHash, us(now))
	if err == nil && !found {
		err = portal.ErrSignUpEnded
	}
	return row, err
}

// lockPending returns the live sign-up of a handle and its invitation, with the
// customer locked.
func (s *Store) lockPending(ctx context.Context, tx *sqlx.Tx, biller, handleHash string, now time.Time) (signUpRow, portal.Invitation, error) {
	row, err := pendingRow(ctx, tx, biller, handleHash, now)
	if err != nil {
		return signUpRow{}, portal.Invitation{}, err
	}
	if err := s.lockInvited(ctx, tx, biller, row.InvitationID); err != nil {
		return signUpRow{}, portal.Invitation{}, err
	}
	if row, err = pendingRow(ctx, tx, biller, handleHash, now); err != nil {
		return signUpRow{}, portal.Invitation{}, err
	}
	inv, err := findInvitation(ctx, tx, biller, row.InvitationID)
	return row, inv, err
}

// lockInvited locks the customer of an invitation; which one it is never changes.
func (s *Store) lockInvited(ctx context.Context, tx *sqlx.Tx, biller, invitationID string) error {
	inv, err := findInvitation(ctx, tx, biller, invitationID)
	if err != nil {
		return err
	}
	_, err = s.lockCustomer(ctx, tx, biller, inv.CustomerID)
	return err
}

// Register implements portal.SignUpStore.
func (s *Store) Register(ctx context.Context, biller string, generation int, su portal.SignUp, a portal.Activity) error {
	now := a.At
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.lockInvited(ctx, tx, biller, su.InvitationID); err != nil {
		return err
	}
	link, err := readLink(ctx, tx, biller, su.InvitationID, now)
	if err != nil {
		return err
	}
	link.Token.Generation = generation
	if err := link.CanStart(now); err != nil {
		return err
	}
	if err := voidSignUps(ctx, tx, biller, su.InvitationID); err != nil {
		return err
	}
	if err := insertSignUp(ctx, tx, biller, su); err != nil {
		return err
	}
	if _, err := moveInvitation(ctx, tx, biller, link.Invitation, portal.InvitationStart); err != nil {
		return err
	}
	if err := tellStart(ctx, tx, biller, link, now); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, link.Customer.ID, now); err != nil {
		return err
	}
	if err := s.insertDisownToken(ctx, tx, biller, a); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	return tx.Commit()
}

// insertSignUp keeps a sign-up at its first step.
func insertSignUp(ctx context.Context, q querier, biller string, su portal.SignUp) error {
	if first, ok := portal.StepRegister.Next(portal.SignUpRegister); !ok || su.Step != first {
		return portal.ErrWrongStep
	}
	_, err := q.ExecContext(ctx, `
		INSERT INTO signups (
			biller_id, id, invitation_id, email, email_norm, password_hash, handle_hash,
			step, user_id, seq, code_hash, code_tries, code_expires_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', 0, '', 0, 0, $9, $10)`,
		biller, su.ID, su.InvitationID, su.Email, su.EmailNorm, su.PasswordHash, su.HandleHash,
		string(su.Step), us(su.CreatedAt), us(su.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert sign-up: %w", err)
	}
	return nil
}

// voidSignUps ends the sign-ups of an invitation that have not become a user,
// with their passwords, codes, links and handles.
func voidSignUps(ctx context.Context, q querier, biller, invitationID string) error {
	var rows []struct {
		ID   string `db:"id"`
		Step string `db:"step"`
	}
	if err := selectAll(ctx, q, &rows, `
		SELECT
			id,
			step
		FROM signups
		WHERE biller_id = $1 AND invitation_id = $2`, biller, invitationID); err != nil {
		return fmt.Errorf("find sign-ups: %w", err)
	}
	for _, r := range rows {
		if _, ok := portal.Step(r.Step).Next(portal.SignUpVoid); !ok {
			continue
		}
		if err := moveSignUp(ctx, q, biller, portal.SignUp{ID: r.ID, Step: portal.Step(r.Step)}, portal.SignUpVoid); err != nil {
			return err
		}
	}
	return nil
}

// moveSignUp writes the step after an event; ErrWrongStep for one that cannot
// happen. It is the only statement that changes a step. What a step has no use
// for is wiped: the code after confirmation, handle and password at the end.
func moveSignUp(ctx context.Context, q querier, biller string, su portal.SignUp, e portal.SignUpEvent) error {
	next, ok := su.Step.Next(e)
	if !ok {
		return portal.ErrWrongStep
	}
	over := next == portal.StepVoid || next == portal.StepDone
	moved, err := one(ctx, q, `
		UPDATE signups
		SET
			step = $1,
			code_hash = CASE WHEN $2 THEN '' ELSE code_hash END,
			handle_hash = CASE WHEN $3 THEN '' ELSE handle_hash END,
			password_hash = CASE WHEN $2 THEN '' ELSE password_hash END
		WHERE biller_id = $4 AND id = $5 AND step = $6`,
		string(next), over || next == portal.StepAccept, over, biller, su.ID, string(su.Step))
	if err != nil {
		return fmt.Errorf("move sign-up: %w", err)
	}
	if !moved {
		return portal.ErrWrongStep
	}
	return nil
}

// SignUpRevoked implements portal.SignUpStore.
func (s *Store) SignUpRevoked(ctx context.Context, biller, signUpID string) (bool, error) {
	var id string
	found, err := get(ctx, s.db.R, &id, `
		SELECT s.id
		FROM signups s
		JOIN invitations i ON i.biller_id = s.biller_id AND i.id = s.invitation_id
		WHERE s.biller_id = $1 AND s.id = $2 AND s.step = 'void' AND i.state = 'revoked'`, biller, signUpID)
	if err != nil {
		return false, fmt.Errorf("find revoked sign-up: %w", err)
	}
	return found, nil
}

// Pending implements portal.SignUpStore.
func (s *Store) Pending(ctx context.Context, biller, handleHash string, now time.Time) (portal.Pending, error) {
	row, err := pendingRow(ctx, s.db.R, biller, handleHash, now)
	if err != nil {
		return portal.Pending{}, err
	}
	inv, err := findInvitation(ctx, s.db.R, biller, row.InvitationID)
	if err != nil {
		return portal.Pending{}, err
	}
	customer, err := findCustomer(ctx, s.db.R, biller, inv.CustomerID)
	if err != nil {
		return portal.Pending{}, err
	}
	p := portal.Pending{SignUp: row.signUp(), Customer: customer.customer()}
	if !customer.Archived {
		p.Profiles = []portal.Profile{{
			CustomerID: customer.ID,
			Name:       p.Customer.Label(),
			Number:     customer.Number,
			Address:    customer.Address,
		}}
	}
	return p, nil
}

// confirmationTimes returns when confirmations went out in the last hour, oldest
// first. It counts those of replaced sign-ups too: starting again is no way to
// send more mail.
func confirmationTimes(ctx context.Context, q querier, biller, invitationID string, now time.Time) ([]time.Time, error) {
	return times(ctx, q, `
		SELECT t.created_at
		FROM signups s
		CROSS JOIN tokens t
		WHERE s.biller_id = $1 AND s.invitation_id = $2 AND t.biller_id = $1 AND t.subject_id = s.id AND t.purpose = $3 AND t.created_at > $4
		ORDER BY t.created_at`,
		biller, invitationID, string(portal.PurposeConfirmation), us(now.Add(-portal.ConfirmationWindow)))
}

// TakeOver implements portal.SignUpStore.
func (s *Store) TakeOver(ctx context.Context, biller, signUpID, handleHash string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, err := s.lockSignUp(ctx, tx, biller, signUpID)
	if err != nil {
		return err
	}
	if su := row.signUp(); !su.Live(now) {
		return portal.ErrSignUpEnded
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE signups
		SET handle_hash = $1
		WHERE biller_id = $2 AND id = $3`, handleHash, biller, signUpID); err != nil {
		return fmt.Errorf("take over sign-up: %w", err)
	}
	return tx.Commit()
}

// lockSignUp returns a sign-up with the invited customer locked; ErrUnknownLink
// if the biller has none of that id.
func (s *Store) lockSignUp(ctx context.Context, tx *sqlx.Tx, biller, id string) (signUpRow, error) {
	row, err := findSignUp(ctx, tx, biller, id)
	if err != nil {
		return signUpRow{}, err
	}
	if err := s.lockInvited(ctx, tx, biller, row.InvitationID); err != nil {
		return signUpRow{}, err
	}
	return findSignUp(ctx, tx, biller, id)
}

// Choose implements portal.SignUpStore.
func (s *Store) Choose(ctx context.Context, biller, handleHash string, customerIDs []string, now time.Time) error {
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
	if err := moveSignUp(ctx, tx, biller, su, portal.SignUpChoose); err != nil {
		return err
	}
	if err := replaceChosen(ctx, tx, biller, su.ID, inv, customerIDs); err != nil {
		return err
	}
	if su.Step == portal.StepProfile {
		if err := s.firstConfirmation(ctx, tx, biller, su, inv, now); err != nil {
			return err
		}
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

func (s *Store) firstConfirmation(ctx context.Context, tx *sqlx.Tx, biller string, su portal.SignUp, inv portal.Invitation, now time.Time) error {
	sent, err := confirmationTimes(ctx, tx, biller, inv.ID, now)
	if err != nil {
		return err
	}
	if err := portal.CheckConfirmation(sent, now); err != nil {
		return err
	}
	if err := s.sendConfirmation(ctx, tx, biller, su, now); err != nil {
		return err
	}
	return addHistory(ctx, tx, biller, inv.CustomerID, portal.HistoryEntry{
		At: now, Kind: portal.HistoryChosen, Detail: "The profile was chosen. A confirmation goes to " + su.Email + ".",
	})
}

// replaceChosen keeps the customers chosen, which are among those the
// invitation names.
func replaceChosen(ctx context.Context, q querier, biller, signUpID string, inv portal.Invitation, customerIDs []string) error {
	if _, err := q.ExecContext(ctx, `
		DELETE FROM signup_customers
		WHERE biller_id = $1 AND signup_id = $2`, biller, signUpID); err != nil {
		return fmt.Errorf("delete choice: %w", err)
	}
	for _, id := range customerIDs {
		if id != inv.CustomerID {
			return portal.ErrNoProfile
		}
		if _, err := q.ExecContext(ctx, `
			INSERT INTO signup_customers (biller_id, signup_id, customer_id)
			VALUES ($1, $2, $3)`, biller, signUpID, id); err != nil {
			return fmt.Errorf("insert choice: %w", err)
		}
	}
	return nil
}
