package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// inForce says which version is in force at the time $2, of the biller $1.
const inForce = `
		FROM agreements
		WHERE biller_id = $1 AND effective_on <= $2 AND withdrawn_at = 0
		ORDER BY effective_on DESC, CAST(version AS INTEGER) DESC
		LIMIT 1`

// Agreement implements portal.AgreementStore.
func (s *Store) Agreement(ctx context.Context, biller string, at time.Time) (portal.Agreement, error) {
	var row agreementRow
	found, err := get(ctx, s.db.R, &row, `
		SELECT
			version,
			effective_on,
			text,
			text_hash`+inForce, biller, us(at))
	if err != nil {
		return portal.Agreement{}, fmt.Errorf("find agreement: %w", err)
	}
	if !found {
		return portal.Agreement{}, apperr.Errorf(apperr.NotFound, "There is no user agreement.")
	}
	return row.agreement(), nil
}

type agreementRow struct {
	Version     string `db:"version"`
	EffectiveOn when   `db:"effective_on"`
	Text        string `db:"text"`
	TextHash    string `db:"text_hash"`
}

func (r agreementRow) agreement() portal.Agreement {
	return portal.Agreement{Version: r.Version, EffectiveOn: r.EffectiveOn.Time, Text: r.Text, TextHash: r.TextHash}
}

// insertAgreement keeps a version; kept is false if there is one of its number.
func insertAgreement(ctx context.Context, q querier, biller string, v portal.AgreementVersion) (kept bool, err error) {
	kept, err = one(ctx, q, `
		INSERT INTO agreements (
			biller_id, version, effective_on, text, text_hash, published_at, published_by_id, published_by, withdrawn_at
		)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)
		ON CONFLICT (biller_id, version) DO NOTHING`,
		biller, v.Version, us(v.EffectiveOn), v.Text, v.TextHash, us(v.PublishedAt), v.PublishedBy.ID, v.PublishedBy.Name)
	if err != nil {
		return false, fmt.Errorf("insert agreement: %w", err)
	}
	return kept, nil
}

// AcceptAgreement implements portal.AgreementStore.
func (s *Store) AcceptAgreement(ctx context.Context, biller string, holder portal.HolderHash, a portal.Acceptance, session portal.Session, did portal.Activity) (started portal.Session, err error) {
	err = again(func() error {
		started, err = s.acceptAgreement(ctx, biller, holder, a, session, did)
		return err
	})
	return started, err
}

func (s *Store) acceptAgreement(ctx context.Context, biller string, holder portal.HolderHash, a portal.Acceptance, session portal.Session, did portal.Activity) (portal.Session, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Session{}, err
	}
	defer tx.Rollback()
	held, err := findHolder(ctx, tx, biller, holder, a.At)
	if err != nil {
		return portal.Session{}, err
	}
	userID := held.UserID
	customers, err := grantedCustomers(ctx, tx, biller, userID)
	if err != nil {
		return portal.Session{}, err
	}
	if _, err := s.lockWithCustomers(ctx, tx, biller, userID, customers); apperr.Is(err, apperr.NotFound) {
		return portal.Session{}, holderEnded(holder) // erased meanwhile
	} else if err != nil {
		return portal.Session{}, err
	}
	if err := useHolder(ctx, tx, biller, holder, userID); err != nil {
		return portal.Session{}, err
	}
	first, err := insertAcceptance(ctx, tx, biller, userID, a)
	if err != nil {
		return portal.Session{}, err
	}
	session.UserID = userID
	if holder.Session != "" {
		session.ExpiresAt, session.Typed = held.ExpiresAt, held.Typed
	}
	if err := insertSession(ctx, tx, biller, session); err != nil {
		return portal.Session{}, err
	}
	if first {
		entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryAccepted, Detail: "The user agreement, version " + a.Version + ", was accepted."}
		if err := tellCustomers(ctx, tx, biller, customers, entry); err != nil {
			return portal.Session{}, err
		}
	}
	did.UserID = userID
	if err := s.recordStart(ctx, tx, biller, session, did); err != nil {
		return portal.Session{}, err
	}
	if err := tx.Commit(); err != nil {
		return portal.Session{}, err
	}
	s.wake(biller)
	return session, nil
}

// recordStart keeps the acceptance that starts a session, and that the browser is
// new, which is told.
func (s *Store) recordStart(ctx context.Context, tx *sqlx.Tx, biller string, session portal.Session, did portal.Activity) error {
	stranger, err := knowDevice(ctx, tx, biller, session.UserID, session.Device, did.At)
	if err != nil {
		return err
	}
	if stranger {
		seen := did
		seen.Action, seen.Detail = portal.ActionNewDevice, nil
		if seen.ID, err = newID(); err != nil {
			return err
		}
		if err := s.record(ctx, tx, biller, seen); err != nil {
			return err
		}
	}
	return s.record(ctx, tx, biller, did)
}

