package store

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func (s *Store) insertInvitationToken(ctx context.Context, q querier, biller string, inv portal.Invitation, now time.Time) error {
	token := s.keys.Token(portal.PurposeInvitation, biller, inv.ID, inv.Generation, inv.Seq)
	return insertToken(ctx, q, biller, portal.Token{
		Hash:       s.keys.Hash(biller, token),
		Purpose:    portal.PurposeInvitation,
		SubjectID:  inv.ID,
		Generation: inv.Generation,
		Seq:        inv.Seq,
		CreatedAt:  now,
		ExpiresAt:  inv.ExpiresAt,
	})
}

func insertToken(ctx context.Context, q querier, biller string, t portal.Token) error {
	_, err := q.ExecContext(ctx, `
		INSERT INTO tokens (biller_id, hash, purpose, subject_id, generation, seq, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		biller, t.Hash, string(t.Purpose), t.SubjectID, t.Generation, t.Seq, us(t.CreatedAt), us(t.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert token: %w", err)
	}
	return nil
}

// findToken returns ErrUnknownLink for anything that is no token of the biller
// for this purpose.
func findToken(ctx context.Context, q querier, biller, hash string, p portal.Purpose) (portal.Token, error) {
	var row struct {
		SubjectID  string `db:"subject_id"`
		Generation int    `db:"generation"`
		Seq        int    `db:"seq"`
		CreatedAt  when   `db:"created_at"`
		ExpiresAt  when   `db:"expires_at"`
	}
	found, err := get(ctx, q, &row, `
		SELECT
			subject_id,
			generation,
			seq,
			created_at,
			expires_at
		FROM tokens
		WHERE biller_id = $1 AND hash = $2 AND purpose = $3`, biller, hash, string(p))
	if err != nil {
		return portal.Token{}, fmt.Errorf("find token: %w", err)
	}
	if !found {
		return portal.Token{}, portal.ErrUnknownLink
	}
	return portal.Token{
		Hash:       hash,
		Purpose:    p,
		SubjectID:  row.SubjectID,
		Generation: row.Generation,
		Seq:        row.Seq,
		CreatedAt:  row.CreatedAt.Time,
		ExpiresAt:  row.ExpiresAt.Time,
	}, nil
}
