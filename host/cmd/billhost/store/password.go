package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// startSession starts a session of a person whose row the transaction holds, with
// what they have proven, and has them told of a browser they had not used before.
func (s *Store) startSession(ctx context.Context, tx *sqlx.Tx, biller, staffID, proof string) (token string, err error) {
	sess, err := newSecret(biller)
	if err != nil {
		return "", err
	}
	now, by := s.now(), books.ActorFrom(ctx)
	_, err = tx.ExecContext(ctx, `
		INSERT INTO staff_sessions (biller_id, token_hash, staff_id, created_at, seen_at, expires_at, ip, agent, proof)
		VALUES ($1, $2, $3, $4, $4, $5, $6, $7, $8)`,
		biller, sess.hash, staffID, now, now.Add(books.StaffSessionLife), by.IP, short(by.Agent), proof)
	if err != nil {
		return "", fmt.Errorf("insert session: %w", err)
	}
	if err := sweepSessions(ctx, tx, biller, now); err != nil {
		return "", err
	}
	record := addon.AuditRecord{Action: books.AuditStaffSignedIn, StaffID: staffID, Object: staffID, Detail: map[string]string{"with": proof}}
	stranger, err := s.knowDevice(ctx, tx, biller, staffID)
	if err != nil {
		return "", err
	}
	if stranger {
		record.Detail["browser"] = "new"
		if err := s.tellOfDevice(ctx, tx, biller, staffID); err != nil {
			return "", err
		}
	}
	if err := s.sweepTries(ctx, tx, now); err != nil {
		return "", err
	}
	return sess.token, s.audit(ctx, tx, biller, record)
}

// short is what is kept of a browser's name: whole letters of the first 256 bytes.
func short(agent string) string {
	if !text(agent) {
		return ""
	}
	return strings.ToValidUTF8(agent[:min(len(agent), 256)], "")
}

// StartStaffSession signs a person in whose password was right for the hash.
// books.ErrWrongSignIn if the password is another by now, or the person disabled.
func (s *Store) StartStaffSession(ctx context.Context, biller, staffID, hash string) (session string, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	if err := s.lockPassword(ctx, tx, biller, staffID, hash); err != nil {
		return "", err
	}
	if session, err = s.startSession(ctx, tx, biller, staffID, books.ProofPassword); err != nil {
		return "", err
	}
	return session, tx.Commit()
}

// lockPassword holds the row of a staff user who may sign in and whose password
// has the hash; books.ErrWrongSignIn otherwise.
func (s *Store) lockPassword(ctx context.Context, tx *sqlx.Tx, biller, staffID, hash string) error {
	var id string
	err := tx.GetContext(ctx, &id, `
		SELECT id
		FROM staff
		WHERE biller_id = $1
			AND id = $2
			AND password_hash = $3
			AND password_hash <> ''
			AND NOT disabled`+s.db.ForUpdate(), biller, staffID, hash)
	if errors.Is(err, sql.ErrNoRows) {
		return books.ErrWrongSignIn
	}
	if err != nil {
		return fmt.Errorf("lock password: %w", err)
	}
	return nil
}

// Candidates finds whom a normalised address may sign in with a password: at most
// books.PasswordsTried, over all billers.
func (s *Store) Candidates(ctx context.Context, emailNorm string) ([]books.Candidate, error) {
	var rows []struct {
		staffRow
		BillerName string `db:"biller_name"`
		Hash       string `db:"password_hash"`
	}
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			p.biller_id,
			p.id,
			p.email,
			p.name,
			CASE WHEN p.operator THEN 'operator' ELSE p.role END AS role,
			p.disabled,
			p.password_hash,
			b.name AS biller_name
		FROM staff p
		JOIN billers b
			ON b.biller_id = p.biller_id
		WHERE p.email_norm = $1
			AND NOT p.disabled
			AND p.password_hash <> ''
		ORDER BY p.biller_id, p.id
		LIMIT $2`, emailNorm, books.PasswordsTried)
	if err != nil {
		return nil, fmt.Errorf("find candidates: %w", err)
	}
	out := make([]books.Candidate, len(rows))
	for i, r := range rows {
		out[i] = books.Candidate{Staff: r.staff(), BillerName: r.BillerName, Hash: r.Hash}
	}
	return out, nil
}

// StaffPassword returns the hash of a person's password, empty for none.
func (s *Store) StaffPassword(ctx context.Context, biller, staffID string) (string, error) {
	var hash string
	err := s.db.R.GetContext(ctx, &hash, `
		SELECT password_hash
		FROM staff
		WHERE biller_id = $1
			AND id = $2
			AND NOT disabled`, biller, staffID)
	if err != nil {
		return "", fmt.Errorf("get password: %w", one(err, "There is no such person."))
	}
	return hash, nil
}

// RaiseStaffPassword replaces a hash that has become too cheap, if it is still the
// old one.
func (s *Store) RaiseStaffPassword(ctx context.Context, biller, staffID, oldHash, newHash string) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE staff
		SET password_hash = $3
		WHERE biller_id = $1
			AND id = $2
			AND password_hash = $4`, biller, staffID, newHash, oldHash)
	if err != nil {
		return fmt.Errorf("raise password: %w", err)
	}
	return nil
}

