package jobs_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func TestEnqueueBelongsToTheTransaction(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := jobs.Enqueue(t.Context(), tx, mail("acme", "1")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if rows := mustRows(t, db); len(rows) != 0 {
			t.Errorf("rolled back, yet stored: %v", rows)
		}
		mustEnqueue(t, db, mail("acme", "1"))
		if rows := mustRows(t, db); len(rows) != 1 {
			t.Errorf("stored %v, want one job", rows)
		}
	})
}

func TestEnqueueDropsDuplicates(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		mustEnqueue(t, db, mail("acme", "1"), mail("acme", "1"), mail("other", "1"))
		mustEnqueue(t, db, mail("acme", "1"), mail("acme", "2"))
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Handlers: l.handler(nil)})
		mustRunDue(t, w)
		mustEnqueue(t, db, mail("acme", "1")) // remembered although done
		want := []stored{{"acme", "1", done, 1, ""}, {"acme", "2", done, 1, ""}, {"other", "1", done, 1, ""}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestEnqueueManyAndDefaults(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var many []jobs.Job
		for range 1201 {
			many = append(many, jobs.Job{Biller: "acme", Kind: "mail"})
		}
		mustEnqueue(t, db, many...)
		var l journal
		mustRunDue(t, mustWorker(t, jobs.Config{DB: db, Handlers: l.handler(nil)}))
		if len(l.runs) != 1201 {
			t.Fatalf("%d jobs ran, want 1201", len(l.runs))
		}
		got := l.runs[0]
		if got.Payload != "{}" || got.MaxAttempts != 22 || got.Attempt != 1 || got.ID == "" || got.IdemKey != got.ID {
			t.Errorf("job with defaults: %+v", got)
		}
		mustEnqueue(t, db)
	})
}

func TestEnqueueRefuses(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		for _, j := range []jobs.Job{{Kind: "mail"}, {Biller: "acme"}, {Biller: "acme", Kind: "mail", Payload: "{"}} {
			tx, err := db.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := jobs.Enqueue(t.Context(), tx, j); err == nil {
				t.Errorf("Enqueue(%+v) succeeded", j)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Sixteen transactions with the same keys in different orders: nobody fails,
// each key is stored once.
func TestEnqueueRace(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				var js []jobs.Job
				for k := range 20 {
					js = append(js, mail("acme", fmt.Sprint((k*7+i)%20)))
				}
				tx, err := db.Begin(t.Context())
				if err != nil {
					errs[i] = err
					return
				}
				defer tx.Rollback()
				errs[i] = errors.Join(jobs.Enqueue(t.Context(), tx, js...), tx.Commit())
			})
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		if n := len(mustRows(t, db)); n != 20 {
			t.Errorf("%d rows, want 20", n)
		}
	})
}

func TestPurgeIsOneBillers(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		mustEnqueue(t, db, mail("acme", "1"), mail("other", "1"))
		tx, err := db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		if err := errors.Join(jobs.Purge(t.Context(), tx, "acme"), tx.Commit()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]stored{{"other", "1", pending, 0, ""}}, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestPruneForgetsOldJobs: done ones sooner than dead ones, waiting ones never.
func TestPruneForgetsOldJobs(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Keep: time.Hour, KeepDead: 24 * time.Hour, Handlers: l.handler(func(j jobs.Job) error {
			if j.IdemKey == "bad" {
				return jobs.Permanent(errors.New("no"))
			}
			return nil
		})})
		prune := func(want int64) {
			t.Helper()
			if n, err := w.Prune(t.Context()); err != nil || n != want {
				t.Errorf("pruned %d, %v; want %d", n, err, want)
			}
		}
		mustEnqueue(t, db, mail("acme", "1"), mail("acme", "bad"), mail("other", "1"), mail("other", "bad"))
		mustRunDue(t, w)
		prune(0)
		c.advance(2 * time.Hour)
		mustEnqueue(t, db, mail("acme", "waiting"))
		prune(2)
		want := []stored{{"acme", "bad", dead, 1, "no"}, {"acme", "waiting", pending, 0, ""}, {"other", "bad", dead, 1, "no"}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
		c.advance(21 * time.Hour)
		mustRunDue(t, mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: l.handler(func(jobs.Job) error { return jobs.Permanent(errors.New("no")) })}))
		c.advance(2 * time.Hour)
		prune(2)
		want = []stored{{"acme", "waiting", dead, 1, "no"}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestDefaultsOutlastANight adds up the shortest waits of a job that says nothing.
func TestDefaultsOutlastANight(t *testing.T) {
	t.Parallel()
	wait, total := jobs.Exponential(5*time.Second, time.Hour), time.Duration(0)
	for attempt := 1; attempt < 22; attempt++ {
		total += wait(attempt)
	}
	if total < 6*time.Hour || total > 13*time.Hour {
		t.Errorf("a job is given up after %v", total)
	}
}
