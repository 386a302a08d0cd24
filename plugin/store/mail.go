package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// MailSource implements portal.MailStore.
func (s *Store) MailSource(ctx context.Context, biller string, ref portal.MailRef, now time.Time) (portal.MailSource, error) {
	var src portal.MailSource
	if ref.Kind == portal.MailNotice {
		a, err := findActivity(ctx, s.db.R, biller, ref.ID)
		src.Activity = a
		return src, err
	}
	if ref.Kind == portal.MailProof {
		row, err := findProof(ctx, s.db.R, biller, ref.ID, "")
		if err != nil {
			return portal.MailSource{}, err
		}
		src.Proof = row.proof()
		src.Open, err = s.OpenCustomers(ctx, biller, src.Proof.EmailNorm)
		return src, err
	}
	if ref.Kind == portal.MailReset {
		var err error
		if src.Reset, err = findReset(ctx, s.db.R, biller, ref.ID); err != nil {
			return portal.MailSource{}, err
		}
		src.Account, err = s.Account(ctx, biller, src.Reset.EmailNorm, now)
		return src, err
	}
	if ref.Kind == portal.MailAddress {
		var err error
		if src.Address, err = findAddressChange(ctx, s.db.R, biller, ref.User); errors.Is(err, portal.ErrNoAddressChange) {
			return portal.MailSource{}, portal.ErrStaleMail
		}
		if err != nil {
			return portal.MailSource{}, err
		}
		src.Account, err = s.Account(ctx, biller, src.Address.EmailNorm, now)
		return src, err
	}
	if ref.Kind == portal.MailAccess {
		var err error
		src.Access, err = s.AccessRequest(ctx, biller, ref.ID)
		return src, err
	}
	invitationID := ref.ID
	if ref.Kind == portal.MailConfirmation {
		row, err := findSignUp(ctx, s.db.R, biller, ref.ID)
		if err != nil {
			return portal.MailSource{}, err
		}
		src.SignUp = row.signUp()
		invitationID = row.InvitationID
	}
	var err error
	if src.Invitation, err = findInvitation(ctx, s.db.R, biller, invitationID); err != nil {
		return portal.MailSource{}, err
	}
	if src.Invitation.RequestID != "" {
		src.Access, err = s.AccessRequest(ctx, biller, src.Invitation.RequestID)
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return portal.MailSource{}, err
		}
	}
	customer, err := findCustomer(ctx, s.db.R, biller, src.Invitation.CustomerID)
	if err != nil {
		return portal.MailSource{}, err
	}
	src.Customer = customer.customer()
	a, err := accountOf(ctx, s.db.R, biller, src.Invitation.EmailNorm, src.Invitation.CustomerID)
	if err != nil {
		return portal.MailSource{}, err
	}
	src.HasAccount, src.Settled = a.UserID != "", a.Granted || a.Disabled
	if ref.Kind == portal.MailReminder {
		_, src.Started, err = liveSignUp(ctx, s.db.R, biller, src.Invitation.ID, now)
	}
	return src, err
}

// MailSent implements portal.MailStore.
func (s *Store) MailSent(ctx context.Context, biller string, ref portal.MailRef, now time.Time) error {
	entry := portal.HistoryEntry{At: now, Kind: portal.HistorySent, Detail: "The mail server accepted the invitation."}
	switch ref.Kind {
	case portal.MailConfirmation:
		entry.Detail = "The mail server accepted the confirmation."
	case portal.MailReminder:
		entry.Kind, entry.Detail = portal.HistoryReminded, "The mail server accepted a reminder of the invitation."
	}
	return s.mailDone(ctx, biller, ref, entry, portal.InvitationMailSent)
}

// MailFailed implements portal.MailStore.
func (s *Store) MailFailed(ctx context.Context, biller string, ref portal.MailRef, reason string, now time.Time) error {
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryFailed, Detail: "The invitation could not be sent. " + reason}
	switch ref.Kind {
	case portal.MailConfirmation:
		entry.Detail = "The confirmation could not be sent. " + reason
	case portal.MailReminder:
		entry.Detail = "A reminder could not be sent. " + reason
	}
	return s.mailDone(ctx, biller, ref, entry, portal.InvitationMailFail)
}

func (s *Store) mailDone(ctx context.Context, biller string, ref portal.MailRef, entry portal.HistoryEntry, e portal.InvitationEvent) error {
	if ref.Kind == portal.MailNotice {
		return forgetErased(ctx, s.db.W, biller, ref.ID)
	}
	switch ref.Kind {
	case portal.MailInvitation, portal.MailReminder, portal.MailConfirmation:
	default:
		return nil // customers' histories tell of invitations and sign-ups only
	}
	src, err := s.MailSource(ctx, biller, ref, entry.At)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := s.lockCustomer(ctx, tx, biller, src.Customer.ID); err != nil {
		return err
	}
	inv, err := findInvitation(ctx, tx, biller, src.Invitation.ID)
	if err != nil || inv.EmailNorm == "" {
		return err // its person was erased meanwhile, and the server's words may name the address
	}
	first, err := insertHistory(ctx, tx, biller, src.Customer.ID, ref.Key(), entry)
	if err != nil || !first {
		return err
	}
	switch ref.Kind {
	case portal.MailInvitation:
		err = moveMailed(ctx, tx, biller, ref, e)
	case portal.MailConfirmation:
		err = startCode(ctx, tx, biller, ref, e, entry.At)
	}
	if err != nil {
		return err
	}
	if err := endReminders(ctx, tx, biller, ref, e); err != nil {
		return err
	}
	if err := refreshStatus(ctx, tx, biller, src.Customer.ID, entry.At); err != nil {
		return err
	}
	return tx.Commit()
}

// endReminders sends none to a mailbox that an invitation or a reminder did not
// reach, even if its link is opened: somebody passed it on by hand.
func endReminders(ctx context.Context, tx *sqlx.Tx, biller string, ref portal.MailRef, e portal.InvitationEvent) error {
	if e != portal.InvitationMailFail || ref.Kind == portal.MailConfirmation {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE invitations
		SET reminded = $1
		WHERE biller_id = $2 AND id = $3 AND generation = $4`,
		portal.MaxReminders, biller, ref.ID, ref.Generation); err != nil {
		return fmt.Errorf("end reminders: %w", err)
	}
	return nil
}

// moveMailed moves the invitation whose current generation was mailed.
func moveMailed(ctx context.Context, tx *sqlx.Tx, biller string, ref portal.MailRef, e portal.InvitationEvent) error {
	inv, err := findInvitation(ctx, tx, biller, ref.ID)
	if err != nil || inv.Generation != ref.Generation || !inv.State.Open() {
		return err
	}
	_, err = moveInvitation(ctx, tx, biller, inv, e)
	return err
}

// startCode lets the ten minutes of a code begin when its mail went out.
func startCode(ctx context.Context, tx *sqlx.Tx, biller string, ref portal.MailRef, e portal.InvitationEvent, now time.Time) error {
	if e != portal.InvitationMailSent {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE signups
		SET code_expires_at = $1
		WHERE biller_id = $2 AND id = $3 AND seq = $4 AND step = 'confirm'`,
		us(now.Add(portal.CodeLife)), biller, ref.ID, ref.Seq); err != nil {
		return fmt.Errorf("start code: %w", err)
	}
	return nil
}
