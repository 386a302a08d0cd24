package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// erasedName stands in histories where the address of an erased person stood.
const erasedName = "an erased person"

// EraseUser implements portal.PersonStore.
func (s *Store) EraseUser(ctx context.Context, biller string, in portal.Erasure) error {
	if err := again(func() error { return s.eraseUser(ctx, biller, in) }); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

func (s *Store) eraseUser(ctx context.Context, biller string, in portal.Erasure) error {
	a := in.Activity
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	u, mine, err := s.lockBelongings(ctx, tx, biller, in)
	if err != nil {
		return err
	}
	if err := s.eraseRows(ctx, tx, biller, u, mine, in.Pseudonym); err != nil {
		return err
	}
	if err := eraseAddresses(ctx, tx, biller, mine); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryErased, Detail: "A person's sign-in was erased: " + in.Pseudonym + ".", By: a.By.Name}
	if err := tellCustomers(ctx, tx, biller, mine.granted, entry); err != nil {
		return err
	}
	for _, id := range mine.customers {
		if err := refreshStatus(ctx, tx, biller, id, a.At); err != nil {
			return err
		}
	}
	a.NoticeTo = u.Email
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	return tx.Commit()
}

// lockBelongings locks a person and every customer that the erasure changes.
// ErrNoPerson for an unknown person.
func (s *Store) lockBelongings(ctx context.Context, tx *sqlx.Tx, biller string, in portal.Erasure) (portal.User, belongings, error) {
	u, err := lockUser(ctx, tx, biller, in.UserID, "")
	if err != nil {
		return portal.User{}, belongings{}, err
	}
	before, err := findBelongings(ctx, tx, biller, u, in.NormalizeEmail)
	if err != nil {
		return portal.User{}, belongings{}, err
	}
	if err := s.lockCustomers(ctx, tx, biller, before.customers); err != nil {
		return portal.User{}, belongings{}, err
	}
	if u, err = lockUser(ctx, tx, biller, in.UserID, s.db.ForUpdate()); err != nil {
		return portal.User{}, belongings{}, err
	}
	mine, err := findBelongings(ctx, tx, biller, u, in.NormalizeEmail)
	if err == nil && !within(mine.customers, before.customers) {
		err = errOvertaken
	}
	return u, mine, err
}

// eraseRows deletes the person, and keeps under the pseudonym what must stay: that
// a version of the agreement was accepted, and that things happened.
func (s *Store) eraseRows(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, mine belongings, pseudonym string) error {
	if err := eraseInvitations(ctx, tx, biller, mine.invitations); err != nil {
		return err
	}
	if err := s.clearSignIns(ctx, tx, biller, u); err != nil {
		return err
	}
	for _, norm := range mine.norms() {
		if err := s.lockResets(ctx, tx, biller, norm); err != nil {
			return err
		}
	}
	started := slices.Concat(mine.signUps, mine.proofs, mine.resets)
	for _, step := range []struct {
		query string
		ids   []string
	}{
		{`DELETE FROM signup_customers WHERE biller_id = ? AND signup_id IN (?)`, mine.signUps},
		{`DELETE FROM signups WHERE biller_id = ? AND id IN (?)`, mine.signUps},
		{`DELETE FROM proofs WHERE biller_id = ? AND id IN (?)`, mine.proofs},
		{`DELETE FROM access_requests WHERE biller_id = ? AND id IN (?)`, mine.requests},
		{`DELETE FROM resets WHERE biller_id = ? AND id IN (?)`, mine.resets},
		{`DELETE FROM tokens WHERE biller_id = ? AND subject_id IN (?)`, slices.Concat(started, mine.requests, mine.invited())},
	} {
		if err := inIDs(ctx, tx, step.query, step.ids, biller); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	if err := eraseOfUser(ctx, tx, biller, u, pseudonym); err != nil {
		return err
	}
	for _, column := range []string{"id", "object"} {
		if err := inIDs(ctx, tx, `
			UPDATE activity
			SET user_id = ?, ip = '', agent = '', notice_to = '', detail = '{}'
			WHERE biller_id = ? AND `+column+` IN (?)`, slices.Concat(started, mine.requests), pseudonym, biller); err != nil {
			return fmt.Errorf("erase activity: %w", err)
		}
	}
	for _, count := range []string{"address:" + u.ID, "password:" + u.ID} {
		if err := clearAttempts(ctx, tx, biller, count); err != nil {
			return err
		}
	}
	return nil
}

// eraseOfUser deletes what names the user's id, and the user.
func eraseOfUser(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, pseudonym string) error {
	if _, err := tx.ExecContext(ctx, `
		INSERT INTO erased_acceptances (biller_id, person, version, text_hash, accepted_at)
		SELECT biller_id, CAST($3 AS TEXT), version, text_hash, accepted_at
		FROM acceptances
		WHERE biller_id = $1 AND user_id = $2`, biller, u.ID, pseudonym); err != nil {
		return fmt.Errorf("keep acceptances: %w", err)
	}
	for _, table := range []string{"acceptances", "grants", "sessions", "devices", "address_changes"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE biller_id = $1 AND user_id = $2`, biller, u.ID); err != nil {
			return fmt.Errorf("erase %s: %w", table, err)
		}
	}
	for _, query := range []string{
		`DELETE FROM users WHERE biller_id = $1 AND id = $2`,
		`DELETE FROM tokens WHERE biller_id = $1 AND subject_id IN (SELECT id FROM activity WHERE biller_id = $1 AND user_id = $2 AND user_id <> '')`,
	} {
		if _, err := tx.ExecContext(ctx, query, biller, u.ID); err != nil {
			return fmt.Errorf("erase user: %w", err)
		}
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE activity
		SET user_id = $3, ip = '', agent = '', notice_to = '', detail = '{}'
		WHERE biller_id = $1 AND user_id = $2 AND user_id <> ''`, biller, u.ID, pseudonym); err != nil {
		return fmt.Errorf("erase activity: %w", err)
	}
	return nil
}

// idsAtOnce is how many ids one statement names.
const idsAtOnce = 500

// inIDs executes a statement that ends with IN (?) for ids, some at a time.
func inIDs(ctx context.Context, tx *sqlx.Tx, query string, ids []string, args ...any) error {
	for len(ids) > 0 {
		part := ids[:min(len(ids), idsAtOnce)]
		ids = ids[len(part):]
		expanded, all, err := sqlx.In(query, append(append([]any{}, args...), part)...)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, tx.Rebind(expanded), all...); err != nil {
			return err
		}
	}
	return nil
}

