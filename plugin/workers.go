package main

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/billing-addons/customer-portal/plugin/audit"
	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/mail"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/rpc"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// workers do the portal's jobs: mails, many at once, and the long reading of all
// customers, which must not be cut off.
type workers struct {
	mails, upkeep *jobs.Worker
	keeper        *rpc.Keeper
}

// upkeepLimit lets a million customers be read in one job.
const upkeepLimit = 15 * time.Minute

func newWorkers(db *sqldb.DB, env sdk.Env, service *portal.Service, texts *catalogue.Catalogue, now clock) (*workers, error) {
	renderer, err := mail.NewRenderer(texts)
	if err != nil {
		return nil, err
	}
	sender := &mail.Sender{Mails: service, Host: env.Host, Renderer: renderer, Now: now}
	teller := &mail.Teller{Notices: service, Host: env.Host, Texts: texts, Now: now}
	records := &audit.Writer{Service: service, Host: env.Host, Now: now}
	keeper := &rpc.Keeper{Service: service, Host: env.Host, Now: now}
	here := caller.Here(env.Host)
	mails, err := jobs.NewWorker(jobs.Config{
		DB: db, Log: env.Log, Now: now, Ready: here, OnDead: sender.Failed,
		Handlers: map[string]jobs.Handler{portal.JobMail: sender.Send, portal.JobStaff: teller.Tell, portal.JobAudit: records.Write},
	})
	if err != nil {
		return nil, err
	}
	upkeep, err := jobs.NewWorker(jobs.Config{
		DB: db, Log: env.Log, Now: now, Ready: here, OnDead: keeper.Failed, Concurrency: 2, Limit: upkeepLimit,
		Handlers: map[string]jobs.Handler{portal.JobSync: keeper.Sync, portal.JobRefresh: keeper.Refresh},
	})
	if err != nil {
		return nil, err
	}
	return &workers{mails: mails, upkeep: upkeep, keeper: keeper}, nil
}

// wake tells the workers of jobs that a commit has added.
func (w *workers) wake(biller string) {
	w.mails.Wake(biller)
	w.upkeep.Wake(biller)
}

func (w *workers) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return w.mails.Run(ctx) })
	g.Go(func() error { return w.upkeep.Run(ctx) })
	return g.Wait()
}
