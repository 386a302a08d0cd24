package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// touchEvery is how fresh a session's last use is kept.
const touchEvery = time.Minute

// CreateSession implements portal.AccountStore.
func (s *Store) CreateSession(ctx context.Context, biller, passwordHash string, session portal.Session, a portal.Activity) (portal.Activity, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Activity{}, err
	}
	defer tx.Rollback()
	var id string
	unchanged, err := get(ctx, tx, &id, `
		SELECT id
		FROM users
		WHERE biller_id = $1 AND id = $2 AND password_hash = $3 AND password_hash <> '' AND state = 'active'`+s.db.ForUpdate(),
		biller, session.UserID, passwordHash)
	if err != nil {
		return portal.Activity{}, fmt.Errorf("lock user: %w", err)
	}
	if !unchanged {
		return portal.Activity{}, portal.ErrWrongSignIn
	}
	if err := insertSession(ctx, tx, biller, session); err != nil {
		return portal.Activity{}, err
	}
	stranger, err := knowDevice(ctx, tx, biller, session.UserID, session.Device, session.CreatedAt)
	if err != nil {
		return portal.Activity{}, err
	}
	if stranger {
		a.Action = portal.ActionNewDevice
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return portal.Activity{}, err
	}
	if err := tx.Commit(); err != nil {
		return portal.Activity{}, err
	}
	if stranger {
		s.wake(biller)
	}
	return a, nil
}

func insertSession(ctx context.Context, q querier, biller string, session portal.Session) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO sessions (biller_id, token_hash, user_id, created_at, seen_at, expires_at, ip, agent, typed_at, typed_in)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		biller, session.TokenHash, session.UserID, us(session.CreatedAt), us(session.SeenAt),
		us(session.ExpiresAt), session.IP, session.Agent, us(session.Typed.At), session.Typed.Place)
	if err != nil {
		return fmt.Errorf("insert session: %w", err)
	}
	return nil
}

type sessionRow struct {
	UserID    string `db:"user_id"`
	Email     string `db:"email"`
	SeenAt    when   `db:"seen_at"`
	ExpiresAt when   `db:"expires_at"`
	TypedAt   when   `db:"typed_at"`
	TypedIn   string `db:"typed_in"`
	Accepted  bool   `db:"accepted"`
}

// Session implements portal.AccountStore.
func (s *Store) Session(ctx context.Context, biller, tokenHash string, now time.Time) (portal.SessionView, error) {
	row, err := findSession(ctx, s.db.R, biller, tokenHash, now)
	if err != nil {
		return portal.SessionView{}, err
	}
	if now.Sub(row.SeenAt.Time) >= touchEvery {
		if _, err := s.db.W.ExecContext(ctx, `
			UPDATE sessions
			SET seen_at = $1
			WHERE biller_id = $2 AND token_hash = $3`, us(now), biller, tokenHash); err != nil {
			return portal.SessionView{}, fmt.Errorf("touch session: %w", err)
		}
	}
	view := portal.SessionView{
		UserID:           row.UserID,
		Email:            row.Email,
		ExpiresAt:        row.ExpiresAt.Time,
		Typed:            portal.Typed{At: row.TypedAt.Time, Place: row.TypedIn},
		AgreementPending: !row.Accepted,
	}
	view.Grants, err = grants(ctx, s.db.R, biller, row.UserID)
	return view, err
}

// findSession returns a session that is good at the time.
func findSession(ctx context.Context, q querier, biller, tokenHash string, now time.Time) (sessionRow, error) {
	var row sessionRow
	found, err := get(ctx, q, &row, `
		SELECT
			s.user_id,
			u.email,
			s.seen_at,
			s.expires_at,
			s.typed_at,
			s.typed_in,
			EXISTS (
				SELECT 1
				FROM acceptances a
				WHERE a.biller_id = $1 AND a.user_id = s.user_id AND a.version = (
					SELECT g.version
					FROM agreements g
					WHERE g.biller_id = $1 AND g.effective_on <= $3 AND g.withdrawn_at = 0
					ORDER BY g.effective_on DESC, CAST(g.version AS INTEGER) DESC
					LIMIT 1
				)
			) AS accepted
		FROM sessions s
		JOIN users u ON u.biller_id = s.biller_id AND u.id = s.user_id
		JOIN billers b ON b.biller_id = s.biller_id
		WHERE s.biller_id = $1 AND s.token_hash = $2
			AND s.expires_at > $3 AND s.seen_at > $4
			AND u.state = 'active' AND b.enabled`,
		biller, tokenHash, us(now), us(now.Add(-portal.SessionIdle)))
	if err != nil {
		return sessionRow{}, fmt.Errorf("find session: %w", err)
	}
	if !found {
		return sessionRow{}, portal.ErrSignedOut
	}
	return row, nil
}

// DeleteSession implements portal.AccountStore.
func (s *Store) DeleteSession(ctx context.Context, biller, tokenHash string, a portal.Activity) (portal.Activity, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Activity{}, err
	}
	defer tx.Rollback()
	row, err := findSession(ctx, tx, biller, tokenHash, a.At)
	if err != nil && !errors.Is(err, portal.ErrSignedOut) {
		return portal.Activity{}, err
	}
	deleted, err := deleteSession(ctx, tx, biller, tokenHash)
	if err != nil {
		return portal.Activity{}, err
	}
	if !deleted || row.UserID == "" {
		return portal.Activity{}, tx.Commit()
	}
	a.UserID = row.UserID
	if err := s.record(ctx, tx, biller, a); err != nil {
		return portal.Activity{}, err
	}
	return a, tx.Commit()
}

func deleteSession(ctx context.Context, q querier, biller, tokenHash string) (deleted bool, err error) {
	deleted, err = one(ctx, q, `
		DELETE FROM sessions
		WHERE biller_id = $1 AND token_hash = $2`, biller, tokenHash)
	if err != nil {
		return false, fmt.Errorf("delete session: %w", err)
	}
	return deleted, nil
}

// KeepTyped implements portal.TypedStore.
func (s *Store) KeepTyped(ctx context.Context, biller, tokenHash string, t portal.Typed) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE sessions
		SET
			typed_at = $1,
			typed_in = $2
		WHERE biller_id = $3 AND token_hash = $4`, us(t.At), t.Place, biller, tokenHash)
	if err != nil {
		return fmt.Errorf("keep typed password: %w", err)
	}
	return nil
}
