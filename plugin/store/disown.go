package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Disowned implements portal.DisownStore.
func (s *Store) Disowned(ctx context.Context, biller string, in portal.Disown) (portal.Token, portal.Notice, error) {
	token, what, err := findDisowned(ctx, s.db.R, biller, in.TokenHash)
	if err != nil {
		return portal.Token{}, portal.Notice{}, err
	}
	d, userID, err := readDisowned(ctx, s.db.R, biller, what, "")
	if err != nil {
		return portal.Token{}, portal.Notice{}, err
	}
	if userID != "" {
		u, err := findUser(ctx, s.db.R, biller, userID)
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return portal.Token{}, portal.Notice{}, err
		}
		if err == nil {
			d.user = &u
		}
	}
	does, err := undoOf(ctx, s.db.R, biller, d, in.NormalizeEmail)
	return token, portal.Notice{Activity: what, Does: does}, err
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
func (s *Store) Disown(ctx context.Context, biller string, in portal.Disown) (did portal.Activity, err error) {
	err = again(func() error {
		did, err = s.disown(ctx, biller, in)
		if sqldb.IsUnique(err) {
			err = errOvertaken // somebody takes the address just now
		}
		return err
	})
	if err != nil {
		return portal.Activity{}, err
	}
	s.wake(biller)
	return did, nil
}

func (s *Store) disown(ctx context.Context, biller string, in portal.Disown) (portal.Activity, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return portal.Activity{}, err
	}
	defer tx.Rollback()
	_, what, err := findDisowned(ctx, tx, biller, in.TokenHash)
	if err != nil {
		return portal.Activity{}, err
	}
	d, err := s.lockDisowned(ctx, tx, biller, what)
	if err != nil {
		return portal.Activity{}, err
	}
	won, err := one(ctx, tx, `
		UPDATE tokens
		SET generation = 1
		WHERE biller_id = $1 AND hash = $2 AND purpose = $3 AND generation = 0`, biller, in.TokenHash, string(portal.PurposeDisown))
	if err != nil {
		return portal.Activity{}, fmt.Errorf("use notice: %w", err)
	}
	if !won {
		return portal.Activity{}, portal.ErrLinkDead
	}
	did, err := undoOf(ctx, tx, biller, d, in.NormalizeEmail)
	if err != nil {
		return portal.Activity{}, err
	}
	in.Activity.Detail = maps.Clone(in.Activity.Detail)
	in.Activity.Detail["did"] = string(did)
	if d.user != nil && what.Action != portal.ActionResetAsked {
		in.Activity.UserID = d.user.ID
	}
	if err := s.undo(ctx, tx, biller, d, in); err != nil {
		return portal.Activity{}, err
	}
	if err := s.record(ctx, tx, biller, in.Activity); err != nil {
		return portal.Activity{}, err
	}
	return in.Activity, tx.Commit()
}

// disowned is what a notice was about, locked.
type disowned struct {
	what portal.Activity
	// user is whose sign-in it is; nil if nobody's, or if it was erased meanwhile.
	user *portal.User
	// customers are those the user has access to, and the sign-up's.
	customers []string
	// signUp, proof and reset are set for what began one, unless it is gone.
	signUp *portal.SignUp
	proof  *portal.Proof
	reset  *portal.Reset
}

// lockDisowned reads what a notice was about, locks it, and reads it again.
func (s *Store) lockDisowned(ctx context.Context, tx *sqlx.Tx, biller string, what portal.Activity) (disowned, error) {
	d, userID, err := readDisowned(ctx, tx, biller, what, "")
	if err != nil {
		return disowned{}, err
	}
	if err := s.lockCustomers(ctx, tx, biller, d.customers); err != nil {
		return disowned{}, err
	}
	if userID != "" {
		u, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate())
		if err != nil && !apperr.Is(err, apperr.NotFound) {
			return disowned{}, err
		}
		if err == nil {
			d.user = &u
		}
	}
	now, nowUser, err := readDisowned(ctx, tx, biller, what, s.db.ForUpdate())
	if err != nil {
		return disowned{}, err
	}
	if nowUser != userID || !within(now.customers, d.customers) {
		return disowned{}, errOvertaken
	}
	now.user = d.user
	return now, nil
}

// readDisowned finds what a notice was about and whose sign-in it is, if anybody's.
func readDisowned(ctx context.Context, q querier, biller string, what portal.Activity, lock string) (d disowned, userID string, err error) {
	d, userID = disowned{what: what}, what.UserID
	switch what.Action {
	case portal.ActionResetAsked:
		var r portal.Reset
		if r, err = findReset(ctx, q, biller, what.ID); err == nil {
			d.reset = &r
			_, err = get(ctx, q, &userID, `SELECT id FROM users WHERE biller_id = $1 AND email_norm = $2`, biller, r.EmailNorm)
		}
	case portal.ActionSignUpStarted:
		var inv portal.Invitation
		row, find := findSignUp(ctx, q, biller, what.ID)
		if err = find; err == nil {
			su := row.signUp()
			d.signUp, userID = &su, su.UserID
			inv, err = findInvitation(ctx, q, biller, su.InvitationID)
			d.customers = append(d.customers, inv.CustomerID)
		}
	case portal.ActionSignUpAsked:
		row, find := findProof(ctx, q, biller, what.ID, lock)
		if err = find; err == nil {
			p := row.proof()
			d.proof, userID = &p, p.UserID
		}
	}
	if err != nil && !errors.Is(err, portal.ErrUnknownLink) { // which is gone: there is nothing to end
		return disowned{}, "", err
	}
	if userID == "" {
		return d, "", nil
	}
	granted, err := grantedCustomers(ctx, q, biller, userID)
	d.customers = append(d.customers, granted...)
	return d, userID, err
}