// SetStaffPassword replaces the hash if it is still oldHash, ends every session
// and link of the person, forgets their other browsers, has them told by mail, and
// returns a new session's token. Conflict if it is another.
func (s *Store) SetStaffPassword(ctx context.Context, biller, staffID, oldHash, newHash string) (session string, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	done, err := tx.ExecContext(ctx, `
		UPDATE staff
		SET password_hash = $3
		WHERE biller_id = $1
			AND id = $2
			AND password_hash = $4
			AND NOT disabled`, biller, staffID, newHash, oldHash)
	if err != nil {
		return "", fmt.Errorf("set password: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return "", firstErr(err, apperr.Errorf(apperr.Conflict, "The password was changed meanwhile. Sign in again."))
	}
	if err := endStaff(ctx, tx, biller, staffID, true); err != nil {
		return "", err
	}
	notice := books.Ask{Kind: books.AskPassword, BillerID: biller, StaffID: staffID, Agent: short(books.ActorFrom(ctx).Agent), At: s.now()}
	if oldHash == "" {
		notice.Kind = books.AskFirstPassword
	}
	if err := s.ask(ctx, tx, notice); err != nil {
		return "", err
	}
	if session, err = s.startSession(ctx, tx, biller, staffID, books.ProofPassword); err != nil {
		return "", err
	}
	if err := s.audit(ctx, tx, biller, addon.AuditRecord{Action: books.AuditStaffPassword, StaffID: staffID, Object: staffID}); err != nil {
		return "", err
	}
	return session, tx.Commit()
}

// endStaff ends the sessions and links of a person and forgets their browsers, but
// this one if keep says so.
func endStaff(ctx context.Context, tx *sqlx.Tx, biller, staffID string, keep bool) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM staff_sessions
		WHERE biller_id = $1
			AND staff_id = $2`, biller, staffID)
	if err != nil {
		return fmt.Errorf("end sessions: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM staff_links
		WHERE biller_id = $1
			AND staff_id = $2`, biller, staffID)
	if err != nil {
		return fmt.Errorf("end links: %w", err)
	}
	return forgetDevices(ctx, tx, biller, staffID, keep)
}

// sessionIDLength is how much of a session's hash names it: too little to look
// one up, enough to tell a person's apart.
const sessionIDLength = 24

// StaffSessions returns where a person is signed in, the one used last first;
// token is the session that asks.
func (s *Store) StaffSessions(ctx context.Context, biller, staffID, token string) ([]books.StaffSession, error) {
	var rows []struct {
		TokenHash string    `db:"token_hash"`
		IP        string    `db:"ip"`
		Agent     string    `db:"agent"`
		CreatedAt time.Time `db:"created_at"`
		SeenAt    time.Time `db:"seen_at"`
	}
	now := s.now()
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			token_hash,
			ip,
			agent,
			created_at,
			seen_at
		FROM staff_sessions
		WHERE biller_id = $1
			AND staff_id = $2
			AND expires_at > $3
			AND seen_at > $4
		ORDER BY seen_at DESC, token_hash`, biller, staffID, now, now.Add(-books.StaffIdle))
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	mine, _ := readSecret(token) // the zero secret is no session
	out := make([]books.StaffSession, len(rows))
	for i, r := range rows {
		out[i] = books.StaffSession{
			ID: r.TokenHash[:sessionIDLength], IP: r.IP, Agent: r.Agent, CreatedAt: r.CreatedAt, SeenAt: r.SeenAt, Current: r.TokenHash == mine.hash,
		}
	}
	return out, nil
}

// EndStaffSessions ends the session of that id, or with an empty id all of the
// person's but the one of token. It tells how many it ended.
func (s *Store) EndStaffSessions(ctx context.Context, biller, staffID, id, token string) (int, error) {
	mine, _ := readSecret(token) // the zero secret keeps none
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	done, err := tx.ExecContext(ctx, `
		DELETE FROM staff_sessions
		WHERE biller_id = $1
			AND staff_id = $2
			AND (substr(token_hash, 1, 24) = $3 OR ($3 = '' AND token_hash <> $4))`, biller, staffID, id, mine.hash)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	n, err := done.RowsAffected()
	if err != nil || n == 0 {
		return 0, err
	}
	record := addon.AuditRecord{Action: books.AuditStaffSignedOut, StaffID: staffID, Object: staffID, Detail: map[string]string{"sessions": fmt.Sprint(n)}}
	if err := s.audit(ctx, tx, biller, record); err != nil {
		return 0, err
	}
	return int(n), tx.Commit()
}
