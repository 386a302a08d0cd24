package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
)

// Customer returns the customer, or NotFound.
func (s *Store) Customer(ctx context.Context, biller, id string) (sdk.Customer, error) {
	if !text(id) {
		return sdk.Customer{}, apperr.Errorf(apperr.NotFound, noCustomer)
	}
	var row customerRow
	err := s.db.R.GetContext(ctx, &row, selectCustomer+`
			AND c.id = $2`, biller, id)
	if err != nil {
		return sdk.Customer{}, fmt.Errorf("get customer: %w", one(err, noCustomer))
	}
	return row.customer(), nil
}

// CustomersByEmail returns at most 100 customers, archived ones left out, whose
// address equals this one after normalizing.
func (s *Store) CustomersByEmail(ctx context.Context, biller, address string) ([]sdk.Customer, error) {
	norm, err := email.Normalize(address)
	if err != nil {
		return nil, nil
	}
	var rows []customerRow
	err = s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND c.email_norm = $2
			AND NOT c.archived
		ORDER BY c.id
		LIMIT 100`, biller, norm)
	if err != nil {
		return nil, fmt.Errorf("list customers by email: %w", err)
	}
	return customers(rows), nil
}

// ListCustomers returns a page ordered by id, archived ones included. Invalid
// for a limit above 1,000.
func (s *Store) ListCustomers(ctx context.Context, biller string, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	limit, err := limited(q.Limit, 100, 1000)
	if err != nil {
		return sdk.CustomerPage{}, err
	}
	if !text(q.After) {
		return sdk.CustomerPage{}, apperr.Errorf(apperr.Invalid, "This page of the list does not exist.")
	}
	var rows []customerRow
	err = s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND c.id > $2
		ORDER BY c.id
		LIMIT $3`, biller, q.After, limit+1)
	if err != nil {
		return sdk.CustomerPage{}, fmt.Errorf("list customers: %w", err)
	}
	page := sdk.CustomerPage{}
	if len(rows) > limit {
		rows = rows[:limit]
		page.Next = rows[limit-1].ID
	}
	page.Customers = customers(rows)
	return page, nil
}

// SubCustomers returns at most 200 customers whose parent this one is.
func (s *Store) SubCustomers(ctx context.Context, biller, parent string) ([]sdk.Customer, error) {
	var rows []customerRow
	err := s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND c.parent_id = $2
		ORDER BY c.sort_key, c.id
		LIMIT 200`, biller, parent)
	if err != nil {
		return nil, fmt.Errorf("list sub-customers: %w", err)
	}
	return customers(rows), nil
}

const noLabel = "No customer has this account number or name."

// FindByLabel returns the customer that people mean by an account number or an
// exact name. Errors: NotFound, and Conflict if several have the name.
func (s *Store) FindByLabel(ctx context.Context, biller, label string) (sdk.Customer, error) {
	if !text(label) {
		return sdk.Customer{}, apperr.Errorf(apperr.NotFound, noLabel)
	}
	var rows []customerRow
	err := s.db.R.SelectContext(ctx, &rows, selectCustomer+`
			AND ((c.number = $2 AND c.number <> '') OR c.name_key = $3)
		ORDER BY CASE WHEN c.number = $2 THEN 0 ELSE 1 END, c.id
		LIMIT 2`, biller, books.Squeeze(label), books.NameKey(label))
	if err != nil {
		return sdk.Customer{}, fmt.Errorf("find customer by label: %w", err)
	}
	switch {
	case len(rows) == 0:
		return sdk.Customer{}, apperr.Errorf(apperr.NotFound, noLabel)
	case len(rows) == 2 && rows[0].Number != books.Squeeze(label):
		return sdk.Customer{}, apperr.Errorf(apperr.Conflict, "Several customers have this name; use the account number.")
	}
	return rows[0].customer(), nil
}

// CreateCustomer keeps a new customer and its event. Errors: Invalid and
// Conflict with everything that is wrong, by the fields of books.CustomerForm
// and "parent".
func (s *Store) CreateCustomer(ctx context.Context, biller string, form books.CustomerForm) (sdk.Customer, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return sdk.Customer{}, err
	}
	defer tx.Rollback()

	c, err := s.create(ctx, tx, biller, form)
	if err != nil {
		return sdk.Customer{}, err
	}
	return c, tx.Commit()
}

func (s *Store) create(ctx context.Context, tx *sqlx.Tx, biller string, form books.CustomerForm) (sdk.Customer, error) {
	currency, err := billerCurrency(ctx, tx, biller)
	if err != nil {
		return sdk.Customer{}, err
	}
	c, err := s.checked(ctx, tx, biller, sdk.Customer{Version: 1, OpenBalance: sdk.Money{Currency: currency}}, form)
	if err != nil {
		return sdk.Customer{}, err
	}
	if c.ID, err = newID(); err != nil {
		return sdk.Customer{}, err
	}
	return c, s.insertCustomer(ctx, tx, biller, c, s.now())
}

// UpdateCustomer writes the form into the customer, and an event if anything
// changed. Errors: NotFound; Conflict if the customer is no longer the version
// of the form; Invalid and Conflict with fields as for CreateCustomer.
func (s *Store) UpdateCustomer(ctx context.Context, biller, id string, form books.CustomerForm) (sdk.Customer, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return sdk.Customer{}, err
	}
	defer tx.Rollback()

	c, err := s.getCustomer(ctx, tx, biller, id)
	if err != nil {
		return sdk.Customer{}, err
	}
	if form.Version != c.Version {
		return sdk.Customer{}, apperr.Errorf(apperr.Conflict, "Somebody else has changed this customer in the meantime. Look at it again before you change it.")
	}
	changed, err := s.checked(ctx, tx, biller, c, form)
	if err != nil {
		return sdk.Customer{}, err
	}
	if changed == c {
		return c, nil
	}
	if err := s.updateCustomer(ctx, tx, biller, changed, sdk.CustomerUpdated, s.now()); err != nil {
		return sdk.Customer{}, err
	}
	changed.Version++
	return changed, tx.Commit()
}

// ArchiveCustomer takes the customer off the list, or puts it back, and keeps
// the event. Repeating it changes nothing. NotFound if there is none.
func (s *Store) ArchiveCustomer(ctx context.Context, biller, id string, archived bool) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	c, err := s.getCustomer(ctx, tx, biller, id)
	if err != nil {
		return err
	}
	if c.Archived == archived {
		return nil
	}
	c.Archived = archived
	kind := sdk.CustomerUpdated
	if archived {
		kind = sdk.CustomerArchived
	}
	if err := s.updateCustomer(ctx, tx, biller, c, kind, s.now()); err != nil {
		return err
	}
	return tx.Commit()
}

func billerCurrency(ctx context.Context, tx *sqlx.Tx, biller string) (string, error) {
	var currency string
	err := tx.GetContext(ctx, &currency, `
		SELECT currency
		FROM billers
		WHERE biller_id = $1`, biller)
	if err != nil {
		return "", fmt.Errorf("get biller's currency: %w", one(err, noBiller))
	}
	return currency, nil
}

// limited returns n, or the default for 0; Invalid beyond the greatest.
func limited(n, fallback, greatest int) (int, error) {
	if n == 0 {
		return fallback, nil
	}
	if n < 0 || n > greatest {
		return 0, apperr.Errorf(apperr.Invalid, "The limit must be 1 to %s.", strconv.Itoa(greatest))
	}
	return n, nil
}
