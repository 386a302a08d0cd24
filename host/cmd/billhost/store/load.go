package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Entry is a customer to load, by name: new, or to bring in line.
type Entry struct {
	// Name finds the customer, by books.NameKey.
	Name string
	// Apply changes the form of the customer as it is; empty for a new one.
	Apply func(books.CustomerForm) books.CustomerForm
	// Balance is the open balance brought over from another program; nil leaves
	// it alone. It becomes one invoice, "Opening balance", for a customer who has
	// no other invoices; a customer with others owes what those say.
	Balance *sdk.Money
	// Invoices are added to a new customer; amounts come from books.Total.
	Invoices []sdk.Invoice
}

// Outcome is what became of an entry.
type Outcome string

// Outcomes of an entry.
const (
	Created   Outcome = "created"
	Changed   Outcome = "changed"
	Unchanged Outcome = "unchanged"
)

// Load brings entries of the biller in, all or none, and keeps an event for each
// customer that changed. Errors: Conflict if several customers have the name or
// another one has the number, Invalid for a form that does not pass.
func (s *Store) Load(ctx context.Context, biller string, entries []Entry) ([]Outcome, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()

	outcomes := make([]Outcome, len(entries))
	for i, e := range entries {
		if outcomes[i], err = s.load(ctx, tx, biller, e); err != nil {
			return nil, err
		}
	}
	return outcomes, tx.Commit()
}

func (s *Store) load(ctx context.Context, tx *sqlx.Tx, biller string, e Entry) (Outcome, error) {
	found, err := s.byName(ctx, tx, biller, e.Name)
	if err != nil {
		return "", err
	}
	switch len(found) {
	case 0:
		return Created, s.loadNew(ctx, tx, biller, e)
	case 1:
		return s.loadChange(ctx, tx, biller, found[0], e)
	}
	return "", apperr.Field("name", "Several customers have this name, so it is not clear which one is meant.")
}

func (s *Store) byName(ctx context.Context, tx *sqlx.Tx, biller, name string) ([]sdk.Customer, error) {
	var rows []customerRow
	err := tx.SelectContext(ctx, &rows, selectCustomer+`
			AND c.name_key = $2
		ORDER BY c.id
		LIMIT 2`+s.db.ForUpdate(), biller, books.NameKey(name))
	if err != nil {
		return nil, fmt.Errorf("find customer by name: %w", err)
	}
	return customers(rows), nil
}

func (s *Store) loadNew(ctx context.Context, tx *sqlx.Tx, biller string, e Entry) error {
	c, err := s.create(ctx, tx, biller, e.Apply(books.CustomerForm{}))
	if err != nil {
		return err
	}
	if e.Balance != nil {
		if _, err := s.setOpening(ctx, tx, biller, c, *e.Balance); err != nil {
			return err
		}
	}
	for _, inv := range e.Invoices {
		inv.CustomerID = c.ID
		if inv.ID, err = newID(); err != nil {
			return err
		}
		if err := s.insertInvoice(ctx, tx, biller, inv, false); err != nil {
			return err
		}
	}
	return sumBalance(ctx, tx, biller, c.ID)
}

func (s *Store) loadChange(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, e Entry) (Outcome, error) {
	form, err := e.Apply(books.FormOf(c)).Check()
	if err != nil {
		return "", err
	}
	moved := false
	if e.Balance != nil {
		if moved, err = s.setOpening(ctx, tx, biller, c, *e.Balance); err != nil {
			return "", err
		}
	}
	if !moved && form == books.FormOf(c) {
		return Unchanged, nil
	}
	if err := s.updateCustomer(ctx, tx, biller, form.Fill(c), sdk.CustomerUpdated, s.now()); err != nil {
		return "", err
	}
	return Changed, sumBalance(ctx, tx, biller, c.ID)
}

// setOpening makes the customer's opening invoice the balance and tells whether
// that changed anything.
func (s *Store) setOpening(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, balance sdk.Money) (bool, error) {
	var counts struct {
		Others  int64 `db:"others"`
		Opening int64 `db:"opening"`
	}
	err := tx.GetContext(ctx, &counts, `
		SELECT
			CAST(COALESCE(SUM(CASE WHEN opening THEN 0 ELSE 1 END), 0) AS BIGINT) AS others,
			CAST(COALESCE(SUM(CASE WHEN opening THEN 1 ELSE 0 END), 0) AS BIGINT) AS opening
		FROM invoices
		WHERE biller_id = $1
			AND customer_id = $2`, biller, c.ID)
	if err != nil {
		return false, fmt.Errorf("count invoices: %w", err)
	}
	if counts.Others > 0 || balance.Minor == c.OpenBalance.Minor {
		return false, nil
	}
	if counts.Opening == 0 {
		return true, s.insertOpening(ctx, tx, biller, c, balance)
	}
	return true, s.updateOpening(ctx, tx, biller, c.ID, balance)
}

func (s *Store) insertOpening(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, balance sdk.Money) error {
	id, err := newID()
	if err != nil {
		return err
	}
	today := s.now().Truncate(24 * time.Hour)
	return s.insertInvoice(ctx, tx, biller, books.Total(sdk.Invoice{
		ID: id, Number: "OB-" + strings.ToUpper(id[len(id)-8:]), CustomerID: c.ID,
		Title: books.OpeningTitle, IssuedOn: today, DueOn: today, BillTo: c.Address,
		Tax:   sdk.Money{Currency: balance.Currency},
		Lines: []sdk.InvoiceLine{{Description: "Balance brought over", QuantityMilli: 1000, UnitPrice: balance}},
	}), true)
}

func (s *Store) updateOpening(ctx context.Context, tx *sqlx.Tx, biller, customerID string, balance sdk.Money) error {
	status := books.InvoiceOpen
	if balance.Minor == 0 {
		status = books.InvoicePaid
	}
	var id string
	err := tx.GetContext(ctx, &id, `
		UPDATE invoices
		SET
			subtotal = $3,
			total = $3,
			balance = $3 - paid,
			status = $4
		WHERE biller_id = $1
			AND customer_id = $2
			AND opening
		RETURNING id`, biller, customerID, balance.Minor, status)
	if err != nil {
		return fmt.Errorf("update opening invoice: %w", err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE invoice_lines
		SET
			unit_price = $3,
			amount = $3
		WHERE biller_id = $1
			AND invoice_id = $2`, biller, id, balance.Minor)
	if err != nil {
		return fmt.Errorf("update opening line: %w", err)
	}
	return nil
}
