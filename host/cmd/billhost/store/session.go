package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// seenEvery is how often a session's last use is written.
const seenEvery = time.Minute

// secret is a token for a person: the biller's id and 32 random bytes. Only the
// hash is kept.
type secret struct{ biller, token, hash string }

func newSecret(biller string) (secret, error) {
	id, err := uuid.Parse(biller)
	if err != nil {
		return secret{}, fmt.Errorf("parse biller id: %w", err)
	}
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return secret{}, fmt.Errorf("read random bytes: %w", err)
	}
	raw = append(id[:], raw...)
	return secret{biller: biller, token: base64.RawURLEncoding.EncodeToString(raw), hash: hash(raw)}, nil
}

// readSecret tells garbage apart without asking the database.
func readSecret(token string) (secret, bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != 48 {
		return secret{}, false
	}
	return secret{biller: uuid.UUID(raw[:16]).String(), token: token, hash: hash(raw)}, true
}

func hash(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

const (
	badLink = "This link is no longer valid. Ask for a new one."
	noStaff = "Please sign in."
)

// NewStaffLink returns a one-time sign-in token that works for
// books.StaffLinkLife. NotFound if the person does not exist or is disabled.
func (s *Store) NewStaffLink(ctx context.Context, biller, staffID string) (string, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	if err := s.lockActive(ctx, tx, biller, staffID); err != nil {
		return "", err
	}
	token, err := s.newLink(ctx, tx, biller, staffID, books.ProofLink)
	if err != nil {
		return "", err
	}
	return token, tx.Commit()
}

// NewChoiceLink is NewStaffLink for a person whose password was right for the hash
// and who has yet to say at which biller. books.ErrWrongSignIn if the password is
// another by now, or the person disabled.
func (s *Store) NewChoiceLink(ctx context.Context, biller, staffID, hash string) (string, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	if err := s.lockPassword(ctx, tx, biller, staffID, hash); err != nil {
		return "", err
	}
	token, err := s.newLink(ctx, tx, biller, staffID, books.ProofPassword)
	if err != nil {
		return "", err
	}
	return token, tx.Commit()
}

func (s *Store) newLink(ctx context.Context, tx *sqlx.Tx, biller, staffID, proof string) (string, error) {
	t, err := newSecret(biller)
	if err != nil {
		return "", err
	}
	now := s.now()
	_, err = tx.ExecContext(ctx, `
		INSERT INTO staff_links (biller_id, token_hash, staff_id, created_at, expires_at, proof)
		VALUES ($1, $2, $3, $4, $5, $6)`, biller, t.hash, staffID, now, now.Add(books.StaffLinkLife), proof)
	if err != nil {
		return "", fmt.Errorf("insert link: %w", err)
	}
	return t.token, s.audit(ctx, tx, biller, addon.AuditRecord{Action: books.AuditStaffLink, Object: staffID})
}

// lockActive holds the row of a staff user who may sign in; NotFound otherwise.
func (s *Store) lockActive(ctx context.Context, tx *sqlx.Tx, biller, staffID string) error {
	var id string
	err := tx.GetContext(ctx, &id, `
		SELECT id
		FROM staff
		WHERE biller_id = $1
			AND id = $2
			AND NOT disabled`+s.db.ForUpdate(), biller, staffID)
	if err != nil {
		return fmt.Errorf("get staff: %w", one(err, "There is no such person."))
	}
	return nil
}

// CheckStaffLink tells whether the token would sign somebody in. It uses nothing
// up. NotFound for garbage and for expired and used tokens alike.
func (s *Store) CheckStaffLink(ctx context.Context, token string) error {
	t, ok := readSecret(token)
	if !ok {
		return apperr.Errorf(apperr.NotFound, badLink)
	}
	var found bool
	err := s.db.R.GetContext(ctx, &found, `
		SELECT EXISTS (
			SELECT 1
			FROM staff_links
			WHERE biller_id = $1
				AND token_hash = $2
				AND used_at IS NULL
				AND expires_at > $3
		)`, t.biller, t.hash, s.now())
	if err != nil {
		return fmt.Errorf("look for link: %w", err)
	}
	if !found {
		return apperr.Errorf(apperr.NotFound, badLink)
	}
	return nil
}

// SignIn uses up a one-time token and returns a new session's. Of several
// concurrent callers one wins; the others get NotFound, as does garbage.
func (s *Store) SignIn(ctx context.Context, token string) (session string, err error) {
	t, ok := readSecret(token)
	if !ok {
		return "", apperr.Errorf(apperr.NotFound, badLink)
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()

	if err := s.lockLinked(ctx, tx, t); apperr.Is(err, apperr.NotFound) {
		return "", s.refuseLink(ctx, tx, t)
	} else if err != nil {
		return "", err
	}
	var used struct {
		StaffID string `db:"staff_id"`
		Proof   string `db:"proof"`
	}
	err = tx.GetContext(ctx, &used, `
		UPDATE staff_links
		SET used_at = $3
		WHERE biller_id = $1
			AND token_hash = $2
			AND used_at IS NULL
			AND expires_at > $3
		RETURNING
			staff_id,
			proof`, t.biller, t.hash, s.now())
	if errors.Is(err, sql.ErrNoRows) {
		return "", s.refuseLink(ctx, tx, t)
	}
	if err != nil {
		return "", fmt.Errorf("use link: %w", err)
	}
	if session, err = s.startSession(ctx, tx, t.biller, used.StaffID, used.Proof); err != nil {
		return "", err
	}
	return session, tx.Commit()
}

// lockLinked holds the row of the person whom a link belongs to, before the link
// itself is: who changes a password takes them in this order, too. NotFound for
// nobody's link and for somebody disabled.
func (s *Store) lockLinked(ctx context.Context, tx *sqlx.Tx, t secret) error {
	var staffID string
	err := tx.GetContext(ctx, &staffID, `
		SELECT staff_id
		FROM staff_links
		WHERE biller_id = $1
			AND token_hash = $2`, t.biller, t.hash)
	if err != nil {
		return fmt.Errorf("find link: %w", one(err, badLink))
	}
	return s.lockActive(ctx, tx, t.biller, staffID)
}

// refuseLink records that somebody tried a link that was used before or is too
// old, as often as books.LinkRefusals says, and returns the NotFound. Garbage, which
// belongs to nobody, leaves nothing.
func (s *Store) refuseLink(ctx context.Context, tx *sqlx.Tx, t secret) error {
	refused := apperr.Errorf(apperr.NotFound, badLink)
	var staffID string
	err := tx.GetContext(ctx, &staffID, `
		SELECT staff_id
		FROM staff_links
		WHERE biller_id = $1
			AND token_hash = $2`, t.biller, t.hash)
	if errors.Is(err, sql.ErrNoRows) {
		return refused
	}
	if err != nil {
		return fmt.Errorf("find refused link: %w", err)
	}
	full, err := s.count(ctx, tx, []books.Budget{books.LinkRefusals("dead link " + t.hash)}, s.now())
	if err != nil {
		return err
	}
	if !full.IsZero() {
		return firstErr(tx.Commit(), refused)
	}
	if err := s.audit(ctx, tx, t.biller, addon.AuditRecord{Action: books.AuditStaffRefused, Object: staffID, Detail: map[string]string{"with": "link"}}); err != nil {
		return err
	}
	return firstErr(tx.Commit(), refused)
}

// sweepSessions forgets the biller's links and sessions that are past.
func sweepSessions(ctx context.Context, tx *sqlx.Tx, biller string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		DELETE FROM staff_links
		WHERE biller_id = $1
			AND expires_at <= $2`, biller, now)
	if err != nil {
		return fmt.Errorf("sweep links: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		DELETE FROM staff_sessions
		WHERE biller_id = $1
			AND (expires_at <= $2 OR seen_at <= $3)`, biller, now, now.Add(-books.StaffIdle))
	if err != nil {
		return fmt.Errorf("sweep sessions: %w", err)
	}
	return nil
}

type sessionRow struct {
	staffRow
	HasPassword bool      `db:"has_password"`
	Proof       string    `db:"proof"`
	CreatedAt   time.Time `db:"created_at"`
	SeenAt      time.Time `db:"seen_at"`
}

// Session returns who is signed in with the token and counts as a use.
// Unauthenticated for garbage, an idle or ended session, and a disabled person.
func (s *Store) Session(ctx context.Context, token string) (books.Staff, error) {
	t, ok := readSecret(token)
	if !ok {
		return books.Staff{}, apperr.Errorf(apperr.Unauthenticated, noStaff)
	}
	var rows []sessionRow
	now := s.now()
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			p.biller_id,
			p.id,
			p.email,
			p.name,
			CASE WHEN p.operator THEN 'operator' ELSE p.role END AS role,
			p.disabled,
			p.password_hash <> '' AS has_password,
			s.proof,
			s.created_at,
			s.seen_at
		FROM staff_sessions s
		JOIN staff p
			ON p.biller_id = s.biller_id
			AND p.id = s.staff_id
		WHERE s.biller_id = $1
			AND p.biller_id = $1
			AND s.token_hash = $2
			AND s.expires_at > $3
			AND s.seen_at > $4
			AND NOT p.disabled`, t.biller, t.hash, now, now.Add(-books.StaffIdle))
	if err != nil {
		return books.Staff{}, fmt.Errorf("get session: %w", err)
	}
	if len(rows) == 0 {
		return books.Staff{}, apperr.Errorf(apperr.Unauthenticated, noStaff)
	}
	if now.Sub(rows[0].SeenAt) >= seenEvery {
		if err := s.touch(ctx, t, now); err != nil {
			return books.Staff{}, err
		}
	}
	staff := rows[0].staff()
	staff.HasPassword, staff.Proof, staff.AuthenticatedAt = rows[0].HasPassword, rows[0].Proof, rows[0].CreatedAt
	return staff, nil
}

// SessionPassword returns the hash of the password of who is signed in with the
// token; empty for none. Unauthenticated if nobody is.
func (s *Store) SessionPassword(ctx context.Context, token string) (string, error) {
	t, ok := readSecret(token)
	if !ok {
		return "", apperr.Errorf(apperr.Unauthenticated, noStaff)
	}
	var hash string
	now := s.now()
	err := s.db.R.GetContext(ctx, &hash, `
		SELECT p.password_hash
		FROM staff_sessions s
		JOIN staff p
			ON p.biller_id = s.biller_id
			AND p.id = s.staff_id
		WHERE s.biller_id = $1
			AND p.biller_id = $1
			AND s.token_hash = $2
			AND s.expires_at > $3
			AND s.seen_at > $4
			AND NOT p.disabled`, t.biller, t.hash, now, now.Add(-books.StaffIdle))
	if errors.Is(err, sql.ErrNoRows) {
		return "", apperr.Errorf(apperr.Unauthenticated, noStaff)
	}
	if err != nil {
		return "", fmt.Errorf("get password of session: %w", err)
	}
	return hash, nil
}

func (s *Store) touch(ctx context.Context, t secret, now time.Time) error {
	_, err := s.db.W.ExecContext(ctx, `
		UPDATE staff_sessions
		SET seen_at = $3
		WHERE biller_id = $1
			AND token_hash = $2`, t.biller, t.hash, now)
	if err != nil {
		return fmt.Errorf("touch session: %w", err)
	}
	return nil
}

// SignOut ends the session. Garbage and ended sessions are no error.
func (s *Store) SignOut(ctx context.Context, token string) error {
	t, ok := readSecret(token)
	if !ok {
		return nil
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	var staffID string
	err = tx.GetContext(ctx, &staffID, `
		DELETE FROM staff_sessions
		WHERE biller_id = $1
			AND token_hash = $2
		RETURNING staff_id`, t.biller, t.hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	if err := s.audit(ctx, tx, t.biller, addon.AuditRecord{Action: books.AuditStaffSignedOut, StaffID: staffID, Object: staffID}); err != nil {
		return err
	}
	return tx.Commit()
}
