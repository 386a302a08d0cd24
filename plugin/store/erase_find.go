package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// holding is one address that a person had for a time.
type holding struct {
	norm string
	// from is when the last other person who had the address before left it, zero if
	// nobody had; of an address that an undo took back, when it came.
	from time.Time
	// until is when the person left it; zero for the address of today.
	until time.Time
	// closed means that what came after until is not the person's: the change was
	// undone, or somebody else has the address since.
	closed bool
}

// at tells whether what was written about the address at a time was about the
// person.
func (h holding) at(t time.Time) bool {
	return !t.Before(h.from) && (!h.closed || !t.After(h.until))
}

type holdings []holding

func (hs holdings) at(norm string, t time.Time) bool {
	return slices.ContainsFunc(hs, func(h holding) bool { return h.norm == norm && h.at(t) })
}

// offered is at for what is still open: an invitation, say, to an address that the
// person has left belongs to whoever reads it now.
func (hs holdings) offered(norm string, t time.Time) bool {
	return slices.ContainsFunc(hs, func(h holding) bool {
		return h.norm == norm && h.at(t) && (h.until.IsZero() || !h.closed && !t.After(h.until))
	})
}

// belongings are what is about a person, wherever it stands under an address of
// today or of before.
type belongings struct {
	held holdings
	// spellings are the addresses as they were typed, each with its normal form.
	spellings map[string]string
	// customers are those whose rows change, granted those with access now.
	customers, granted []string

	invitations                       []portal.Invitation
	signUps, proofs, resets, requests []string
}

// moved is a change of the address of a person, or the undo of one.
type moved struct {
	UserID string `db:"user_id"`
	Action string `db:"action"`
	Detail string `db:"detail"`
	At     when   `db:"at"`

	from, to, fromNorm, toNorm string
}

// addressMoves reads all changes of addresses at a biller, oldest first. The
// sweep keeps them for as long as the person is there.
func addressMoves(ctx context.Context, tx *sqlx.Tx, biller string, normalize func(string) (string, error)) ([]moved, error) {
	var rows []moved
	if err := selectAll(ctx, tx, &rows, `
		SELECT
			user_id,
			action,
			detail,
			at
		FROM activity
		WHERE biller_id = $1 AND action IN ($2, $3)
		ORDER BY
			at,
			id`, biller, string(portal.ActionAddressChanged), string(portal.ActionDisowned)); err != nil {
		return nil, fmt.Errorf("read changes of addresses: %w", err)
	}
	moves := rows[:0]
	for _, r := range rows {
		var detail map[string]string
		if err := json.Unmarshal([]byte(r.Detail), &detail); err != nil {
			return nil, fmt.Errorf("decode activity: %w", err)
		}
		r.from, r.to = detail["from"], detail["to"]
		var errs [2]error
		r.fromNorm, errs[0] = normalize(r.from)
		r.toNorm, errs[1] = normalize(r.to)
		if errs[0] == nil && errs[1] == nil {
			moves = append(moves, r) // without them, it changed no address
		}
	}
	return moves, nil
}

