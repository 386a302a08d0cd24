package store

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// EventJob is the kind of the jobs that carry events to add-ons.
const EventJob = "event"

// eventAttempts, at up to five minutes each, last for months: an add-on may be
// down for long and must still hear.
const eventAttempts = 50_000

// Event is the payload of an EventJob: what happened to which customer.
type Event struct {
	Kind     string `json:"kind"`
	Customer string `json:"customer"`
}

var _ Emit = EnqueueEvent

// EnqueueEvent writes an event down in the transaction that causes it.
func EnqueueEvent(ctx context.Context, tx *sqlx.Tx, biller, kind, customerID string) error {
	payload, err := json.Marshal(Event{Kind: kind, Customer: customerID})
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return jobs.Enqueue(ctx, tx, jobs.Job{Biller: biller, Kind: EventJob, MaxAttempts: eventAttempts, Payload: string(payload)})
}
