package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Disowned implements portal.DisownStore.
func (s *Store) Disowned(ctx context.Context, biller, tokenHash string) (portal.Token, portal.Activity, error) {
	return findDisowned(ctx, s.db.R, biller, tokenHash)
}

// findDisowned finds a notice's token. A used one keeps its row, with a
// generation of 1, and says that it was used.
func findDisowned(ctx context.Context, q querier, biller, tokenHash string) (portal.Token, portal.Activity, error) {
	token, err := findToken(ctx, q, biller, tokenHash, portal.PurposeDisown)
	if err != nil {
		return portal.Token{}, portal.Activity{}, err
	}
	if token.Generation != 0 {
		return portal.Token{}, portal.Activity{}, portal.ErrLinkDead
	}
	a, err := findActivity(ctx, q, biller, token.SubjectID)
	return token, a, err
}

// Disown implements portal.DisownStore.
func (s *Store) Disown(ctx context.Context, biller string, in portal.Disown) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	won, err := one(ctx, tx, `
		UPDATE tokens
		SET generation = 1
		WHERE biller_id = $1 AND hash = $2 AND purpose = $3 AND generation = 0`, biller, in.TokenHash, string(portal.PurposeDisown))
	if err != nil {
		return fmt.Errorf("use notice: %w", err)
	}
	if !won {
		return portal.ErrLinkDead
	}
	token, err := findToken(ctx, tx, biller, in.TokenHash, portal.PurposeDisown)
	if err != nil {
		return err
	}
	what, err := findActivity(ctx, tx, biller, token.SubjectID)
	if err != nil {
		return err
	}
	if err := s.undo(ctx, tx, biller, what, in); err != nil {
		return err
	}
	if err := s.record(ctx, tx, biller, in.Activity); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// undo takes back what the person did not do.
func (s *Store) undo(ctx context.Context, tx *sqlx.Tx, biller string, what portal.Activity, in portal.Disown) error {
	if what.Action == portal.ActionResetAsked {
		r, err := findReset(ctx, tx, biller, what.ID)
		if errors.Is(err, portal.ErrUnknownLink) {
			return nil // swept: it works no more
		}
		if err != nil {
			return err
		}
		return endResets(ctx, tx, biller, r.EmailNorm, in.Activity.At)
	}
	switch what.Action {
	case portal.ActionSignUpStarted:
		return s.undoSignUp(ctx, tx, biller, what, in)
	case portal.ActionSignUpAsked:
		return s.undoProof(ctx, tx, biller, what, in)
	case portal.ActionAddressAsked:
		return undoAddressChange(ctx, tx, biller, what)
	}
	u, err := findUser(ctx, tx, biller, what.UserID)
	if apperr.Is(err, apperr.NotFound) {
		return nil // erased meanwhile
	}
	if err != nil {
		return err
	}
	if what.Action == portal.ActionAddressChanged {
		if u, err = s.restoreAddress(ctx, tx, biller, u, what, in); err != nil {
			return err
		}
	}
	return s.secure(ctx, tx, biller, u, in)
}

// restoreAddress gives a user back the address that was told of the change, unless
// another user has taken it meanwhile.
func (s *Store) restoreAddress(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, what portal.Activity, in portal.Disown) (portal.User, error) {
	norm, err := in.NormalizeEmail(what.NoticeTo)
	if err != nil {
		return portal.User{}, err
	}
	customers, err := grantedCustomers(ctx, tx, biller, u.ID)
	if err != nil {
		return portal.User{}, err
	}
	if err := s.lockCustomers(ctx, tx, biller, customers); err != nil {
		return portal.User{}, err
	}
	if err := dropAddressChange(ctx, tx, biller, u.ID); err != nil {
		return portal.User{}, err
	}
	if err := endLaterNotices(ctx, tx, biller, what); err != nil {
		return portal.User{}, err
	}
	err = setAddress(ctx, tx, biller, u, what.NoticeTo, norm, in.Activity.At)
	if errors.Is(err, portal.ErrAddressTaken) {
		return u, nil
	}
	if err != nil {
		return portal.User{}, err
	}
	entry := portal.HistoryEntry{At: in.Activity.At, Kind: portal.HistoryAddress, Detail: "The person signs in with " + what.NoticeTo + " again: the change was not theirs."}
	if err := tellCustomers(ctx, tx, biller, customers, entry); err != nil {
		return portal.User{}, err
	}
	return findUser(ctx, tx, biller, u.ID)
}

// endLaterNotices ends the links of notices that went elsewhere since a change of
// the address: whoever made it must not take the account back with them.
func endLaterNotices(ctx context.Context, q querier, biller string, change portal.Activity) error {
	_, err := q.ExecContext(ctx, `
		UPDATE tokens
		SET generation = 1
		WHERE biller_id = $1 AND purpose = $2 AND generation = 0 AND subject_id IN (
			SELECT id
			FROM activity
			WHERE biller_id = $1 AND user_id = $3 AND at >= $4 AND notice_to <> $5
		)`, biller, string(portal.PurposeDisown), change.UserID, us(change.At), change.NoticeTo)
	if err != nil {
		return fmt.Errorf("end later notices: %w", err)
	}
	return nil
}

// secure shuts everybody out of an account but the owner of its mailbox.
func (s *Store) secure(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, in portal.Disown) error {
	if _, err := tx.ExecContext(ctx, `
		UPDATE users
		SET password_hash = ''
		WHERE biller_id = $1 AND id = $2`, biller, u.ID); err != nil {
		return fmt.Errorf("end password: %w", err)
	}
	if err := deleteSessions(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := dropAddressChange(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := endResets(ctx, tx, biller, u.EmailNorm, in.Activity.At); err != nil {
		return err
	}
	asked := in.Activity
	asked.ID, asked.Action, asked.Object = in.Reset.ID, portal.ActionResetAsked, in.Reset.ID
	in.Reset.EmailNorm = u.EmailNorm
	return s.sendReset(ctx, tx, biller, in.Reset, asked)
}
