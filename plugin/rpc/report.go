package rpc

import (
	"context"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Reporter implements sdk.Reporter.
type Reporter struct{ Service *portal.Service }

var _ sdk.Reporter = (*Reporter)(nil)

// Registrations implements sdk.Reporter.
func (r *Reporter) Registrations(ctx context.Context, q sdk.RegistrationQuery, send func(sdk.Registration) error) error {
	c := caller.Of(sdk.CallFrom(ctx), "")
	query := portal.RegistrationQuery{
		Search: q.Search, Status: portal.Status(q.Status), Sort: q.Sort,
		Descending: q.Descending, Limit: q.Limit, After: q.After,
	}
	return r.Service.Registrations(ctx, c, query, func(row portal.Registration) error {
		return send(sdk.Registration{
			CustomerID: row.CustomerID, Number: row.Number, Name: row.Name, DisplayName: row.DisplayName, Email: row.Email,
			Status: string(row.Status), InvitedAt: row.InvitedAt, RegisteredAt: row.RegisteredAt,
			EmailConfirmed: row.EmailConfirmed, SignInEmails: row.SignInEmails, Cursor: row.Cursor,
		})
	})
}
