package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
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
	if q.Before != "" {
		return s.registrationsBefore(ctx, biller, q, send)
	}
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

// registrationsBefore sends one page that is read backwards.
func (s *Store) registrationsBefore(ctx context.Context, biller string, q portal.RegistrationQuery, send func(portal.Registration) error) error {
	rows, err := s.registrations(ctx, biller, q, q.Limit)
	if err != nil {
		return err
	}
	for _, r := range slices.Backward(rows) {
		if err := send(r); err != nil {
			return err
		}
	}
	return nil
}

// CountRegistrations implements portal.ReportStore.
func (s *Store) CountRegistrations(ctx context.Context, biller string, q portal.RegistrationQuery) (portal.RegistrationCount, error) {
	query, args, err := countSQL(biller, q)
	if err != nil {
		return portal.RegistrationCount{}, err
	}
	var row struct {
		Total   int `db:"total"`
		Earlier int `db:"earlier"`
	}
	if err := s.db.R.GetContext(ctx, &row, query, args...); err != nil {
		return portal.RegistrationCount{}, fmt.Errorf("count registrations: %w", err)
	}
	return portal.RegistrationCount(row), nil
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
	if err != nil {
		return nil, err
	}
	states, err := agreementStates(ctx, s.db.R, biller, ids, q.Now)
	for i := range out {
		out[i].SignInEmails = others[out[i].CustomerID]
		out[i].Agreement = states[out[i].CustomerID]
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
		c.email_key`

// reportSQL is a statement on the report with its arguments, the first of which
// is the biller.
type reportSQL struct {
	strings.Builder
	args []any
}

func (b *reportSQL) arg(v any) string {
	b.args = append(b.args, v)
	return fmt.Sprintf("$%d", len(b.args))
}

// from writes which rows are in the report.
func (b *reportSQL) from(q portal.RegistrationQuery) {
	b.WriteString(`
	FROM customers c
	WHERE c.biller_id = $1 AND NOT c.archived`)
	if q.Status != "" {
		b.WriteString(` AND c.status = ` + b.arg(string(q.Status)))
	}
	for _, term := range portal.SearchTerms(q.Search) {
		b.WriteString(`
			AND c.id IN (
				SELECT t.customer_id
				FROM customer_terms t
				WHERE t.biller_id = $1 AND t.term >= ` + b.arg(term) + ` AND t.term < ` + b.arg(term+"\U0010FFFF") + `)`)
	}
}

// place compares rows with a cursor: "(c.name_key, c.id) > ($2, $3)".
func (b *reportSQL) place(q portal.RegistrationQuery, operator, after string) (string, error) {
	cursor, err := parseCursor(q, after)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("(c.%s, c.id) %s (%s, %s)", sortColumns()[q.Sort], operator, b.arg(cursor.key()), b.arg(cursor.ID)), nil
}

// registrationSQL is one page of the report, backwards if the page before a row is
// asked for. Each sort has an index, and rows go on from a (key, id) pair, so
// every page costs the same.
func registrationSQL(biller string, q portal.RegistrationQuery, limit int) (string, []any, error) {
	b := reportSQL{args: []any{biller}}
	b.WriteString(selectRegistrations)
	b.from(q)
	from, down := q.After, q.Descending
	if q.Before != "" {
		from, down = q.Before, !down
	}
	direction, operator := "", ">"
	if down {
		direction, operator = " DESC", "<"
	}
	if from != "" {
		place, err := b.place(q, operator, from)
		if err != nil {
			return "", nil, err
		}
		b.WriteString(" AND " + place)
	}
	column := sortColumns()[q.Sort]
	fmt.Fprintf(&b, " ORDER BY c.%s%s, c.id%s LIMIT %s", column, direction, direction, b.arg(limit))
	return b.String(), b.args, nil
}

// countSQL counts all rows, and those that come before the page.
func countSQL(biller string, q portal.RegistrationQuery) (string, []any, error) {
	b := reportSQL{args: []any{biller}}
	earlier, from, operator := "0", q.After, "<="
	if q.Before != "" {
		from, operator = q.Before, "<"
	}
	if q.Descending {
		operator = strings.Replace(operator, "<", ">", 1)
	}
	if from != "" {
		place, err := b.place(q, operator, from)
		if err != nil {
			return "", nil, err
		}
		earlier = "COUNT(CASE WHEN " + place + " THEN 1 END)"
	}
	b.WriteString(`
	SELECT
		COUNT(*) AS total,
		` + earlier + ` AS earlier`)
	b.from(q)
	return b.String(), b.args, nil
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

func parseCursor(q portal.RegistrationQuery, from string) (cursor, error) {
	bad := apperr.Field("after", "This page of the report is no longer there. Start again from the first.")
	text, err := base64.RawURLEncoding.DecodeString(from)
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
		WHERE g.biller_id = ? AND g.customer_id IN (?) AND g.state = 'active' AND `+differs+`
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
