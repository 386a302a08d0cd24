package jobs_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// start runs the worker until the returned function is called, which waits for its end.
func start(t *testing.T, w *jobs.Worker) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// With an hour between polls only the wake-up can bring the jobs: the commit's
// own on PostgreSQL, where it crosses processes, and Wake on SQLite.
func TestRunIsWoken(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		ran := make(chan string, 10)
		w := mustWorker(t, jobs.Config{DB: db, Poll: time.Hour, Handlers: map[string]jobs.Handler{
			"mail": func(_ context.Context, j jobs.Job) error { ran <- j.IdemKey; return nil },
		}})
		mustEnqueue(t, db, mail("acme", "before the start"))
		stop := start(t, w)
		if key := <-ran; key != "before the start" {
			t.Errorf("ran %q", key)
		}
		producer := dbtest.MustOpen(t, db.Config())
		for _, key := range []string{"1", "2"} {
			mustEnqueue(t, producer, mail("acme", key))
			if db.Dialect() == sqldb.SQLite {
				w.Wake("acme")
			}
			if got := <-ran; got != key {
				t.Errorf("ran %q, want %q", got, key)
			}
		}
		mustEnqueue(t, producer, mail("other", "3"))
		w.Wake()
		if got := <-ran; got != "3" {
			t.Errorf("ran %q, want 3", got)
		}
		stop()
		for _, row := range mustRows(t, db) {
			if row.State != done {
				t.Errorf("left over: %+v", row)
			}
		}
	})
}

func TestRunPolls(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		ran := make(chan string, 1)
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Poll: 10 * time.Millisecond, Handlers: map[string]jobs.Handler{
			"mail": func(_ context.Context, j jobs.Job) error { ran <- j.IdemKey; return nil },
		}})
		defer start(t, w)()
		j := mail("acme", "reminder")
		j.RunAt = c.now().Add(time.Hour)
		mustEnqueue(t, db, j)
		c.advance(time.Hour)
		<-ran
	})
}

// A worker told to end lets handlers finish within Grace, then cancels them;
// a try cut short like that does not count.
func TestRunEndsInOrder(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		started := make(chan struct{}, 2)
		finish := make(chan struct{})
		w := mustWorker(t, jobs.Config{DB: db, Grace: 500 * time.Millisecond, Handlers: map[string]jobs.Handler{
			"mail": func(ctx context.Context, j jobs.Job) error {
				started <- struct{}{}
				if j.IdemKey == "quick" {
					<-finish
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			},
		}})
		mustEnqueue(t, db, mail("acme", "quick"), mail("acme", "slow"))
		stop := start(t, w)
		<-started
		<-started
		close(finish)
		stop()
		want := []stored{{"acme", "quick", done, 1, ""}, {"acme", "slow", pending, 0, "context canceled"}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}
