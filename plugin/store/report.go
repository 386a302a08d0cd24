package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Counts implements portal.ReportStore.
func (s *Store) Counts(ctx context.Context, biller string) ([]portal.Count, error) {
	var rows []struct {
		Status    string `db:"status"`
		Customers int    `db:"customers"`
	}
	if err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			status,
			COUNT(*) AS customers
		FROM customers
		WHERE biller_id = $1 AND NOT archived
		GROUP BY status`, biller); err != nil {
		return nil, fmt.Errorf("count customers: %w", err)
	}
	byStatus := make(map[portal.Status]int, len(rows))
	for _, r := range rows {
		byStatus[portal.Status(r.Status)] = r.Customers
	}
	var counts []portal.Count
	for _, status := range portal.Statuses() {
		counts = append(counts, portal.Count{Status: status, Customers: byStatus[status]})
	}
	return counts, nil
}

// reportPage is how many rows are read at a time.
const reportPage = 500

// Registrations implements portal.ReportStore.
func (s *Store) Registrations(ctx context.Context, biller string, q portal.RegistrationQuery, send func(portal.Registration) error) error {
	left := q.Limit
	for {
		page := reportPage
		if q.Limit > 0 {
			page = min(page, left)
		}
		rows, err := s.registrations(ctx, biller, q, page)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := send(r); err != nil {
				return err
			}
			q.After = r.Cursor
		}
		left -= len(rows)
		if len(rows) < page || (q.Limit > 0 && left == 0) {
			return nil
		}
	}
}

func (s *Store) registrations(ctx context.Context, biller string, q portal.RegistrationQuery, limit int) ([]portal.Registration, error) {
	query, args, err := registrationSQL(biller, q, limit)
	if err != nil {
		return nil, err
	}
	var rows []registrationRow
	if err := s.db.R.SelectContext(ctx, &rows, query, args...); err != nil {
		return nil, fmt.Errorf("read registrations: %w", err)
	}
	out := make([]portal.Registration, len(rows))
	ids := make([]string, len(rows))
	for i, r := range rows {
		out[i], ids[i] = r.registration(q), r.ID
	}
	if len(ids) == 0 {
		return nil, nil
	}
	others, err := otherSignIns(ctx, s.db.R, biller, ids)
	for i := range out {
		out[i].SignInEmails = others[out[i].CustomerID]
	}
	return out, err
}

type registrationRow struct {
	ID           string `db:"id"`
	Number       string `db:"number"`
	Name         string `db:"name"`
	DisplayName  string `db:"display_name"`
	Email        string `db:"email"`
	Status       string `db:"status"`
	InvitedAt    when   `db:"invited_at"`
	RegisteredAt when   `db:"registered_at"`
	Confirmed    bool   `db:"email_confirmed"`
	NameKey      string `db:"name_key"`
	DisplayKey   string `db:"display_key"`
	EmailKey     string `db:"email_key"`
}

func (r registrationRow) registration(q portal.RegistrationQuery) portal.Registration {
	return portal.Registration{
		CustomerID:     r.ID,
		Number:         r.Number,
		Name:           r.Name,
		DisplayName:    r.DisplayName,
		Email:          r.Email,
		Status:         portal.Status(r.Status),
		InvitedAt:      r.InvitedAt.Time,
		RegisteredAt:   r.RegisteredAt.Time,
		EmailConfirmed: r.Confirmed,
		Cursor:         r.cursor(q),
	}
}

const selectRegistrations = `
	SELECT
		c.id,
		c.number,
		c.name,
		c.display_name,
		c.email,
		c.status,
		c.invited_at,
		c.registered_at,
		c.email_confirmed,
		c.name_key,
		c.display_key,
		c.email_key
	FROM customers c
	WHERE c.biller_id = $1 AND NOT c.archived`

// registrationSQL is one page of the report. Each sort has an index, and rows go
// on after a (key, id) pair, so every page costs the same.
func registrationSQL(biller string, q portal.RegistrationQuery, limit int) (string, []any, error) {
	var b strings.Builder
	b.WriteString(selectRegistrations)
	args := []any{biller}
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if q.Status != "" {
		b.WriteString(` AND c.status = ` + arg(string(q.Status)))
	}
	for _, term := range portal.SearchTerms(q.Search) {
		b.WriteString(`
			AND c.id IN (
				SELECT t.customer_id
				FROM customer_terms t
				WHERE t.biller_id = $1 AND t.term >= ` + arg(term) + ` AND t.term < ` + arg(term+"\U0010FFFF") + `)`)
	}
	column := sortColumns()[q.Sort]
	direction, after := "", ">"
	if q.Descending {
		direction, after = " DESC", "<"
	}
	if q.After != "" {
		cursor, err := parseCursor(q)
		if err != nil {
			return "", nil, err
		}
		b.WriteString(fmt.Sprintf(" AND (c.%s, c.id) %s (%s, %s)", column, after, arg(cursor.key()), arg(cursor.ID)))
	}
	fmt.Fprintf(&b, " ORDER BY c.%s%s, c.id%s LIMIT %s", column, direction, direction, arg(limit))
	return b.String(), args, nil
}

func sortColumns() map[string]string {
	return map[string]string{
		portal.SortName:           "name_key",
		portal.SortDisplayName:    "display_key",
		portal.SortEmail:          "email_key",
		portal.SortStatus:         "status",
		portal.SortInvited:        "invited_at",
		portal.SortRegistered:     "registered_at",
		portal.SortEmailConfirmed: "email_confirmed",
	}
}

// cursor is a place in one order of the report.
type cursor struct {
	Sort string `json:"s"`
	Desc bool   `json:"d,omitempty"`
	ID   string `json:"i"`
	Text string `json:"t,omitempty"`
	Time int64  `json:"n,omitempty"`
	Yes  bool   `json:"y,omitempty"`
}

func (r registrationRow) cursor(q portal.RegistrationQuery) string {
	c := cursor{Sort: q.Sort, Desc: q.Descending, ID: r.ID}
	switch q.Sort {
	case portal.SortName:
		c.Text = r.NameKey
	case portal.SortDisplayName:
		c.Text = r.DisplayKey
	case portal.SortEmail:
		c.Text = r.EmailKey
	case portal.SortStatus:
		c.Text = r.Status
	case portal.SortInvited:
		c.Time = us(r.InvitedAt.Time)
	case portal.SortRegistered:
		c.Time = us(r.RegisteredAt.Time)
	case portal.SortEmailConfirmed:
		c.Yes = r.Confirmed
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings, numbers and booleans encode
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseCursor(q portal.RegistrationQuery) (cursor, error) {
	bad := apperr.Field("after", "This page of the report is no longer there. Start again from the first.")
	text, err := base64.RawURLEncoding.DecodeString(q.After)
	if err != nil {
		return cursor{}, bad
	}
	var c cursor
	if err := json.Unmarshal(text, &c); err != nil || c.Sort != q.Sort || c.Desc != q.Descending ||
		strings.ContainsRune(c.Text+c.ID, 0) {
		return cursor{}, bad
	}
	return c, nil
}

func (c cursor) key() any {
	switch c.Sort {
	case portal.SortInvited, portal.SortRegistered:
		return c.Time
	case portal.SortEmailConfirmed:
		return c.Yes
	}
	return c.Text
}

// otherSignIns returns, by customer, the addresses of users with access that
// differ from the customer's own.
func otherSignIns(ctx context.Context, db *sqlx.DB, biller string, customerIDs []string) (map[string][]string, error) {
	query, args, err := sqlx.In(`
		SELECT
			g.customer_id,
			u.email
		FROM grants g
		JOIN users u ON u.biller_id = g.biller_id AND u.id = g.user_id
		JOIN customers c ON c.biller_id = g.biller_id AND c.id = g.customer_id
		WHERE g.biller_id = ? AND g.customer_id IN (?) AND g.state = 'active' AND u.email_norm <> c.email_norm
		ORDER BY u.email_norm`, biller, customerIDs)
	if err != nil {
		return nil, fmt.Errorf("read sign-ins: %w", err)
	}
	var rows []struct {
		CustomerID string `db:"customer_id"`
		Email      string `db:"email"`
	}
	if err := db.SelectContext(ctx, &rows, db.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("read sign-ins: %w", err)
	}
	others := map[string][]string{}
	for _, r := range rows {
		others[r.CustomerID] = append(others[r.CustomerID], r.Email)
	}
	return others, nil
}
