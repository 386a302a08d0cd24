// Command notices is a notice board: staff write short notices with a first and
// a last day, customers read them. It shows what a whole add-on looks like.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
	"github.com/billing-addons/customer-portal/sdk/example/notices/store"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func main() { serve.Main(addon(time.Now)) }

func addon(now func() time.Time) sdk.Addon {
	return sdk.Addon{ID: "notice-board", Version: "1.0.0", Start: func(ctx context.Context, env sdk.Env) (sdk.Parts, error) {
		return start(ctx, env, now)
	}}
}

// start opens the database and joins the parts.
func start(ctx context.Context, env sdk.Env, now func() time.Time) (sdk.Parts, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{
		Driver: env.Database.Driver, DSN: env.Database.DSN, DirectDSN: env.Database.DirectDSN,
	})
	if err != nil {
		return sdk.Parts{}, err
	}
	if err := sqldb.Migrate(ctx, db, store.Migrations()); err != nil {
		return sdk.Parts{}, errors.Join(err, db.Close())
	}
	notices := store.New(db)
	pages, err := newPages(notices, env.Host, env.Log, now)
	if err != nil {
		return sdk.Parts{}, errors.Join(err, db.Close())
	}
	return sdk.Parts{
		Public:  pages.public(),
		Staff:   pages.staff(),
		Slots:   pages.slots(),
		Billers: billers{notices},
		Export:  export(notices),
		CheckSettings: func(_ context.Context, s sdk.Settings) error {
			return notice.NewBoard(s).Check()
		},
		Close: db.Close,
	}, nil
}

// billers follows who has the add-on.
type billers struct{ store *store.Store }

// Enable has nothing to prepare.
func (billers) Enable(context.Context) error { return nil }

// Disable keeps the notices: the biller may come back.
func (billers) Disable(context.Context) error { return nil }

// Purge deletes the biller's notices.
func (b billers) Purge(ctx context.Context) error {
	return b.store.Purge(ctx, sdk.CallFrom(ctx).BillerID)
}
