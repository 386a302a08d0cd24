package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Billers implements sdk.BillerHandler.
type Billers struct {
	Service *portal.Service
	// Keeper reads the first customers at once.
	Keeper *Keeper
}

var _ sdk.BillerHandler = (*Billers)(nil)

// Enable implements sdk.BillerHandler: the agreement is there, of a new biller the
// first page of customers too, so that its staff do not begin with empty pages;
// all customers follow in a job.
func (b *Billers) Enable(ctx context.Context) error {
	c := caller.Of(sdk.CallFrom(ctx), "")
	first, err := b.Service.Enable(ctx, c)
	if err != nil || !first {
		return err
	}
	_, err = b.Keeper.take(ctx, c, sdk.CustomerQuery{Limit: syncPage})
	return err
}

// Disable implements sdk.BillerHandler.
func (b *Billers) Disable(ctx context.Context) error {
	return b.Service.Disable(ctx, caller.Of(sdk.CallFrom(ctx), ""))
}

// Purge implements sdk.BillerHandler.
func (b *Billers) Purge(ctx context.Context) error {
	return b.Service.Purge(ctx, caller.Of(sdk.CallFrom(ctx), ""))
}
