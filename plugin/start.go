package main

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/plugin/audit"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/rpc"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/plugin/web"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/email"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// clock tells the time: UTC in whole microseconds, as databases keep it.
type clock func() time.Time

func systemClock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// start opens the database and joins the parts.
func (now clock) start(ctx context.Context, env sdk.Env) (sdk.Parts, error) {
	db, err := sqldb.Open(ctx, sqldb.Config{Driver: env.Database.Driver, DSN: env.Database.DSN, DirectDSN: env.Database.DirectDSN})
	if err != nil {
		return sdk.Parts{}, err
	}
	parts, err := now.assemble(ctx, env, db)
	if err != nil {
		return sdk.Parts{}, errors.Join(err, db.Close())
	}
	return parts, nil
}

func (now clock) assemble(ctx context.Context, env sdk.Env, db *sqldb.DB) (sdk.Parts, error) {
	if err := sqldb.Migrate(ctx, db, store.Migrations()...); err != nil {
		return sdk.Parts{}, err
	}
	texts, err := catalogue.Load()
	if err != nil {
		return sdk.Parts{}, err
	}
	var w *workers
	keys := portal.NewKeys(env.Key)
	service := &portal.Service{
		Store: store.New(db, keys, func(biller string) { w.wake(biller) }), Passwords: password.New(password.Config{}), Keys: keys, Trail: audit.Trail{Host: env.Host, Log: env.Log}, Permits: env.Host.Mail, Books: rpc.Books{Customers: env.Host.Customers}, Settings: rpc.Settings,
		NormalizeEmail: email.Normalize, MaskEmail: email.Mask, Now: now, IDs: newID,
	}
	if w, err = newWorkers(db, env, service, texts, now); err != nil {
		return sdk.Parts{}, err
	}
	pages, err := web.New(web.Config{Service: service, Host: env.Host, Texts: texts, Log: env.Log, Now: now})
	if err != nil {
		return sdk.Parts{}, err
	}
	return sdk.Parts{
		Public: pages.Public(), Staff: pages.Staff(), Slots: pages.Slots(),
		Invite:  &rpc.Inviter{Service: service},
		SignUp:  &rpc.SignUp{Service: service, Host: env.Host},
		Report:  &rpc.Reporter{Service: service},
		Events:  &rpc.Events{Service: service},
		Billers: &rpc.Billers{Service: service, Keeper: w.keeper},
		Export:  rpc.Export(service), CheckSettings: rpc.CheckSettings,
		Run: w.run, Close: db.Close,
	}, nil
}

// newID makes a UUIDv7.
func newID() string { return uuid.Must(uuid.NewV7()).String() }
