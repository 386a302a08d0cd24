package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Sessions implements portal.SecurityStore.
func (s *Store) Sessions(ctx context.Context, biller, userID string, now time.Time) ([]portal.Session, error) {
	var rows []struct {
		TokenHash string `db:"token_hash"`
		CreatedAt when   `db:"created_at"`
		SeenAt    when   `db:"seen_at"`
		ExpiresAt when   `db:"expires_at"`
		IP        string `db:"ip"`
		Agent     string `db:"agent"`
	}
	err := selectAll(ctx, s.db.R, &rows, `
		SELECT
			token_hash,
			created_at,
			seen_at,
			expires_at,
			ip,
			agent
		FROM sessions
		WHERE biller_id = $1 AND user_id = $2 AND expires_at > $3 AND seen_at > $4
		ORDER BY seen_at DESC, token_hash`, biller, userID, us(now), us(now.Add(-portal.SessionIdle)))
	if err != nil {
		return nil, fmt.Errorf("read sessions: %w", err)
	}
	out := make([]portal.Session, len(rows))
	for i, r := range rows {
		out[i] = portal.Session{
			TokenHash: r.TokenHash, UserID: userID, IP: r.IP, Agent: r.Agent,
			CreatedAt: r.CreatedAt.Time, SeenAt: r.SeenAt.Time, ExpiresAt: r.ExpiresAt.Time,
		}
	}
	return out, nil
}

// EndSessions implements portal.SecurityStore.
func (s *Store) EndSessions(ctx context.Context, biller, userID, keepHash string, hashes []string, a portal.Activity) (ended int, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if _, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate()); apperr.Is(err, apperr.NotFound) {
		return 0, nil // erased meanwhile, and the sessions with it
	} else if err != nil {
		return 0, err
	}
	query, args := `
		DELETE FROM sessions
		WHERE biller_id = ? AND user_id = ? AND token_hash <> ?`, []any{biller, userID, keepHash}
	if len(hashes) == 0 {
		if err := endHandles(ctx, tx, biller, userID); err != nil {
			return 0, err
		}
	} else {
		if query, args, err = sqlx.In(query+` AND token_hash IN (?)`, biller, userID, keepHash, hashes); err != nil {
			return 0, fmt.Errorf("end sessions: %w", err)
		}
	}
	res, err := tx.ExecContext(ctx, tx.Rebind(query), args...)
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	if n == 0 {
		return 0, tx.Commit()
	}
	if err := s.record(ctx, tx, biller, a); err != nil {
		return 0, err
	}
	return int(n), tx.Commit()
}

// KnowsDevice implements portal.AccountStore.
func (s *Store) KnowsDevice(ctx context.Context, biller, emailNorm string, d portal.Device) (bool, error) {
	var hash string
	known, err := get(ctx, s.db.R, &hash, `
		SELECT d.hash
		FROM devices d
		JOIN users u ON u.biller_id = d.biller_id AND u.id = d.user_id
		WHERE d.biller_id = $1 AND d.hash = $2 AND u.biller_id = $1 AND u.email_norm = $3`, biller, d.Hash, emailNorm)
	if err != nil {
		return false, fmt.Errorf("find device of an address: %w", err)
	}
	return known, nil
}

// forgetDevices makes every browser of the person a new one.
func forgetDevices(ctx context.Context, q querier, biller, userID string) error {
	_, err := q.ExecContext(ctx, `
		DELETE FROM devices
		WHERE biller_id = $1 AND user_id = $2`, biller, userID)
	if err != nil {
		return fmt.Errorf("forget devices: %w", err)
	}
	return nil
}

// knowDevice keeps that the person signed in with a browser. stranger is true for
// one that is new while others are known.
func knowDevice(ctx context.Context, tx *sqlx.Tx, biller, userID string, d portal.Device, now time.Time) (stranger bool, err error) {
	var others, known int
	if _, err := get(ctx, tx, &known, `
		SELECT COUNT(*)
		FROM devices
		WHERE biller_id = $1 AND user_id = $2 AND hash = $3`, biller, userID, d.Hash); err != nil {
		return false, fmt.Errorf("find device: %w", err)
	}
	if _, err := get(ctx, tx, &others, `
		SELECT COUNT(*)
		FROM devices
		WHERE biller_id = $1 AND user_id = $2`, biller, userID); err != nil {
		return false, fmt.Errorf("find devices: %w", err)
	}
	if d.Hash != "" {
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO devices (biller_id, user_id, hash, seen_at)
			VALUES ($1, $2, $3, $4)
			ON CONFLICT (biller_id, user_id, hash) DO UPDATE SET seen_at = excluded.seen_at`, biller, userID, d.Hash, us(now)); err != nil {
			return false, fmt.Errorf("keep device: %w", err)
		}
	}
	return known == 0 && others > 0, nil
}
