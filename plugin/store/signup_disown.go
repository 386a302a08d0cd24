package store

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// undoSignUp ends a sign-up that was not the invited person's, and frees the
// invitation. One that has become a sign-in is shut to everybody but the owner of
// the mailbox.
func (s *Store) undoSignUp(ctx context.Context, tx *sqlx.Tx, biller string, d disowned, in portal.Disown) error {
	if d.signUp == nil {
		return nil
	}
	su := *d.signUp
	inv, err := findInvitation(ctx, tx, biller, su.InvitationID)
	if err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: in.Activity.At, Kind: portal.HistoryDisowned, Detail: su.Email + " says that somebody else began this sign-up."}
	switch _, open := su.Step.Next(portal.SignUpVoid); {
	case su.UserID != "":
		if err := s.secure(ctx, tx, biller, d, su.Email, in); err != nil {
			return err
		}
		entry.Detail = su.Email + " says that somebody else signed up. Everybody is signed out, and the password has ended."
		if in.Activity.Detail["did"] != string(portal.UndoShut) {
			entry.Detail += " A link to a new one was mailed."
		}
	case open:
		if err := moveSignUp(ctx, tx, biller, su, portal.SignUpVoid); err != nil {
			return err
		}
		if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationFree); err != nil && !errors.Is(err, portal.ErrLinkDead) {
			return err
		}
		entry.Detail += " It has ended, and the invitation is open again."
	}
	return tellCustomers(ctx, tx, biller, []string{inv.CustomerID}, entry)
}

// undoProof ends a sign-up without an invitation that was not the owner's of the
// mailbox.
func (s *Store) undoProof(ctx context.Context, tx *sqlx.Tx, biller string, d disowned, in portal.Disown) error {
	if d.proof == nil {
		return nil
	}
	if d.proof.UserID != "" {
		return s.secure(ctx, tx, biller, d, d.proof.Email, in)
	}
	if _, open := d.proof.Step.Next(portal.ProofEnd); !open {
		return nil
	}
	return moveProof(ctx, tx, biller, *d.proof, portal.ProofEnd)
}