// findHolder finds the user behind a confirmed sign-up's handle, or a session and
// its limits.
func findHolder(ctx context.Context, q querier, biller string, holder portal.HolderHash, now time.Time) (portal.Session, error) {
	if holder.Session != "" {
		row, err := findSession(ctx, q, biller, holder.Session, now)
		return portal.Session{UserID: row.UserID, ExpiresAt: row.ExpiresAt.Time, Typed: portal.Typed{At: row.TypedAt.Time, Place: row.TypedIn}}, err
	}
	row, err := pendingRow(ctx, q, biller, holder.Handle, now)
	if err == nil && row.UserID == "" {
		err = portal.ErrWrongStep
	}
	return portal.Session{UserID: row.UserID}, err
}

func holderEnded(holder portal.HolderHash) error {
	if holder.Session != "" {
		return portal.ErrSignedOut
	}
	return portal.ErrSignUpEnded
}

// useHolder ends the session, and every sign-up of the user: one caller can.
func useHolder(ctx context.Context, tx *sqlx.Tx, biller string, holder portal.HolderHash, userID string) error {
	if holder.Session != "" {
		deleted, err := deleteSession(ctx, tx, biller, holder.Session)
		if err == nil && !deleted {
			err = portal.ErrSignedOut
		}
		if err != nil {
			return err
		}
	}
	var rows []signUpRow
	if err := tx.SelectContext(ctx, &rows, selectSignUp+` AND user_id = $2 AND user_id <> '' AND step = 'accept'`,
		biller, userID); err != nil {
		return fmt.Errorf("find sign-ups: %w", err)
	}
	held := slices.ContainsFunc(rows, func(r signUpRow) bool { return r.HandleHash == holder.Handle })
	if holder.Session == "" && !held {
		return portal.ErrSignUpEnded // also where the handle was ended while this waited for its turn
	}
	for _, r := range rows {
		err := moveSignUp(ctx, tx, biller, r.signUp(), portal.SignUpAccept)
		if errors.Is(err, portal.ErrWrongStep) {
			return portal.ErrSignUpEnded
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func insertAcceptance(ctx context.Context, q querier, biller, userID string, a portal.Acceptance) (first bool, err error) {
	first, err = one(ctx, q, `
		INSERT INTO acceptances (biller_id, user_id, version, text_hash, accepted_at, ip, agent, email)
		VALUES ($1, $2, $3, $4, $5, $6, $7, (
			SELECT email
			FROM users
			WHERE biller_id = $1 AND id = $2
		))
		ON CONFLICT (biller_id, user_id, version) DO NOTHING`,
		biller, userID, a.Version, a.TextHash, us(a.At), a.IP, a.Agent)
	if err != nil {
		return false, fmt.Errorf("insert acceptance: %w", err)
	}
	return first, nil
}

// tellCustomers adds to the history of customers and makes their status true.
func tellCustomers(ctx context.Context, q querier, biller string, customerIDs []string, e portal.HistoryEntry) error {
	for _, id := range customerIDs {
		if err := addHistory(ctx, q, biller, id, e); err != nil {
			return err
		}
		if err := refreshStatus(ctx, q, biller, id, e.At); err != nil {
			return err
		}
	}
	return nil
}

// DeclineAgreement implements portal.AgreementStore.
func (s *Store) DeclineAgreement(ctx context.Context, biller string, holder portal.HolderHash, did portal.Activity) (userID string, err error) {
	err = again(func() error {
		userID, err = s.declineAgreement(ctx, biller, holder, did)
		return err
	})
	return userID, err
}

func (s *Store) declineAgreement(ctx context.Context, biller string, holder portal.HolderHash, did portal.Activity) (userID string, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return "", err
	}
	defer tx.Rollback()
	held, err := findHolder(ctx, tx, biller, holder, did.At)
	switch {
	case apperr.Is(err, apperr.Unauthenticated), apperr.Is(err, apperr.Conflict):
		return "", nil
	case err != nil:
		return "", err
	}
	userID = held.UserID
	customers, err := grantedCustomers(ctx, tx, biller, userID)
	if err != nil {
		return "", err
	}
	if _, err := s.lockWithCustomers(ctx, tx, biller, userID, customers); apperr.Is(err, apperr.NotFound) {
		return "", nil // erased meanwhile
	} else if err != nil {
		return "", err
	}
	first := false
	if holder.Session != "" {
		first, err = deleteSession(ctx, tx, biller, holder.Session)
	} else {
		first, err = one(ctx, tx, `
			UPDATE signups
			SET handle_hash = ''
			WHERE biller_id = $1 AND handle_hash = $2`, biller, holder.Handle)
	}
	if err != nil {
		return "", fmt.Errorf("let go: %w", err)
	}
	if !first {
		return "", nil
	}
	entry := portal.HistoryEntry{At: did.At, Kind: portal.HistoryDeclined, Detail: "The user agreement was declined. Signing in leads back to it."}
	if err := tellCustomers(ctx, tx, biller, customers, entry); err != nil {
		return "", err
	}
	did.UserID = userID
	if err := s.record(ctx, tx, biller, did); err != nil {
		return "", err
	}
	return userID, tx.Commit()
}
