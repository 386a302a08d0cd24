package store

import (
	"context"
	"fmt"
	"maps"
	"strings"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// CheckCustomer returns everything that is wrong with the form, as
// UpdateCustomer would say it of the customer with the id, or CreateCustomer if
// id is empty. It keeps nothing.
func (s *Store) CheckCustomer(ctx context.Context, biller, id string, form books.CustomerForm) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	var c sdk.Customer
	if id != "" {
		if c, err = s.getCustomer(ctx, tx, biller, id); err != nil {
			return err
		}
	}
	_, err = s.checked(ctx, tx, biller, c, form)
	return err
}

// checked fills the form into the customer, whose id is empty if it is new. The
// error holds everything that is wrong, by field.
func (s *Store) checked(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer, form books.CustomerForm) (sdk.Customer, error) {
	form, formErr := form.Check()
	c = form.Fill(c)
	var all *apperr.Error
	for _, check := range []func() error{
		func() error { return formErr },
		func() error { return checkNumber(ctx, tx, biller, c) },
		func() error { return s.checkParent(ctx, tx, biller, c) },
	} {
		err := check()
		fields := apperr.FieldsOf(err)
		switch {
		case err == nil:
		case len(fields) == 0:
			return sdk.Customer{}, err
		case all == nil:
			all = &apperr.Error{Code: apperr.CodeOf(err), Message: apperr.MessageOf(err), Fields: maps.Clone(fields)}
		default:
			all.Code, all.Message = apperr.Invalid, books.NotSaved
			maps.Copy(fields, all.Fields) // what was found first about a field stays
			all.Fields = fields
		}
	}
	if all != nil {
		return sdk.Customer{}, all
	}
	return c, nil
}

func checkNumber(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer) error {
	if c.Number == "" || !text(c.Number) {
		return nil
	}
	var taken bool
	err := tx.GetContext(ctx, &taken, `
		SELECT EXISTS (
			SELECT 1
			FROM customers
			WHERE biller_id = $1
				AND number = $2
				AND id <> $3
		)`, biller, c.Number, c.ID)
	if err != nil {
		return fmt.Errorf("look for account number: %w", err)
	}
	if taken {
		return numberTaken()
	}
	return nil
}

// checkParent keeps families two levels deep: a parent has no parent, and a
// customer with sub-customers gets none.
func (s *Store) checkParent(ctx context.Context, tx *sqlx.Tx, biller string, c sdk.Customer) error {
	if c.ParentID == "" {
		return nil
	}
	if c.ParentID == c.ID {
		return apperr.Field("parent", "A customer cannot be its own parent.")
	}
	parent, err := s.getCustomer(ctx, tx, biller, c.ParentID)
	if apperr.Is(err, apperr.NotFound) {
		return apperr.Field("parent", noCustomer)
	}
	if err != nil {
		return err
	}
	if parent.ParentID != "" {
		above, err := s.getCustomer(ctx, tx, biller, parent.ParentID)
		if err != nil {
			return err
		}
		text := "%s is a sub-customer of %s, so it cannot be a parent itself."
		if above.ID == c.ID {
			text = "%s is a sub-customer of %s, so it cannot be its parent."
		}
		return apperr.Field("parent", fmt.Sprintf(text, label(parent), label(above)))
	}
	var has bool
	err = tx.GetContext(ctx, &has, `
		SELECT EXISTS (
			SELECT 1
			FROM customers
			WHERE biller_id = $1
				AND parent_id = $2
		)`, biller, c.ID)
	if err != nil {
		return fmt.Errorf("look for sub-customers: %w", err)
	}
	if has {
		return apperr.Field("parent", "This customer has sub-customers, so it cannot be one.")
	}
	return nil
}

// label names a customer as people of the biller do: number and display name.
func label(c sdk.Customer) string { return strings.TrimSpace(c.Number + " " + c.DisplayName) }
