package rpc

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// Events implements sdk.EventHandler: it keeps the projection of customers.
type Events struct{ Service *portal.Service }

var _ sdk.EventHandler = (*Events)(nil)

// Handle implements sdk.EventHandler.
func (e *Events) Handle(ctx context.Context, event sdk.Event) error {
	switch event.Kind {
	case sdk.CustomerCreated, sdk.CustomerUpdated, sdk.CustomerArchived:
		return e.Service.ApplyCustomers(ctx, caller.Of(sdk.CallFrom(ctx), ""), []portal.Customer{customer(event.Customer)})
	}
	return nil // of no concern to the portal
}

// Books implements portal.Books over the host's customers.
type Books struct{ Customers sdk.Customers }

var _ portal.Books = Books{}

// Customer implements portal.Books.
func (b Books) Customer(ctx context.Context, id string) (portal.Customer, error) {
	c, err := b.Customers.Customer(ctx, id)
	if err != nil {
		return portal.Customer{}, err
	}
	return customer(c), nil
}

func customer(c sdk.Customer) portal.Customer {
	return portal.Customer{
		ID: c.ID, Number: c.Number, Name: c.Name, DisplayName: c.DisplayName, Company: c.Company,
		Email: c.Email, Phone: c.Phone, Address: address(c.Address), ParentID: c.ParentID, Archived: c.Archived,
		Type: c.Type, BalanceMinor: c.OpenBalance.Minor, Currency: c.OpenBalance.Currency, Version: c.Version,
	}
}

// address is one line, to tell profiles of one name apart.
func address(a sdk.Address) string {
	var parts []string
	for _, part := range []string{a.Street, a.City} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// Keeper does the jobs that keep a biller's data true.
type Keeper struct {
	Service *portal.Service
	Host    sdk.Host
	Now     func() time.Time
}

const (
	syncPage  = 500
	syncPause = 24 * time.Hour
	tidyPause = time.Hour
)

// Sync does jobs of portal.JobSync: it reads all customers of the biller.
func (k *Keeper) Sync(ctx context.Context, j jobs.Job) error {
	ctx, err := caller.ForJob(ctx, k.Host, j, k.Now())
	if err != nil {
		return err
	}
	c := caller.Of(sdk.CallFrom(ctx), "")
	query := sdk.CustomerQuery{Limit: syncPage}
	for {
		next, err := k.take(ctx, c, query)
		if err != nil {
			return err
		}
		if next == "" {
			return k.Service.Schedule(ctx, c, portal.JobSync, syncPause)
		}
		query.After = next
	}
}

// take takes a page of customers over and tells where the next one begins.
func (k *Keeper) take(ctx context.Context, c portal.Caller, query sdk.CustomerQuery) (next string, err error) {
	page, err := k.Host.Customers.ListCustomers(ctx, query)
	if err != nil {
		return "", fmt.Errorf("list customers: %w", err)
	}
	customers := make([]portal.Customer, len(page.Customers))
	for i, cu := range page.Customers {
		customers[i] = customer(cu)
	}
	if err := k.Service.ApplyCustomers(ctx, c, customers); err != nil {
		return "", fmt.Errorf("apply customers: %w", err)
	}
	return page.Next, nil
}

// Refresh does jobs of portal.JobRefresh: it marks what has expired.
func (k *Keeper) Refresh(ctx context.Context, j jobs.Job) error {
	ctx, err := caller.ForJob(ctx, k.Host, j, k.Now())
	if err != nil {
		return err
	}
	c := caller.Of(sdk.CallFrom(ctx), "")
	for {
		more, err := k.Service.RefreshDue(ctx, c)
		if err != nil {
			return fmt.Errorf("refresh statuses: %w", err)
		}
		if !more {
			return k.Service.Schedule(ctx, c, portal.JobRefresh, tidyPause)
		}
	}
}

// Failed schedules the next job after one that was given up (jobs.Config.OnDead):
// a day of trouble must not end the upkeep for good.
func (k *Keeper) Failed(ctx context.Context, j jobs.Job, _ error) error {
	pauses := map[string]time.Duration{portal.JobSync: syncPause, portal.JobRefresh: tidyPause}
	pause, ok := pauses[j.Kind]
	if !ok {
		return nil
	}
	return k.Service.Schedule(ctx, portal.Caller{BillerID: j.Biller}, j.Kind, pause)
}
