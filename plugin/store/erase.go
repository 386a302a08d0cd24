package store

import (
	"context"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// erasedName stands in histories where the address of an erased person stood.
const erasedName = "an erased person"

// EraseUser implements portal.PersonStore.
func (s *Store) EraseUser(ctx context.Context, biller, userID, pseudonym string, a portal.Activity) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	customers, err := touchedCustomers(ctx, tx, biller, userID)
	if err != nil {
		return err
	}
	if err := s.lockCustomers(ctx, tx, biller, customers); err != nil {
		return err
	}
	u, err := lockUser(ctx, tx, biller, userID, s.db.ForUpdate())
	if err != nil {
		return err
	}
	known, err := addressesOf(ctx, tx, biller, u)
	if err != nil {
		return err
	}
	granted, err := grantedCustomers(ctx, tx, biller, userID)
	if err != nil {
		return err
	}
	if err := s.eraseRows(ctx, tx, biller, u, pseudonym); err != nil {
		return err
	}
	if err := eraseAddresses(ctx, tx, biller, customers, known); err != nil {
		return err
	}
	entry := portal.HistoryEntry{At: a.At, Kind: portal.HistoryErased, Detail: "A person's sign-in was erased: " + pseudonym + ".", By: a.By.Name}
	if err := tellCustomers(ctx, tx, biller, granted, entry); err != nil {
		return err
	}
	for _, id := range customers {
		if err := refreshStatus(ctx, tx, biller, id, a.At); err != nil {
			return err
		}
	}
	a.NoticeTo = u.Email
	if err := s.record(ctx, tx, biller, a); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	s.wake(biller)
	return nil
}

// addressesOf returns every spelling of every address that the portal knows of the
// person, from sign-ups, invitations and changes of the address.
func addressesOf(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) ([]string, error) {
	var list []string
	if err := selectAll(ctx, tx, &list, `
		SELECT email
		FROM users
		WHERE biller_id = $1 AND id = $2
		UNION
		SELECT email
		FROM signups
		WHERE biller_id = $1 AND (email_norm = $3 OR user_id = $2)
		UNION
		SELECT email
		FROM invitations
		WHERE biller_id = $1 AND email_norm = $3
		UNION
		SELECT email
		FROM access_requests
		WHERE biller_id = $1 AND email_norm = $3
		UNION
		SELECT notice_to
		FROM activity
		WHERE biller_id = $1 AND user_id = $2 AND notice_to <> ''`, biller, u.ID, u.EmailNorm); err != nil {
		return nil, fmt.Errorf("find addresses: %w", err)
	}
	return list, nil
}

// eraseRows deletes the person, and keeps under the pseudonym what must stay: that
// a version of the agreement was accepted, and that things happened.
func (s *Store) eraseRows(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, pseudonym string) error {
	steps := []struct {
		query string
		args  []any
	}{
		{`INSERT INTO erased_acceptances (biller_id, person, version, text_hash, accepted_at)
			SELECT biller_id, CAST($3 AS TEXT), version, text_hash, accepted_at
			FROM acceptances
			WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID, pseudonym}},
		{`DELETE FROM acceptances WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID}},
		{`DELETE FROM sessions WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID}},
		{`DELETE FROM devices WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID}},
		{`DELETE FROM address_changes WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID}},
		{`DELETE FROM grants WHERE biller_id = $1 AND user_id = $2`, []any{biller, u.ID}},
		{`DELETE FROM tokens
			WHERE biller_id = $1 AND subject_id IN (
				SELECT id FROM activity WHERE biller_id = $1 AND user_id = $2
				UNION
				SELECT id FROM resets WHERE biller_id = $1 AND email_norm = $3
				UNION
				SELECT id FROM signups WHERE biller_id = $1 AND (email_norm = $3 OR user_id = $2)
			)`, []any{biller, u.ID, u.EmailNorm}},
		{`UPDATE activity
			SET user_id = $3, ip = '', agent = '', notice_to = '', detail = '{}'
			WHERE biller_id = $1 AND (
				user_id = $2
				OR id IN (SELECT id FROM resets WHERE biller_id = $1 AND email_norm = $4)
				OR object IN (SELECT id FROM access_requests WHERE biller_id = $1 AND email_norm = $4)
			)`, []any{biller, u.ID, pseudonym, u.EmailNorm}},
		{`DELETE FROM resets WHERE biller_id = $1 AND email_norm = $2`, []any{biller, u.EmailNorm}},
		{`DELETE FROM proofs WHERE biller_id = $1 AND (email_norm = $2 OR user_id = $3)`, []any{biller, u.EmailNorm, u.ID}},
		{`DELETE FROM signup_customers
			WHERE biller_id = $1 AND signup_id IN (
				SELECT id FROM signups WHERE biller_id = $1 AND (email_norm = $2 OR user_id = $3)
			)`, []any{biller, u.EmailNorm, u.ID}},
		{`DELETE FROM signups WHERE biller_id = $1 AND (email_norm = $2 OR user_id = $3)`, []any{biller, u.EmailNorm, u.ID}},
		{`DELETE FROM access_requests WHERE biller_id = $1 AND email_norm = $2`, []any{biller, u.EmailNorm}},
		{`DELETE FROM users WHERE biller_id = $1 AND id = $2`, []any{biller, u.ID}},
	}
	for _, step := range steps {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return fmt.Errorf("erase: %w", err)
		}
	}
	if err := s.eraseInvitations(ctx, tx, biller, u); err != nil {
		return err
	}
	for _, count := range []string{portal.SignInKey(s.keys, biller, u.EmailNorm), "address:" + u.ID, "password:" + u.ID} {
		if err := clearAttempts(ctx, tx, biller, count); err != nil {
			return err
		}
	}
	return nil
}

// eraseInvitations ends those of the person that are open, and takes the address
// out of all of them.
func (s *Store) eraseInvitations(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	var rows []invitationRow
	if err := selectAll(ctx, tx, &rows, selectInvitation+` AND email_norm = $2`, biller, u.EmailNorm); err != nil {
		return fmt.Errorf("find invitations: %w", err)
	}
	for _, r := range rows {
		inv := r.invitation()
		if inv.State.Open() {
			if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationRevoke); err != nil {
				return err
			}
		}
	}
	if _, err := tx.ExecContext(ctx, `
		DELETE FROM tokens
		WHERE biller_id = $1 AND subject_id IN (
			SELECT id
			FROM invitations
			WHERE biller_id = $1 AND email_norm = $2
		)`, biller, u.EmailNorm); err != nil {
		return fmt.Errorf("erase links: %w", err)
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE invitations
		SET
			email = '',
			email_norm = '',
			permit = ''
		WHERE biller_id = $1 AND email_norm = $2`, biller, u.EmailNorm); err != nil {
		return fmt.Errorf("erase invitations: %w", err)
	}
	return nil
}

// eraseAddresses takes the addresses out of the histories of the customers.
func eraseAddresses(ctx context.Context, tx *sqlx.Tx, biller string, customers, addresses []string) error {
	for _, id := range customers {
		var rows []struct {
			ID     string `db:"id"`
			Detail string `db:"detail"`
		}
		if err := selectAll(ctx, tx, &rows, `
			SELECT
				id,
				detail
			FROM history
			WHERE biller_id = $1 AND customer_id = $2`, biller, id); err != nil {
			return fmt.Errorf("read history: %w", err)
		}
		for _, r := range rows {
			clean := r.Detail
			for _, address := range addresses {
				clean = withoutAddress(clean, address)
			}
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
