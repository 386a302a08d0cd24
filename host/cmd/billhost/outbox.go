package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

const (
	eventBackoff = 5 * time.Minute
	eventPoll    = 500 * time.Millisecond
)

// publisher hands an event to every add-on of the biller; nil means that all
// have it.
type publisher interface {
	Publish(ctx context.Context, biller string, e sdk.Event) error
}

// newOutbox returns the worker that delivers events, and mails to staff.
func newOutbox(db *sqldb.DB, s *store.Store, to publisher, staff *staffMail, log *slog.Logger) (*jobs.Worker, error) {
	deliver := func(ctx context.Context, j jobs.Job) error { return deliverEvent(ctx, s, to, j) }
	return jobs.NewWorker(jobs.Config{
		DB: db, Handlers: map[string]jobs.Handler{store.EventJob: deliver, store.AskJob: staff.do}, Log: log, Now: now,
		Poll: eventPoll, Backoff: jobs.Exponential(time.Second, eventBackoff),
	})
}

// deliverEvent sends the customer as it is now, which may be later than the
// change: add-ons go by the version.
func deliverEvent(ctx context.Context, s *store.Store, to publisher, j jobs.Job) error {
	var p store.Event
	if err := j.Decode(&p); err != nil {
		return jobs.Permanent(err)
	}
	c, err := s.Customer(ctx, j.Biller, p.Customer)
	if apperr.Is(err, apperr.NotFound) {
		return jobs.Permanent(err)
	}
	if err != nil {
		return err
	}
	if err := to.Publish(ctx, j.Biller, sdk.Event{ID: j.ID, Kind: p.Kind, At: now().UTC(), Customer: c}); err != nil {
		return fmt.Errorf("publish event: %w", err)
	}
	return nil
}
