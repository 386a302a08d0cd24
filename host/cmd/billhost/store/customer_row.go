package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type customerRow struct {
	ID          string `db:"id"`
	Number      string `db:"number"`
	Name        string `db:"name"`
	DisplayName string `db:"display_name"`
	SortKey     string `db:"sort_key"`
	Company     string `db:"company"`
	Email       string `db:"email"`
	Phone       string `db:"phone"`
	Street      string `db:"street"`
	City        string `db:"city"`
	State       string `db:"state"`
	Zip         string `db:"zip"`
	Country     string `db:"country"`
	ParentID    string `db:"parent_id"`
	Archived    bool   `db:"archived"`
	Type        string `db:"type"`
	Currency    string `db:"currency"`
	OpenBalance int64  `db:"open_balance"`
	Version     int64  `db:"version"`
}

const selectCustomer = `
		SELECT
			c.id,
			c.number,
			c.name,
			c.display_name,
			c.sort_key,
			c.company,
			c.email,
			c.phone,
			c.street,
			c.city,
			c.state,
			c.zip,
			c.country,
			COALESCE(c.parent_id, '') AS parent_id,
			c.archived,
			c.type,
			c.currency,
			c.open_balance,
			c.version
		FROM customers c
		WHERE c.biller_id = $1`

const noCustomer = "There is no such customer."

func (r customerRow) customer() sdk.Customer {
	return sdk.Customer{
		ID: r.ID, Number: r.Number, Name: r.Name, DisplayName: r.DisplayName, Company: r.Company,
		Email: r.Email, Phone: r.Phone,
		Address:  sdk.Address{Street: r.Street, City: r.City, State: r.State, Zip: r.Zip, Country: r.Country},
		ParentID: r.ParentID, Archived: r.Archived, Type: r.Type,
		OpenBalance: sdk.Money{Minor: r.OpenBalance, Currency: r.Currency}, Version: r.Version,
	}
}

func customers(rows []customerRow) []sdk.Customer {
	out := make([]sdk.Customer, len(rows))
	for i, r := range rows {
		out[i] = r.customer()
	}
	return out
}

// normalized is the address for comparing, empty for one that is no address.
func normalized(address string) string {
	norm, err := email.Normalize(address)
	if err != nil {
		return ""
	}
	return norm
}

func sortKey(c sdk.Customer) string { return fold(c.DisplayName) }

// getCustomer reads within a transaction and, on PostgreSQL, locks the row.
func (s *Store) getCustomer(ctx context.Context, tx *sqlx.Tx, biller, id string) (sdk.Customer, error) {
	var row customerRow
	err := tx.GetContext(ctx, &row, selectCustomer+`
			AND c.id = $2`+s.db.ForUpdate(), biller, id)
	if err != nil {
		return sdk.Customer{}, fmt.Errorf("get customer: %w", one(err, noCustomer))
	}
	return row.customer(), nil
}

// insertCustomer keeps a checked customer, its terms and its event.
func (s *Store) insertCustomer(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO customers (
			biller_id, id, number, name, name_key, display_name, sort_key, company,
			email, email_norm, phone, street, city, state, zip, country,
			parent_id, archived, type, currency, open_balance, version, created_at, updated_at
		)
		VALUES (
			$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
			NULLIF($17, ''), $18, $19, $20, $21, $22, $23, $23
		)`,
		biller, c.ID, c.Number, c.Name, books.NameKey(c.Name), c.DisplayName, sortKey(c), c.Company,
		c.Email, normalized(c.Email), c.Phone, c.Address.Street, c.Address.City, c.Address.State, c.Address.Zip, c.Address.Country,
		c.ParentID, c.Archived, c.Type, c.OpenBalance.Currency, c.OpenBalance.Minor, c.Version, now)
	if err != nil {
		return customerErr("insert customer", err)
	}
	if err := insertTerms(ctx, tx, biller, c); err != nil {
		return err
	}
	return s.emit(ctx, tx, biller, sdk.CustomerCreated, c.ID)
}

// updateCustomer writes a checked customer as its next version.
func (s *Store) updateCustomer(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, kind string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE customers
		SET
			number = $3,
			name = $4,
			name_key = $5,
			display_name = $6,
			sort_key = $7,
			company = $8,
			email = $9,
			email_norm = $10,
			phone = $11,
			street = $12,
			city = $13,
			state = $14,
			zip = $15,
			country = $16,
			parent_id = NULLIF($17, ''),
			archived = $18,
			type = $19,
			version = version + 1,
			updated_at = $20
		WHERE biller_id = $1
			AND id = $2`,
		biller, c.ID, c.Number, c.Name, books.NameKey(c.Name), c.DisplayName, sortKey(c), c.Company,
		c.Email, normalized(c.Email), c.Phone, c.Address.Street, c.Address.City, c.Address.State, c.Address.Zip, c.Address.Country,
		c.ParentID, c.Archived, c.Type, now)
	if err != nil {
		return customerErr("update customer", err)
	}
	if err := deleteTerms(ctx, tx, biller, c.ID); err != nil {
		return err
	}
	if err := insertTerms(ctx, tx, biller, c); err != nil {
		return err
	}
	return s.emit(ctx, tx, biller, kind, c.ID)
}

func numberTaken() error {
	const message = "Another customer has this account number."
	return &apperr.Error{Code: apperr.Conflict, Message: message, Fields: map[string]string{"number": message}}
}

// customerErr says which of the rules that the database keeps was broken.
func customerErr(what string, err error) error {
	switch {
	case sqldb.IsUnique(err):
		return numberTaken()
	case sqldb.IsForeignKey(err):
		return apperr.Field("parent", "There is no such customer.")
	}
	return fmt.Errorf("%s: %w", what, err)
}