// holdingsOf tells which addresses a person had, and when.
func holdingsOf(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, moves []moved) (holdings, error) {
	var list holdings
	since := time.Time{}
	for _, m := range moves {
		if m.UserID != u.ID {
			continue
		}
		undone := m.Action == string(portal.ActionDisowned)
		h := holding{norm: m.fromNorm, until: m.At.Time, closed: undone}
		if undone {
			h.from = since
		}
		list = append(list, h)
		since = m.At.Time
	}
	list = append(list, holding{norm: u.EmailNorm})
	for i := range list {
		if err := list[i].bound(ctx, tx, biller, u, moves); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// bound takes the times out of a holding in which others had the address.
func (h *holding) bound(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, moves []moved) error {
	for _, m := range moves {
		if m.UserID == u.ID || m.fromNorm != h.norm {
			continue
		}
		if left := m.At.Time; h.until.IsZero() || left.Before(h.until) {
			h.from = later(h.from, left)
		} else {
			h.closed = true
		}
	}
	var taken int
	if _, err := get(ctx, tx, &taken, `
		SELECT COUNT(*)
		FROM users
		WHERE biller_id = $1 AND email_norm = $2 AND id <> $3`, biller, h.norm, u.ID); err != nil {
		return fmt.Errorf("find who has an address: %w", err)
	}
	h.closed = h.closed || taken > 0 && !h.until.IsZero()
	return nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// findBelongings finds all that is about a person.
func findBelongings(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User, normalize func(string) (string, error)) (belongings, error) {
	moves, err := addressMoves(ctx, tx, biller, normalize)
	if err != nil {
		return belongings{}, err
	}
	b := belongings{spellings: map[string]string{u.Email: u.EmailNorm, u.EmailNorm: u.EmailNorm}}
	if b.held, err = holdingsOf(ctx, tx, biller, u, moves); err != nil {
		return belongings{}, err
	}
	for _, m := range moves {
		if m.UserID == u.ID {
			b.spellings[m.from], b.spellings[m.to] = m.fromNorm, m.toNorm
			b.spellings[m.fromNorm] = m.fromNorm
		}
	}
	for _, find := range []func(context.Context, *sqlx.Tx, string, portal.User) error{
		b.findSignUps, b.findProofs, b.findResets, b.findRequests, b.findInvitations, b.findCustomers,
	} {
		if err := find(ctx, tx, biller, u); err != nil {
			return belongings{}, err
		}
	}
	return b, nil
}

// norms are the addresses, each once.
func (b *belongings) norms() []string {
	var list []string
	for _, h := range b.held {
		list = append(list, h.norm)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// invited are the ids of the invitations.
func (b *belongings) invited() []string {
	ids := make([]string, len(b.invitations))
	for i, inv := range b.invitations {
		ids[i] = inv.ID
	}
	return ids
}

// found is a row with an address.
type found struct {
	ID         string `db:"id"`
	Email      string `db:"email"`
	EmailNorm  string `db:"email_norm"`
	UserID     string `db:"user_id"`
	CustomerID string `db:"customer_id"`
	CreatedAt  when   `db:"created_at"`
}

// find runs a query that ends with the addresses, and keeps the rows that are the
// person's: by the user's id, or by the address at the time where no user is named.
func (b *belongings) find(ctx context.Context, tx *sqlx.Tx, u portal.User, ids *[]string, query string, args ...any) error {
	expanded, all, err := sqlx.In(query, append(args, b.norms())...)
	if err != nil {
		return fmt.Errorf("find rows of a person: %w", err)
	}
	var rows []found
	if err := selectAll(ctx, tx, &rows, tx.Rebind(expanded), all...); err != nil {
		return fmt.Errorf("find rows of a person: %w", err)
	}
	for _, r := range rows {
		if r.UserID != u.ID && (r.UserID != "" || !b.held.at(r.EmailNorm, r.CreatedAt.Time)) {
			continue
		}
		*ids = append(*ids, r.ID)
		b.spell(r.Email, r.EmailNorm)
		if r.CustomerID != "" {
			b.customers = append(b.customers, r.CustomerID)
		}
	}
	return nil
}

// spell keeps how an address of the person was typed.
func (b *belongings) spell(email, norm string) {
	if email != "" && slices.Contains(b.norms(), norm) {
		b.spellings[email] = norm
	}
}

func (b *belongings) findSignUps(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	return b.find(ctx, tx, u, &b.signUps, `
		SELECT
			s.id,
			s.email,
			s.email_norm,
			s.user_id,
			i.customer_id,
			s.created_at
		FROM signups s
		JOIN invitations i ON i.biller_id = s.biller_id AND i.id = s.invitation_id
		WHERE s.biller_id = ? AND (s.user_id = ? AND s.user_id <> '' OR s.email_norm IN (?))`, biller, u.ID)
}

func (b *belongings) findProofs(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	return b.find(ctx, tx, u, &b.proofs, `
		SELECT
			id,
			email,
			email_norm,
			user_id,
			'' AS customer_id,
			created_at
		FROM proofs
		WHERE biller_id = ? AND (user_id = ? OR email_norm IN (?))`, biller, u.ID)
}

func (b *belongings) findResets(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	return b.find(ctx, tx, u, &b.resets, `
		SELECT
			id,
			'' AS email,
			email_norm,
			'' AS user_id,
			'' AS customer_id,
			created_at
		FROM resets
		WHERE biller_id = ? AND email_norm IN (?)`, biller)
}

// findRequests names the user who signed up with what a request was answered with.
func (b *belongings) findRequests(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	return b.find(ctx, tx, u, &b.requests, `
		SELECT
			a.id,
			a.email,
			a.email_norm,
			COALESCE((
				SELECT MAX(s.user_id)
				FROM invitations i
				CROSS JOIN signups s
				WHERE i.biller_id = a.biller_id AND i.customer_id = a.customer_id AND i.request_id = a.id
					AND s.biller_id = i.biller_id AND s.invitation_id = i.id
			), '') AS user_id,
			a.customer_id,
			a.created_at
		FROM access_requests a
		WHERE a.biller_id = ? AND a.email_norm IN (?)`, biller)
}

// likely is a LIKE pattern, with ! before what stands for itself, of texts in small
// letters with a spelling in any case. Letters beyond ASCII may be any: which of
// them LOWER knows depends on the database.
func likely(spelling string) string {
	var b strings.Builder
	b.WriteByte('%')
	for _, r := range spelling {
		switch {
		case r >= utf8.RuneSelf:
			b.WriteByte('%')
		case strings.ContainsRune("!%_", r):
			b.WriteByte('!')
			b.WriteRune(r)
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	b.WriteByte('%')
	return b.String()
}

// customersNaming finds customers whose histories name an address of the person: of
// requests that were swept, say. It reads all histories of the biller.
func (b *belongings) customersNaming(ctx context.Context, tx *sqlx.Tx, biller string) ([]string, error) {
	args, conditions := []any{biller}, []string{}
	for spelling := range b.spellings {
		args = append(args, likely(spelling))
		conditions = append(conditions, fmt.Sprintf(`LOWER(detail) LIKE $%d ESCAPE '!'`, len(args)))
	}
	var rows []struct {
		CustomerID string `db:"customer_id"`
		Detail     string `db:"detail"`
		At         when   `db:"at"`
	}
	if err := selectAll(ctx, tx, &rows, `
		SELECT
			customer_id,
			detail,
			at
		FROM history
		WHERE biller_id = $1 AND (`+strings.Join(conditions, ` OR `)+`)`, args...); err != nil {
		return nil, fmt.Errorf("find histories: %w", err)
	}
	var ids []string
	for _, r := range rows {
		if b.without(r.Detail, r.At.Time) != r.Detail {
			ids = append(ids, r.CustomerID)
		}
	}
	return ids, nil
}

// findCustomers adds those the person has or had access to, and those whose
// histories name the person.
func (b *belongings) findCustomers(ctx context.Context, tx *sqlx.Tx, biller string, u portal.User) error {
	var ids []string
	if err := selectAll(ctx, tx, &ids, `
		SELECT customer_id
		FROM grants
		WHERE biller_id = $1 AND user_id = $2`, biller, u.ID); err != nil {
		return fmt.Errorf("find customers of a person: %w", err)
	}
	named, err := b.customersNaming(ctx, tx, biller)
	if err != nil {
		return err
	}
	b.customers = slices.Compact(slices.Sorted(slices.Values(slices.Concat(b.customers, ids, named))))
	b.granted, err = grantedCustomers(ctx, tx, biller, u.ID)
	return err
}