// undo takes back what the person did not do.
func (s *Store) undo(ctx context.Context, tx *sqlx.Tx, biller string, d disowned, in portal.Disown) error {
	switch d.what.Action {
	case portal.ActionResetAsked:
		if d.reset == nil {
			return nil // swept: it works no more
		}
		return s.endResets(ctx, tx, biller, d.reset.EmailNorm, in.Activity.At)
	case portal.ActionSignUpStarted:
		return s.undoSignUp(ctx, tx, biller, d, in)
	case portal.ActionSignUpAsked:
		return s.undoProof(ctx, tx, biller, d, in)
	case portal.ActionAddressAsked:
		return undoAddressChange(ctx, tx, biller, d, in.Activity)
	}
	return s.secure(ctx, tx, biller, d, d.what.NoticeTo, in)
}

// secure shuts everybody out of a sign-in but the owner of the mailbox that was
// told. Where the address was changed since, it is put back: the notice, like the
// one about the change, works for portal.DisownLife.
func (s *Store) secure(ctx context.Context, tx *sqlx.Tx, biller string, d disowned, told string, in portal.Disown) error {
	if d.user == nil {
		return nil
	}
	u := *d.user
	theirs := true
	norm, err := in.NormalizeEmail(told)
	if err != nil {
		return err
	}
	if norm != u.EmailNorm {
		if u, theirs, err = s.restoreAddress(ctx, tx, biller, d, told, norm, in); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE users
		SET
			ended_hash = CASE WHEN password_hash = '' THEN ended_hash ELSE password_hash END,
			password_hash = ''
		WHERE biller_id = $1 AND id = $2`, biller, u.ID); err != nil {
		return fmt.Errorf("end password: %w", err)
	}
	if err := dropAddressChange(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := deleteSessions(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := endHandles(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := forgetDevices(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := s.endResets(ctx, tx, biller, u.EmailNorm, in.Activity.At); err != nil || !theirs || u.State != portal.UserActive {
		return err
	}
	asked := in.Activity
	asked.ID, asked.Action, asked.Object, asked.Detail = in.Reset.ID, portal.ActionPasswordEnded, in.Reset.ID, nil
	in.Reset.EmailNorm, in.Reset.Ended = u.EmailNorm, true
	return s.sendReset(ctx, tx, biller, in.Reset, asked)
}

// restoreAddress gives a user back the address that was told. restored is false if
// somebody else signs in with it meanwhile: then nobody gets the sign-in but
// through the biller's staff.
func (s *Store) restoreAddress(ctx context.Context, tx *sqlx.Tx, biller string, d disowned, told, norm string, in portal.Disown) (_ portal.User, restored bool, err error) {
	u := *d.user
	granted, err := grantedCustomers(ctx, tx, biller, u.ID)
	if err != nil {
		return portal.User{}, false, err
	}
	if err := endNoticesElsewhere(ctx, tx, biller, u.ID, told, d.what.At); err != nil {
		return portal.User{}, false, err
	}
	entry := portal.HistoryEntry{At: in.Activity.At, Kind: portal.HistoryAddress, Detail: "The person signs in with " + told + " again: the change was not theirs."}
	err = s.setAddress(ctx, tx, biller, u, told, norm, in.Activity.At)
	if errors.Is(err, portal.ErrAddressTaken) {
		if in.Activity.Detail["did"] == string(portal.UndoRestore) {
			return portal.User{}, false, errOvertaken // it was taken just now
		}
		entry.Kind, entry.Detail = portal.HistoryDisowned, told+" says that the change to "+u.Email+" was not theirs. Another sign-in has that address now: the sign-in of "+u.Email+" is shut. Decide who gets access."
		return u, false, tellCustomers(ctx, tx, biller, granted, entry)
	}
	if err != nil {
		return portal.User{}, false, err
	}
	if in.Activity.Detail != nil {
		in.Activity.Detail["from"], in.Activity.Detail["to"] = u.Email, told
	}
	if err := tellCustomers(ctx, tx, biller, granted, entry); err != nil {
		return portal.User{}, false, err
	}
	u, err = findUser(ctx, tx, biller, u.ID)
	return u, true, err
}

// endNoticesElsewhere ends the links of notices to other addresses since one was
// told of something: whoever changed the address must not take the account back
// with them.
func endNoticesElsewhere(ctx context.Context, q querier, biller, userID, told string, since time.Time) error {
	_, err := q.ExecContext(ctx, `
		UPDATE tokens
		SET generation = 1
		WHERE biller_id = $1 AND purpose = $2 AND generation = 0 AND subject_id IN (
			SELECT id
			FROM activity
			WHERE biller_id = $1 AND user_id = $3 AND user_id <> '' AND at >= $4 AND notice_to <> '' AND LOWER(notice_to) <> LOWER($5)
		)`, biller, string(portal.PurposeDisown), userID, us(since), told)
	if err != nil {
		return fmt.Errorf("end notices elsewhere: %w", err)
	}
	return nil
}
