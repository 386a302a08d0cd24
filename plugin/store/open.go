package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

type proofRow struct {
	ID            string `db:"id"`
	Email         string `db:"email"`
	EmailNorm     string `db:"email_norm"`
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

func (r proofRow) proof() portal.Proof {
	return portal.Proof{
		ID: r.ID, Email: r.Email, EmailNorm: r.EmailNorm, HandleHash: r.HandleHash,
		Step: portal.ProofStep(r.Step), UserID: r.UserID, Seq: r.Seq, CodeTries: r.CodeTries,
		CodeExpiresAt: r.CodeExpiresAt.Time, CreatedAt: r.CreatedAt.Time, ExpiresAt: r.ExpiresAt.Time,
	}
}

const selectProof = `
	SELECT
		id,
		email,
		email_norm,
		handle_hash,
		step,
		user_id,
		seq,
		code_hash,
		code_tries,
		code_expires_at,
		created_at,
		expires_at
	FROM proofs
	WHERE biller_id = $1`

// findProof returns ErrUnknownLink if the biller has none of that id.
func findProof(ctx context.Context, q querier, biller, id, lock string) (proofRow, error) {
	var row proofRow
	found, err := get(ctx, q, &row, selectProof+` AND id = $2`+lock, biller, id)
	if err != nil {
		return proofRow{}, fmt.Errorf("find proof: %w", err)
	}
	if !found {
		return proofRow{}, portal.ErrUnknownLink
	}
	return row, nil
}

// heldProof returns the live proof of a handle.
func heldProof(ctx context.Context, q querier, biller, handleHash string, now time.Time, lock string) (proofRow, error) {
	if handleHash == "" {
		return proofRow{}, portal.ErrProofEnded
	}
	var row proofRow
	found, err := get(ctx, q, &row, selectProof+` AND handle_hash = $2 AND handle_hash <> ''`+lock, biller, handleHash)
	if err != nil {
		return proofRow{}, fmt.Errorf("find proof: %w", err)
	}
	if !found || !row.proof().Live(now) {
		return proofRow{}, portal.ErrProofEnded
	}
	return row, nil
}

// Proof implements portal.OpenStore.
func (s *Store) Proof(ctx context.Context, biller, handleHash string, now time.Time) (portal.Proof, error) {
	row, err := heldProof(ctx, s.db.R, biller, handleHash, now, "")
	return row.proof(), err
}

// StartProof implements portal.OpenStore.
func (s *Store) StartProof(ctx context.Context, biller string, p portal.Proof, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := s.checkProofs(ctx, tx, biller, p.EmailNorm, p.CreatedAt, portal.CheckConfirmation); err != nil {
		return err
	}
	if first, ok := portal.ProofNone.Next(portal.ProofAsk); !ok || p.Step != first {
		return portal.ErrWrongStep
	}
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO proofs (
			biller_id, id, email, email_norm, handle_hash, step, user_id,
			seq, code_hash, code_tries, code_expires_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, '', 0, '', 0, 0, $7, $8)`,
		biller, p.ID, p.Email, p.EmailNorm, p.HandleHash, string(p.Step), us(p.CreatedAt), us(p.ExpiresAt)); err != nil {
		return fmt.Errorf("insert proof: %w", err)
	}
	if err := s.sendProof(ctx, tx, biller, p, p.CreatedAt); err != nil {
		return err
	}
	if err := s.insertDisownToken(ctx, tx, biller, a); err != nil {
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

// checkProofs applies the limit of mails to an address, whoever has it; those who
// ask at once wait for each other.
func (s *Store) checkProofs(ctx context.Context, tx *sqlx.Tx, biller, emailNorm string, now time.Time, check func([]time.Time, time.Time) error) error {
	if err := s.lockThrottle(ctx, tx, biller, "proofs:"+s.keys.Hash(biller, emailNorm), now); err != nil {
		return err
	}
	sent, err := times(ctx, tx, `
		SELECT t.created_at
		FROM proofs p
		CROSS JOIN tokens t
		WHERE p.biller_id = $1 AND p.email_norm = $2 AND t.biller_id = $1 AND t.subject_id = p.id AND t.purpose = $3 AND t.created_at > $4
		ORDER BY t.created_at`,
		biller, emailNorm, string(portal.PurposeProof), us(now.Add(-portal.ConfirmationWindow)))
	if err != nil {
		return err
	}
	return check(sent, now)
}

// lockThrottle keeps others who name the same count out until the transaction ends.
func (s *Store) lockThrottle(ctx context.Context, tx *sqlx.Tx, biller, name string, now time.Time) error {
	_, err := takeAttempt(ctx, tx, biller, name, portal.Attempts{Window: portal.ConfirmationWindow}, now)
	return err
}

// sendProof makes the next code and link of a proof, and their mail. The proof
// lives as long as the link.
func (s *Store) sendProof(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, now time.Time) error {
	seq := p.Seq + 1
	token := s.keys.Token(portal.PurposeProof, biller, p.ID, 0, seq)
	if err := insertToken(ctx, tx, biller, portal.Token{
		Hash: s.keys.Hash(biller, token), Purpose: portal.PurposeProof, SubjectID: p.ID,
		Seq: seq, CreatedAt: now, ExpiresAt: now.Add(portal.ConfirmationLife),
	}); err != nil {
		return err
	}
	code := s.keys.Code(biller, p.ID, seq)
	if _, err := tx.ExecContext(ctx, `
		UPDATE proofs
		SET
			seq = $1,
			code_hash = $2,
			code_tries = 0,
			code_expires_at = $3,
			expires_at = $4
		WHERE biller_id = $5 AND id = $6`,
		seq, s.keys.CodeHash(biller, p.ID, code), us(now.Add(portal.CodeLife)), us(now.Add(portal.SignUpLife)), biller, p.ID); err != nil {
		return fmt.Errorf("set code: %w", err)
	}
	return enqueueMail(ctx, tx, biller, portal.MailRef{Kind: portal.MailProof, ID: p.ID, Seq: seq}, now)
}

// ResendProof implements portal.OpenStore.
func (s *Store) ResendProof(ctx context.Context, biller, handleHash string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, err := heldProof(ctx, tx, biller, handleHash, now, s.db.ForUpdate())
	if err != nil {
		return err
	}
	p := row.proof()
	if err := moveProof(ctx, tx, biller, p, portal.ProofResend); err != nil {
		return err
	}
	if err := s.checkProofs(ctx, tx, biller, p.EmailNorm, now, portal.CheckResend); err != nil {
		return err
	}
	if err := s.sendProof(ctx, tx, biller, p, now); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// moveProof writes the step after an event; ErrWrongStep for one that cannot
// happen. It is the only statement that changes a step. The code is wiped once it
// is used, the handle at the end.
func moveProof(ctx context.Context, q querier, biller string, p portal.Proof, e portal.ProofEvent) error {
	next, ok := p.Step.Next(e)
	if !ok {
		return portal.ErrWrongStep
	}
	moved, err := one(ctx, q, `
		UPDATE proofs
		SET
			step = $1,
			code_hash = CASE WHEN $2 THEN '' ELSE code_hash END,
			handle_hash = CASE WHEN $3 THEN '' ELSE handle_hash END
		WHERE biller_id = $4 AND id = $5 AND step = $6`,
		string(next), next != portal.ProofAsked, next == portal.ProofDone || next == portal.ProofVoid,
		biller, p.ID, string(p.Step))
	if err != nil {
		return fmt.Errorf("move proof: %w", err)
	}
	if !moved {
		return portal.ErrWrongStep
	}
	return nil
}

// ProveCode implements portal.OpenStore.
func (s *Store) ProveCode(ctx context.Context, biller, handleHash, code string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	row, err := heldProof(ctx, tx, biller, handleHash, now, s.db.ForUpdate())
	if err != nil {
		return err
	}
	p := row.proof()
	if _, ok := p.Step.Next(portal.ProofConfirm); !ok {
		return portal.ErrWrongStep
	}
	if err := s.countProofGuess(ctx, tx, biller, p, now); err != nil {
		return err
	}
	if !portal.SameHash(row.CodeHash, s.keys.CodeHash(biller, p.ID, code)) {
		if err := tx.Commit(); err != nil {
			return err
		}
		if p.CodeTries+1 >= portal.CodeTries {
			return portal.ErrCodeDead
		}
		return portal.ErrWrongCode
	}
	if err := clearAttempts(ctx, tx, biller, s.proofGuesses(biller, p)); err != nil {
		return err
	}
	if err := moveProof(ctx, tx, biller, p, portal.ProofConfirm); err != nil {
		return err
	}
	return tx.Commit()
}

// countProofGuess counts a guess on the newest code and on the address.
func (s *Store) countProofGuess(ctx context.Context, tx *sqlx.Tx, biller string, p portal.Proof, now time.Time) error {
	counted, err := one(ctx, tx, `
		UPDATE proofs
		SET code_tries = code_tries + 1
		WHERE biller_id = $1 AND id = $2 AND code_tries < $3 AND code_expires_at > $4`,
		biller, p.ID, portal.CodeTries, us(now))
	if err != nil {
		return fmt.Errorf("count guess: %w", err)
	}
	if !counted {
		return portal.ErrCodeDead
	}
	usedUp, err := takeAttempt(ctx, tx, biller, s.proofGuesses(biller, p), portal.CodeGuesses(), now)
	if err == nil && !usedUp.IsZero() {
		err = portal.ErrCodesUsedUp
	}
	return err
}

// proofGuesses names the count of guesses on the codes of one address.
func (s *Store) proofGuesses(biller string, p portal.Proof) string {
	return "proof-code:" + s.keys.Hash(biller, p.EmailNorm)
}

// ProofOfLink implements portal.OpenStore.
func (s *Store) ProofOfLink(ctx context.Context, biller, tokenHash string) (portal.Token, portal.Proof, error) {
	return proofOfLink(ctx, s.db.R, biller, tokenHash, "")
}

func proofOfLink(ctx context.Context, q querier, biller, tokenHash, lock string) (portal.Token, portal.Proof, error) {
	token, err := findToken(ctx, q, biller, tokenHash, portal.PurposeProof)
	if err != nil {
		return portal.Token{}, portal.Proof{}, err
	}
	row, err := findProof(ctx, q, biller, token.SubjectID, lock)
	return token, row.proof(), err
}

// ProveLink implements portal.OpenStore.
func (s *Store) ProveLink(ctx context.Context, biller, tokenHash, newHandleHash string, now time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	token, p, err := proofOfLink(ctx, tx, biller, tokenHash, s.db.ForUpdate())
	if err != nil {
		return err
	}
	if p.Step != portal.ProofAsked {
		return portal.ErrLinkDead
	}
	if !p.Live(now) || !now.Before(token.ExpiresAt) {
		return portal.ErrLinkExpired
	}
	if err := moveProof(ctx, tx, biller, p, portal.ProofConfirm); err != nil {
		return err
	}
	if newHandleHash != "" {
		if _, err := tx.ExecContext(ctx, `
			UPDATE proofs
			SET handle_hash = $1
			WHERE biller_id = $2 AND id = $3`, newHandleHash, biller, p.ID); err != nil {
			return fmt.Errorf("take over proof: %w", err)
		}
	}
	return tx.Commit()
}
