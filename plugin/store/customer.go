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

type customerRow struct {
	ID           string `db:"id"`
	Number       string `db:"number"`
	Name         string `db:"name"`
	DisplayName  string `db:"display_name"`
	Company      string `db:"company"`
	Email        string `db:"email"`
	EmailNorm    string `db:"email_norm"`
	Phone        string `db:"phone"`
	Address      string `db:"address"`
	ParentID     string `db:"parent_id"`
	Archived     bool   `db:"archived"`
	Type         string `db:"type"`
	BalanceMinor int64  `db:"balance_minor"`
	Currency     string `db:"currency"`
	Version      int64  `db:"version"`
	Status       string `db:"status"`
}

func (r customerRow) customer() portal.Customer {
	return portal.Customer{
		ID:           r.ID,
		Number:       r.Number,
		Name:         r.Name,
		DisplayName:  r.DisplayName,
		Company:      r.Company,
		Email:        r.Email,
		EmailNorm:    r.EmailNorm,
		Phone:        r.Phone,
		Address:      r.Address,
		ParentID:     r.ParentID,
		Archived:     r.Archived,
		Type:         r.Type,
		BalanceMinor: r.BalanceMinor,
		Currency:     r.Currency,
		Version:      r.Version,
	}
}

const selectCustomer = `
	SELECT
		id,
		number,
		name,
		display_name,
		company,
		email,
		email_norm,
		phone,
		address,
		parent_id,
		archived,
		type,
		balance_minor,
		currency,
		version,
		status
	FROM customers
	WHERE biller_id = $1 AND id = $2`

func findCustomer(ctx context.Context, q querier, biller, id string) (customerRow, error) {
	return readCustomer(ctx, q, selectCustomer, biller, id)
}

// lockCustomer reads a customer and keeps others from changing anything about it
// until the transaction ends.
func (s *Store) lockCustomer(ctx context.Context, tx *sqlx.Tx, biller, id string) (customerRow, error) {
	return readCustomer(ctx, tx, selectCustomer+s.db.ForUpdate(), biller, id)
}

func readCustomer(ctx context.Context, q querier, query, biller, id string) (customerRow, error) {
	var row customerRow
	found, err := get(ctx, q, &row, query, biller, id)
	if err != nil {
		return customerRow{}, fmt.Errorf("find customer: %w", err)
	}
	if !found {
		return customerRow{}, portal.ErrNoCustomer
	}
	return row, nil
}

// CustomerView implements portal.CustomerStore.
func (s *Store) CustomerView(ctx context.Context, biller, customerID string, now time.Time) (portal.CustomerView, error) {
	row, err := findCustomer(ctx, s.db.R, biller, customerID)
	if err != nil {
		return portal.CustomerView{}, err
	}
	view := portal.CustomerView{Customer: row.customer()}
	inputs, err := statusInputs(ctx, s.db.R, biller, row)
	if err != nil {
		return portal.CustomerView{}, err
	}
	view.Status, _ = portal.CustomerStatus(inputs.StatusInputs, now)
	a, err := accountOf(ctx, s.db.R, biller, row.EmailNorm, row.ID)
	if err != nil {
		return portal.CustomerView{}, err
	}
	view.HasAccess = a.Granted
	inv, found, err := newestInvitation(ctx, s.db.R, biller, customerID)
	if err != nil {
		return portal.CustomerView{}, err
	}
	if found {
		view.Invitation = &inv
	}
	sent, err := sendTimes(ctx, s.db.R, biller, customerID, now.Add(-portal.SendWindow))
	if err != nil {
		return portal.CustomerView{}, err
	}
	view.NextSendAt = portal.NextSend(sent, portal.SendGap, portal.SendsADay, portal.SendWindow, now)
	if view.Invited, err = accessInvitations(ctx, s.db.R, biller, customerID); err != nil {
		return portal.CustomerView{}, err
	}
	if view.History, err = history(ctx, s.db.R, biller, customerID); err != nil {
		return portal.CustomerView{}, err
	}
	view.People, err = people(ctx, s.db.R, biller, customerID)
	return view, err
}

