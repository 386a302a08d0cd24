package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// lockPerson locks the customers of a person, so that their statuses change with
// it, and returns them and the person. ErrNoPerson without access to the
// activity's customer.
func (s *Store) lockPerson(ctx context.Context, tx *sqlx.Tx, biller string, a portal.Activity) (portal.User, []string, error) {
	touched, err := touchedCustomers(ctx, tx, biller, a.UserID)
	if err != nil {
		return portal.User{}, nil, err
	}
	if err := s.lockCustomers(ctx, tx, biller, touched); err != nil {
		return portal.User{}, nil, err
	}
	u, err := lockUser(ctx, tx, biller, a.UserID, s.db.ForUpdate())
	if err != nil {
		return portal.User{}, nil, err
	}
	customers, err := grantedCustomers(ctx, tx, biller, a.UserID)
	if err != nil {
		return portal.User{}, nil, err
	}
	if again, err := touchedCustomers(ctx, tx, biller, a.UserID); err != nil || !within(again, touched) {
		return portal.User{}, nil, cmp.Or(err, errOvertaken)
	}
	var state string
	found, err := get(ctx, tx, &state, `
		SELECT state
		FROM grants
		WHERE biller_id = $1 AND user_id = $2 AND customer_id = $3 AND state NOT IN ('removed', 'dismissed')`, biller, a.UserID, a.CustomerID)
	if err != nil {
		return portal.User{}, nil, fmt.Errorf("find grant: %w", err)
	}
	if !found {
		return portal.User{}, nil, portal.ErrNoPerson
	}
	return u, customers, nil
}

// selectTouched joins from the person on, one table after the other. A customer may
// be there several times.
const selectTouched = `
	SELECT customer_id
	FROM grants
	WHERE biller_id = $1 AND user_id = $2
	UNION ALL
	SELECT i.customer_id
	FROM signups s
	CROSS JOIN invitations i
	WHERE s.biller_id = $1 AND s.user_id = $2 AND s.user_id <> ''
		AND i.biller_id = $1 AND i.id = s.invitation_id
	UNION ALL
	SELECT i.customer_id
	FROM users u
	CROSS JOIN signups s
	CROSS JOIN invitations i
	WHERE u.biller_id = $1 AND u.id = $2
		AND s.biller_id = $1 AND s.email_norm = u.email_norm
		AND i.biller_id = $1 AND i.id = s.invitation_id
	UNION ALL
	SELECT c.id
	FROM users u
	CROSS JOIN customers c
	WHERE u.biller_id = $1 AND u.id = $2
		AND c.biller_id = $1 AND c.email_norm = u.email_norm AND c.email_norm <> '' AND NOT c.archived
	UNION ALL
	SELECT i.customer_id
	FROM users u
	CROSS JOIN invitations i
	WHERE u.biller_id = $1 AND u.id = $2
		AND i.biller_id = $1 AND i.email_norm = u.email_norm`

// touchedCustomers are those whose status may follow from a person: by a grant of
// any state, by a sign-up of the person or with the person's address, or by that
// address alone.
func touchedCustomers(ctx context.Context, q querier, biller, userID string) ([]string, error) {
	var ids []string
	if err := selectAll(ctx, q, &ids, selectTouched, biller, userID); err != nil {
		return nil, fmt.Errorf("find customers of a person: %w", err)
	}
	return ids, nil
}

// inPerson runs f on a locked person and keeps the activity and the history entry
// that f returns, for the customer or, everywhere being true, for all of the
// person's customers.
func (s *Store) inPerson(ctx context.Context, biller string, a portal.Activity, everywhere bool, f func(*sqlx.Tx, portal.User) (portal.HistoryEntry, error)) error {
	return again(func() error { return s.inPersonOnce(ctx, biller, a, everywhere, f) })
}