// eraseInvitations ends those of the person that are open, and takes the address
// out of all of them.
func eraseInvitations(ctx context.Context, tx *sqlx.Tx, biller string, invitations []portal.Invitation) error {
	for _, inv := range invitations {
		if inv.State.Open() {
			if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationRevoke); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `
			UPDATE invitations
			SET
				email = '',
				email_norm = '',
				permit = ''
			WHERE biller_id = $1 AND id = $2`, biller, inv.ID); err != nil {
			return fmt.Errorf("erase invitation: %w", err)
		}
	}
	return nil
}

// eraseAddresses takes the addresses out of the histories of the customers.
func eraseAddresses(ctx context.Context, tx *sqlx.Tx, biller string, mine belongings) error {
	for _, id := range mine.customers {
		var rows []struct {
			ID     string `db:"id"`
			Detail string `db:"detail"`
			At     when   `db:"at"`
		}
		if err := selectAll(ctx, tx, &rows, `
			SELECT
				id,
				detail,
				at
			FROM history
			WHERE biller_id = $1 AND customer_id = $2`, biller, id); err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		for _, r := range rows {
			clean := mine.without(r.Detail, r.At.Time)
			if clean == r.Detail {
				continue
			}
			if _, err := tx.ExecContext(ctx, `
				UPDATE history
				SET detail = $1
				WHERE biller_id = $2 AND id = $3`, clean, biller, r.ID); err != nil {
				return fmt.Errorf("erase history: %w", err)
			}
		}
	}
	return nil
}

// without takes the person's addresses, in every spelling, out of what was written
// while they were the person's.
func (b belongings) without(text string, at time.Time) string {
	for spelling, norm := range b.spellings {
		if b.held.at(norm, at) {
			text = withoutAddress(text, spelling)
		}
	}
	return text
}

// withoutAddress puts erasedName in the place of an address, in any case, but not
// where it is part of a longer one.
func withoutAddress(text, address string) string {
	if address == "" {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		end := i + len(address)
		if end <= len(text) && strings.EqualFold(text[i:end], address) && !partOfAddress(text, i-1) && !goesOn(text[end:]) {
			b.WriteString(erasedName)
			i = end
			continue
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

func partOfAddress(text string, i int) bool {
	return i >= 0 && i < len(text) && text[i] > ' ' && !strings.ContainsRune(`,;:()<>"`, rune(text[i]))
}

// goesOn tells whether a domain goes on: a full stop alone ends a sentence.
func goesOn(rest string) bool {
	if strings.HasPrefix(rest, ".") {
		return partOfAddress(rest, 1)
	}
	return partOfAddress(rest, 0)
}
