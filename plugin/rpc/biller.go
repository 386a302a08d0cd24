package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Billers implements sdk.BillerHandler.
type Billers struct{ Service *portal.Service }

var _ sdk.BillerHandler = (*Billers)(nil)

// Enable implements sdk.BillerHandler: the agreement is there, and the customers
// follow in a job.
func (b *Billers) Enable(ctx context.Context) error {
	return b.Service.Enable(ctx, caller.Of(sdk.CallFrom(ctx), ""))
}

// Disable implements sdk.BillerHandler.
func (b *Billers) Disable(ctx context.Context) error {
	return b.Service.Disable(ctx, caller.Of(sdk.CallFrom(ctx), ""))
}

// Purge implements sdk.BillerHandler.
func (b *Billers) Purge(ctx context.Context) error {
	return b.Service.Purge(ctx, caller.Of(sdk.CallFrom(ctx), ""))
}
