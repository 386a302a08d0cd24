package services

import (
	"context"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
)

type customers struct{ bound }

var _ sdk.Customers = customers{}

// Customer implements sdk.Customers.
func (c customers) Customer(ctx context.Context, id string) (sdk.Customer, error) {
	if err := c.allow(ctx, getCustomer); err != nil {
		return sdk.Customer{}, err
	}
	return c.cfg.Platform.Customer(ctx, c.grant.BillerID, id)
}

// CustomersByEmail implements sdk.Customers.
func (c customers) CustomersByEmail(ctx context.Context, address string) ([]sdk.Customer, error) {
	if err := c.allow(ctx, findCustomers); err != nil {
		return nil, err
	}
	normal, err := email.Normalize(address)
	if err != nil {
		return nil, err
	}
	return c.cfg.Platform.CustomersByEmail(ctx, c.grant.BillerID, normal)
}

// ListCustomers implements sdk.Customers.
func (c customers) ListCustomers(ctx context.Context, q sdk.CustomerQuery) (sdk.CustomerPage, error) {
	if err := c.allow(ctx, listCustomers); err != nil {
		return sdk.CustomerPage{}, err
	}
	limit, err := pageLimit(q.Limit, 100, 1000)
	if err != nil {
		return sdk.CustomerPage{}, err
	}
	q.Limit = limit
	return c.cfg.Platform.ListCustomers(ctx, c.grant.BillerID, q)
}

// pageLimit replaces 0 by the default and refuses what is out of range.
func pageLimit(limit, otherwise, most int) (int, error) {
	if limit == 0 {
		return otherwise, nil
	}
	if limit < 0 || limit > most {
		return 0, apperr.Errorf(apperr.Invalid, "The limit must be 1 to %d.", most)
	}
	return limit, nil
}
