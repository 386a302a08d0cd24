package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

type userRow struct {
	ID           string `db:"id"`
	Email        string `db:"email"`
	EmailNorm    string `db:"email_norm"`
	PasswordHash string `db:"password_hash"`
	EndedHash    string `db:"ended_hash"`
	State        string `db:"state"`
	ConfirmedAt  when   `db:"confirmed_at"`
	CreatedAt    when   `db:"created_at"`
}

const selectUser = `
	SELECT
		id,
		email,
		email_norm,
		password_hash,
		ended_hash,
		state,
		confirmed_at,
		created_at
	FROM users
	WHERE biller_id = $1`

func (r userRow) user() portal.User {
	return portal.User{
		ID:           r.ID,
		Email:        r.Email,
		EmailNorm:    r.EmailNorm,
		PasswordHash: r.PasswordHash,
		EndedHash:    r.EndedHash,
		State:        portal.UserState(r.State),
		ConfirmedAt:  r.ConfirmedAt.Time,
		CreatedAt:    r.CreatedAt.Time,
	}
}

// Account implements portal.AccountStore.
func (s *Store) Account(ctx context.Context, biller, emailNorm string, now time.Time) (portal.Account, error) {
	var user userRow
	known, err := get(ctx, s.db.R, &user, selectUser+` AND email_norm = $2`, biller, emailNorm)
	if err != nil {
		return portal.Account{}, fmt.Errorf("find user: %w", err)
	}
	var rows []signUpRow
	if err := selectAll(ctx, s.db.R, &rows, selectSignUp+`
		AND email_norm = $2 AND step IN ('profile', 'confirm') AND expires_at > $3
		ORDER BY created_at DESC, id DESC
		LIMIT $4`, biller, emailNorm, us(now), portal.SignUpsTried); err != nil {
		return portal.Account{}, fmt.Errorf("find sign-ups: %w", err)
	}
	if known {
		u := user.user()
		return portal.Account{User: &u}, nil
	}
	var account portal.Account
	for _, r := range rows {
		account.SignUps = append(account.SignUps, r.signUp())
	}
	return account, nil
}

// moveUser writes the state after an event; ErrPersonUnchanged for one that cannot
// happen. It is the only statement that changes a state.
func moveUser(ctx context.Context, q querier, biller string, u portal.User, e portal.UserEvent) (portal.UserState, error) {
	next, ok := u.State.Next(e)
	if !ok {
		return u.State, portal.ErrPersonUnchanged
	}
	moved, err := one(ctx, q, `
		UPDATE users
		SET state = $1
		WHERE biller_id = $2 AND id = $3 AND state = $4`, string(next), biller, u.ID, string(u.State))
	if err != nil {
		return u.State, fmt.Errorf("move user: %w", err)
	}
	if !moved {
		return u.State, portal.ErrPersonUnchanged
	}
	return next, nil
}

// RaisePassword implements portal.AccountStore.
func (s *Store) RaisePassword(ctx context.Context, biller, userID, oldHash, newHash string) (raised bool, err error) {
	raised, err = one(ctx, s.db.W, `
		UPDATE users
		SET password_hash = $1
		WHERE biller_id = $2 AND id = $3 AND password_hash = $4`, newHash, biller, userID, oldHash)
	if err != nil {
		return false, fmt.Errorf("raise password: %w", err)
	}
	return raised, nil
}

// differs tells, of user u with grant g on customer c, that the address to sign in
// with is not the customer's, and that nobody decided to keep it beside that one.
const differs = `(u.email_norm <> c.email_norm AND g.kept <> '*' AND g.kept <> ('=' || c.email_norm))`

func people(ctx context.Context, q querier, biller, customerID string) ([]portal.Person, error) {
	var rows []struct {
		UserID   string `db:"user_id"`
		Email    string `db:"email"`
		State    string `db:"state"`
		Grant    string `db:"grant_state"`
		Archived bool   `db:"archived"`
		Right    string `db:"access_right"`
		Since    when   `db:"since"`
		Differs  bool   `db:"differs"`
	}
	err := selectAll(ctx, q, &rows, `
		SELECT
			g.user_id,
			u.email,
			u.state,
			g.state AS grant_state,
			c.archived,
			g.access_right,
			g.created_at AS since,
			`+differs+` AS differs
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		JOIN customers c ON c.biller_id = g.biller_id AND c.id = g.customer_id
		WHERE g.biller_id = $1 AND g.customer_id = $2 AND g.state NOT IN ('removed', 'dismissed')
		ORDER BY u.email_norm || ''`, biller, customerID)
	if err != nil {
		return nil, fmt.Errorf("read people: %w", err)
	}
	out := make([]portal.Person, len(rows))
	for i, r := range rows {
		out[i] = portal.Person{
			UserID:  r.UserID,
			Email:   r.Email,
			State:   portal.UserState(r.State),
			Grant:   portal.GrantState(r.Grant).While(r.Archived),
			Right:   portal.Right(r.Right),
			Since:   r.Since.Time,
			Differs: r.Differs,
		}
	}
	return out, nil
}