func (s *Store) inPersonOnce(ctx context.Context, biller string, a portal.Activity, everywhere bool, f func(*sqlx.Tx, portal.User) (portal.HistoryEntry, error)) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	u, customers, err := s.lockPerson(ctx, tx, biller, a)
	if err != nil {
		return err
	}
	entry, err := f(tx, u)
	if err != nil {
		return err
	}
	if !everywhere {
		customers = []string{a.CustomerID}
	}
	entry.At, entry.By = a.At, a.By.Name
	if err := tellCustomers(ctx, tx, biller, customers, entry); err != nil {
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

// SetUserState implements portal.PersonStore.
func (s *Store) SetUserState(ctx context.Context, biller string, e portal.UserEvent, a portal.Activity) error {
	return s.inPerson(ctx, biller, a, true, func(tx *sqlx.Tx, u portal.User) (portal.HistoryEntry, error) {
		next, err := moveUser(ctx, tx, biller, u, e)
		if err != nil {
			return portal.HistoryEntry{}, err
		}
		if next == portal.UserActive {
			return portal.HistoryEntry{Kind: portal.HistoryEnabled, Detail: u.Email + " can sign in again."}, nil
		}
		entry := portal.HistoryEntry{Kind: portal.HistoryDisabled, Detail: u.Email + " cannot sign in any more."}
		return entry, s.shut(ctx, tx, biller, u, a.At)
	})
}

// shut ends everything that somebody could go on with in a person's name:
// sessions, links to new passwords, codes for new addresses, sign-ups in progress.
func (s *Store) shut(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, now time.Time) error {
	if err := deleteSessions(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if err := s.endResets(ctx, tx, biller, u.EmailNorm, now); err != nil {
		return err
	}
	if err := dropAddressChange(ctx, tx, biller, u.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE tokens
		SET generation = 1
		WHERE biller_id = $1 AND purpose = $2 AND generation = 0 AND subject_id IN (
			SELECT id
			FROM activity
			WHERE biller_id = $1 AND user_id = $3 AND user_id <> ''
		)`, biller, string(portal.PurposeDisown), u.ID); err != nil {
		return fmt.Errorf("end notices: %w", err)
	}
	var rows []signUpRow
	if err := selectAll(ctx, tx, &rows, selectSignUp+` AND email_norm = $2 AND step IN ('profile', 'confirm')`, biller, u.EmailNorm); err != nil {
		return fmt.Errorf("find sign-ups: %w", err)
	}
	for _, r := range rows {
		if err := moveSignUp(ctx, tx, biller, r.signUp(), portal.SignUpVoid); err != nil {
			return err
		}
		inv, err := findInvitation(ctx, tx, biller, r.InvitationID)
		if err != nil {
			return err
		}
		if err := refreshStatus(ctx, tx, biller, inv.CustomerID, now); err != nil {
			return err
		}
	}
	return endHandles(ctx, tx, biller, u.ID)
}

// endHandles keeps every browser from going on with a person's confirmed sign-up.
func endHandles(ctx context.Context, q querier, biller, userID string) error {
	_, err := q.ExecContext(ctx, `
		UPDATE signups
		SET handle_hash = ''
		WHERE biller_id = $1 AND user_id = $2 AND user_id <> ''`, biller, userID)
	if err != nil {
		return fmt.Errorf("end handles: %w", err)
	}
	return nil
}

// RemoveGrant implements portal.PersonStore.
func (s *Store) RemoveGrant(ctx context.Context, biller string, a portal.Activity) error {
	return s.inPerson(ctx, biller, a, false, func(tx *sqlx.Tx, u portal.User) (portal.HistoryEntry, error) {
		entry := portal.HistoryEntry{Kind: portal.HistoryRemoved, Detail: u.Email + " has no access to this customer any more."}
		return entry, removeGrant(ctx, tx, biller, u.ID, a.CustomerID)
	})
}

// SetRight implements portal.PersonStore.
func (s *Store) SetRight(ctx context.Context, biller string, right portal.Right, a portal.Activity) error {
	return s.inPerson(ctx, biller, a, false, func(tx *sqlx.Tx, u portal.User) (portal.HistoryEntry, error) {
		changed, err := one(ctx, tx, `
			UPDATE grants
			SET access_right = $1
			WHERE biller_id = $2 AND user_id = $3 AND customer_id = $4 AND state NOT IN ('removed', 'dismissed') AND access_right <> $1`,
			string(right), biller, u.ID, a.CustomerID)
		if err != nil {
			return portal.HistoryEntry{}, fmt.Errorf("set right: %w", err)
		}
		if !changed {
			return portal.HistoryEntry{}, portal.ErrPersonUnchanged
		}
		may := u.Email + " sees and pays."
		if right == portal.RightViewer {
			may = u.Email + " sees, and does not pay."
		}
		return portal.HistoryEntry{Kind: portal.HistoryRight, Detail: may}, nil
	})
}

// KeepAddress implements portal.PersonStore.
func (s *Store) KeepAddress(ctx context.Context, biller string, a portal.Activity) error {
	return s.inPerson(ctx, biller, a, false, func(tx *sqlx.Tx, u portal.User) (portal.HistoryEntry, error) {
		c, err := findCustomer(ctx, tx, biller, a.CustomerID)
		if err != nil {
			return portal.HistoryEntry{}, err
		}
		kept, err := one(ctx, tx, `
			UPDATE grants
			SET kept = $1
			WHERE biller_id = $2 AND user_id = $3 AND customer_id = $4 AND kept <> '*' AND kept <> $1`,
			"="+c.EmailNorm, biller, u.ID, c.ID)
		if err != nil {
			return portal.HistoryEntry{}, fmt.Errorf("keep address: %w", err)
		}
		if !kept || u.EmailNorm == c.EmailNorm {
			return portal.HistoryEntry{}, portal.ErrPersonUnchanged
		}
		return portal.HistoryEntry{Kind: portal.HistoryKept, Detail: u.Email + " goes on signing in, beside the address in the profile."}, nil
	})
}

// lockDiffering locks those whom the invitation replaces, after all customers whose
// status may follow from them, and the invited one.
func (s *Store) lockDiffering(ctx context.Context, tx *sqlx.Tx, biller string, in portal.SendInvitation) ([]string, error) {
	if !in.Replace {
		return nil, nil
	}
	ids, err := differing(ctx, tx, biller, in.CustomerID)
	if err != nil {
		return nil, err
	}
	customers := []string{in.CustomerID}
	for _, id := range ids {
		touched, err := touchedCustomers(ctx, tx, biller, id)
		if err != nil {
			return nil, err
		}
		customers = append(customers, touched...)
	}
	if err := s.lockCustomers(ctx, tx, biller, customers); err != nil {
		return nil, err
	}
	for _, id := range ids {
		if _, err := lockUser(ctx, tx, biller, id, s.db.ForUpdate()); apperr.Is(err, apperr.NotFound) {
			return nil, errOvertaken // erased meanwhile
		} else if err != nil {
			return nil, err
		}
		if touched, err := touchedCustomers(ctx, tx, biller, id); err != nil || !within(touched, customers) {
			return nil, cmp.Or(err, errOvertaken)
		}
	}
	return ids, nil
}

// differing are those who sign in for a customer with an address that is not the
// profile's and that nobody decided to keep.
func differing(ctx context.Context, q querier, biller, customerID string) ([]string, error) {
	var ids []string
	if err := selectAll(ctx, q, &ids, `
		SELECT g.user_id
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		JOIN customers c ON c.biller_id = g.biller_id AND c.id = g.customer_id
		WHERE g.biller_id = $1 AND g.customer_id = $2 AND g.state = 'active' AND `+differs+`
		ORDER BY g.user_id || ''`, biller, customerID); err != nil {
		return nil, fmt.Errorf("find people: %w", err)
	}
	return ids, nil
}

// settleDiffering deals with those who sign in for the customer with an address
// that is not the profile's and that nobody decided to keep: ErrSignInDiffers, or
// their end where the profile's address is invited instead.
func (s *Store) settleDiffering(ctx context.Context, tx *sqlx.Tx, biller string, c customerRow, locked []string, in portal.SendInvitation) error {
	ids, err := differing(ctx, tx, biller, c.ID)
	if err != nil {
		return err
	}
	if len(ids) > 0 && !in.Replace {
		return portal.ErrSignInDiffers
	}
	if !within(ids, locked) {
		return errOvertaken
	}
	for _, id := range ids {
		if err := s.replace(ctx, tx, biller, c, id, in); err != nil {
			return err
		}
	}
	return nil
}

// replace ends a person's access to the customer, password and sessions: whoever
// reads the old mailbox now may not be the person.
func (s *Store) replace(ctx context.Context, tx *sqlx.Tx, biller string, c customerRow, userID string, in portal.SendInvitation) error {
	u, err := findUser(ctx, tx, biller, userID)
	if err != nil {
		return err
	}
	if err := removeGrant(ctx, tx, biller, u.ID, c.ID); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE users
		SET password_hash = ''
		WHERE biller_id = $1 AND id = $2`, biller, u.ID); err != nil {
		return fmt.Errorf("end password: %w", err)
	}
	if err := s.shut(ctx, tx, biller, u, in.Now); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: in.Now, Kind: portal.HistoryRemoved, Detail: c.Email + " is invited instead of " + u.Email + ", whose access, password and sessions have ended.", By: in.By.Name}
	if err := addHistory(ctx, tx, biller, c.ID, entry); err != nil {
		return err
	}
	a := in.Activity
	if a.ID, err = newID(); err != nil {
		return err
	}
	a.Action, a.UserID, a.Object = portal.ActionAccessReplaced, u.ID, u.ID
	return s.record(ctx, tx, biller, a)
}

// forgetErased forgets the address that the notice of an erasure went to.
func forgetErased(ctx context.Context, q querier, biller, activityID string) error {
	_, err := q.ExecContext(ctx, `
		UPDATE activity
		SET notice_to = ''
		WHERE biller_id = $1 AND id = $2 AND action = $3`, biller, activityID, string(portal.ActionUserErased))
	if err != nil {
		return fmt.Errorf("forget address: %w", err)
	}
	return nil
}
