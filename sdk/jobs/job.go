// Package jobs is an outbox: work is written down in the transaction that
// causes it, and done by workers after the commit, at least once.
//
// Any add-on may use it. Apply Migrations beside its own, Enqueue in its stores'
// transactions, and run one Worker in each process. Workers of several processes
// share the work fairly between billers; what a killed worker held comes back by
// itself when the lease ends. Payloads hold ids only: secrets and mail texts are
// made when the job runs, and what is kept of an error names no mail address.
package jobs

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Job is one piece of work of one biller.
type Job struct {
	// Biller is whose job it is; required.
	Biller string
	// ID is a UUIDv7; Enqueue makes one if it is empty.
	ID string
	// Kind chooses the handler; required.
	Kind string
	// Payload is JSON that holds ids only; empty means {}.
	Payload string
	// IdemKey makes the job unique for its biller: a second one is dropped while
	// the first is remembered (Config.Keep). Empty means the ID.
	IdemKey string
	// RunAt is when the job is due; zero means at once by the system's clock. A
	// store whose clock is injected passes that clock's time.
	RunAt time.Time
	// MaxAttempts is how often the job may be tried; 0 means 22, which the default
	// Config.Backoff spreads over at least six hours.
	MaxAttempts int
	// Attempt counts the tries so far, this one included. Set for handlers.
	Attempt int
}

// Decode reads the payload into v.
func (j Job) Decode(v any) error {
	if err := json.Unmarshal([]byte(j.Payload), v); err != nil {
		return fmt.Errorf("decode %s job: %w", j.Kind, err)
	}
	return nil
}

//go:embed migrations
var files embed.FS

// Migrations returns the set that makes the table jobs; hand it to sqldb.Migrate
// after the add-on's own.
func Migrations() sqldb.Migrations {
	dialects, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the embedded folder has that name
	}
	return sqldb.Migrations{Name: "jobs", Program: 1, Files: dialects}
}

// Permanent marks an error that trying again cannot mend: the job is dead at
// once. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanent{err}
}

// RetryAt puts the job off until t, or until now if t has passed. It does not
// use up an attempt: for a mail cap or a closed service, not for failures.
// RetryAt(nil, t) is nil.
func RetryAt(err error, t time.Time) error {
	if err == nil {
		return nil
	}
	return &retryAt{err, t}
}

type permanent struct{ error }

func (e *permanent) Unwrap() error { return e.error }

type retryAt struct {
	error
	at time.Time
}

func (e *retryAt) Unwrap() error { return e.error }

func isPermanent(err error) bool {
	_, ok := errors.AsType[*permanent](err)
	return ok
}