// ApplyCustomers implements portal.CustomerStore.
func (s *Store) ApplyCustomers(ctx context.Context, biller string, customers []portal.Customer, now time.Time) error {
	if len(customers) == 0 {
		return nil
	}
	customers = newestVersions(customers)
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if known, err := s.lockBiller(ctx, tx, biller); err != nil || !known {
		return err
	}
	added, err := insertCustomers(ctx, tx, biller, customers)
	if err != nil {
		return err
	}
	customers = slices.DeleteFunc(customers, func(c portal.Customer) bool { return added[c.ID] })
	if err := s.updateCustomers(ctx, tx, biller, customers, now); err != nil {
		return err
	}
	return tx.Commit()
}

// insertCustomers adds those that are not known yet, and tells which.
func insertCustomers(ctx context.Context, tx *sqlx.Tx, biller string, customers []portal.Customer) (map[string]bool, error) {
	added := map[string]bool{}
	for part := range slices.Chunk(customers, customersAtOnce) {
		var ids []string
		err := tx.SelectContext(ctx, &ids, insertCustomer+values(len(part), customerColumns)+`
			ON CONFLICT (biller_id, id) DO NOTHING
			RETURNING id`, customerArgs(biller, part)...)
		if err != nil {
			return nil, fmt.Errorf("insert customers: %w", err)
		}
		for _, id := range ids {
			added[id] = true
		}
	}
	fresh := slices.DeleteFunc(slices.Clone(customers), func(c portal.Customer) bool { return !added[c.ID] })
	return added, insertTerms(ctx, tx, biller, fresh)
}

// updateCustomers brings known ones up to date whose version is newer.
func (s *Store) updateCustomers(ctx context.Context, tx *sqlx.Tx, biller string, customers []portal.Customer, now time.Time) error {
	before, err := s.lockKnown(ctx, tx, biller, customers)
	if err != nil {
		return err
	}
	changed := slices.DeleteFunc(customers, func(c portal.Customer) bool { return c.Version <= before[c.ID].Version })
	for part := range slices.Chunk(changed, customersAtOnce) {
		if _, err := tx.ExecContext(ctx, insertCustomer+values(len(part), customerColumns)+updateCustomer,
			customerArgs(biller, part)...); err != nil {
			return fmt.Errorf("update customers: %w", err)
		}
	}
	for _, c := range changed {
		if _, err := tx.ExecContext(ctx, `
			DELETE FROM customer_terms
			WHERE biller_id = $1 AND customer_id = $2`, biller, c.ID); err != nil {
			return fmt.Errorf("delete terms: %w", err)
		}
		old := before[c.ID]
		if old.Email == c.Email && old.EmailNorm == c.EmailNorm && old.Archived == c.Archived {
			continue
		}
		if err := contactChanged(ctx, tx, biller, old, c, now); err != nil {
			return err
		}
	}
	return insertTerms(ctx, tx, biller, changed)
}

// newestVersions keeps the newest version of each customer, in the order of ids.
func newestVersions(customers []portal.Customer) []portal.Customer {
	newest := make(map[string]portal.Customer, len(customers))
	for _, c := range customers {
		if have, ok := newest[c.ID]; !ok || have.Version < c.Version {
			newest[c.ID] = c
		}
	}
	out := make([]portal.Customer, 0, len(newest))
	for _, c := range newest {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b portal.Customer) int { return strings.Compare(a.ID, b.ID) })
	return out
}

func (s *Store) lockKnown(ctx context.Context, tx *sqlx.Tx, biller string, customers []portal.Customer) (map[string]customerRow, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	ids := make([]string, len(customers))
	for i, c := range customers {
		ids[i] = c.ID
	}
	query, args, err := sqlx.In(`
		SELECT
			id,
			email,
			email_norm,
			archived,
			version
		FROM customers
		WHERE biller_id = ? AND id IN (?)
		ORDER BY id`, biller, ids)
	if err != nil {
		return nil, fmt.Errorf("find customers: %w", err)
	}
	var rows []customerRow
	if err := tx.SelectContext(ctx, &rows, tx.Rebind(query)+s.db.ForUpdate(), args...); err != nil {
		return nil, fmt.Errorf("lock customers: %w", err)
	}
	known := make(map[string]customerRow, len(rows))
	for _, r := range rows {
		known[r.ID] = r
	}
	return known, nil
}

const (
	customersAtOnce = 200
	customerColumns = 24
)

