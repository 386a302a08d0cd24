package store

import (
	"context"
	"errors"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// undoSignUp ends a sign-up that was not the invited person's, and frees the
// invitation. One that has become a sign-in is shut to everybody but the owner of
// the mailbox.
func (s *Store) undoSignUp(ctx context.Context, tx *sqlx.Tx, biller string, what portal.Activity, in portal.Disown) error {
	row, err := s.lockSignUp(ctx, tx, biller, what.ID)
	if errors.Is(err, portal.ErrUnknownLink) {
		return nil // it is gone: there is nothing to end
	}
	if err != nil {
		return err
	}
	su := row.signUp()
	inv, err := findInvitation(ctx, tx, biller, su.InvitationID)
	if err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: in.Activity.At, Kind: portal.HistoryDisowned, Detail: su.Email + " says that somebody else began this sign-up."}
	switch _, open := su.Step.Next(portal.SignUpVoid); {
	case su.UserID != "":
		if err := s.secureUser(ctx, tx, biller, su.UserID, in); err != nil {
			return err
		}
		entry.Detail = su.Email + " says that somebody else signed up. The password has ended, and a link to a new one was mailed."
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
func (s *Store) undoProof(ctx context.Context, tx *sqlx.Tx, biller string, what portal.Activity, in portal.Disown) error {
	row, err := findProof(ctx, tx, biller, what.ID, s.db.ForUpdate())
	if errors.Is(err, portal.ErrUnknownLink) {
		return nil // it is gone: there is nothing to end
	}
	if err != nil {
		return err
	}
	p := row.proof()
	if p.UserID != "" {
		return s.secureUser(ctx, tx, biller, p.UserID, in)
	}
	if _, open := p.Step.Next(portal.ProofEnd); !open {
		return nil
	}
	return moveProof(ctx, tx, biller, p, portal.ProofEnd)
}

// secureUser is secure for somebody who may have been erased meanwhile.
func (s *Store) secureUser(ctx context.Context, tx *sqlx.Tx, biller, userID string, in portal.Disown) error {
	u, err := findUser(ctx, tx, biller, userID)
	if apperr.Is(err, apperr.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.secure(ctx, tx, biller, u, in)
}