const insertCustomer = `
	INSERT INTO customers (
		biller_id, id, number, name, display_name, company, email, email_norm,
		phone, address, parent_id, archived, type, balance_minor, currency, version,
		name_key, display_key, email_key, status,
		status_change_at, invited_at, registered_at, email_confirmed)
	VALUES `

// updateCustomer leaves alone what does not come from the biller's books.
const updateCustomer = `
	ON CONFLICT (biller_id, id) DO UPDATE SET
		number = excluded.number,
		name = excluded.name,
		display_name = excluded.display_name,
		company = excluded.company,
		email = excluded.email,
		email_norm = excluded.email_norm,
		phone = excluded.phone,
		address = excluded.address,
		parent_id = excluded.parent_id,
		archived = excluded.archived,
		type = excluded.type,
		balance_minor = excluded.balance_minor,
		currency = excluded.currency,
		version = excluded.version,
		name_key = excluded.name_key,
		display_key = excluded.display_key,
		email_key = excluded.email_key`

func customerArgs(biller string, customers []portal.Customer) []any {
	args := make([]any, 0, customerColumns*len(customers))
	for _, c := range customers {
		status, _ := portal.CustomerStatus(portal.StatusInputs{HasEmail: c.EmailNorm != ""}, time.Time{})
		args = append(args, biller, c.ID, c.Number, c.Name, c.DisplayName, c.Company, c.Email, c.EmailNorm,
			c.Phone, c.Address, c.ParentID, c.Archived, c.Type, c.BalanceMinor, c.Currency, c.Version,
			sortKey(c.Name), sortKey(c.DisplayName), sortKey(c.Email), string(status),
			int64(0), int64(0), int64(0), false)
	}
	return args
}

// values is "($1, $2), ($3, $4)" for that many rows and columns.
func values(rows, columns int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "$%d", r*columns+c+1)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// sortKey is how a text sorts: without regard to case, the same on both databases.
func sortKey(text string) string {
	key := strings.ToLower(strings.TrimSpace(text))
	if len(key) > 200 {
		key = strings.ToValidUTF8(key[:200], "")
	}
	return key
}

// contactChanged tells of a new address, and revokes what was sent to an address that is no longer the
// customer's, or to a customer that was archived.
func contactChanged(ctx context.Context, tx *sqlx.Tx, biller string, old customerRow, c portal.Customer, now time.Time) error {
	if err := tellEmail(ctx, tx, biller, old, c, now); err != nil {
		return err
	}
	why := ""
	switch {
	case c.Archived && !old.Archived:
		why = "The customer was archived."
	case c.EmailNorm != old.EmailNorm:
		why = "The customer's email address was changed. Send a new invitation."
	}
	if why != "" {
		if err := revokeOpen(ctx, tx, biller, c.ID, why, now); err != nil {
			return err
		}
	}
	if c.Archived && !old.Archived {
		if err := revokeAllAccess(ctx, tx, biller, c.ID, why, now); err != nil {
			return err
		}
	}
	return refreshStatus(ctx, tx, biller, c.ID, now)
}

// tellEmail keeps a change of the address in the history, but for its spelling.
func tellEmail(ctx context.Context, tx *sqlx.Tx, biller string, old customerRow, c portal.Customer, now time.Time) error {
	if old.EmailNorm == c.EmailNorm && (c.EmailNorm != "" || old.Email == c.Email) {
		return nil
	}
	address := func(email string) string {
		if email == "" {
			return "no address"
		}
		return email
	}
	entry := portal.HistoryEntry{At: now, Kind: portal.HistoryEmail, Detail: "From " + address(old.Email) + " to " + address(c.Email) + "."}
	return addHistory(ctx, tx, biller, c.ID, entry)
}

func revokeOpen(ctx context.Context, tx *sqlx.Tx, biller, customerID, why string, now time.Time) error {
	inv, found, err := newestInvitation(ctx, tx, biller, customerID)
	if err != nil || !found || !inv.State.Open() {
		return err
	}
	if _, err := moveInvitation(ctx, tx, biller, inv, portal.InvitationRevoke); err != nil {
		return err
	}
	if err := voidSignUps(ctx, tx, biller, inv.ID); err != nil {
		return err
	}
	return addHistory(ctx, tx, biller, customerID, portal.HistoryEntry{At: now, Kind: portal.HistoryRevoked, Detail: why})
}
