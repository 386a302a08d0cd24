package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

var errRefused = errors.New("refused")

func TestRetriesWithBackoffUntilDead(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		var deaths []string
		w := mustWorker(t, jobs.Config{
			DB: db, Now: c.now,
			Handlers: l.handler(func(jobs.Job) error { return errRefused }),
			Backoff:  func(attempt int) time.Duration { return time.Duration(attempt) * time.Minute },
			OnDead: func(_ context.Context, j jobs.Job, cause error) error {
				deaths = append(deaths, fmt.Sprintf("%s %d %v", j.IdemKey, j.Attempt, cause))
				return nil
			},
		})
		j := mail("acme", "1")
		j.MaxAttempts = 3
		mustEnqueue(t, db, j)
		for i, step := range []struct {
			wait time.Duration
			runs int
		}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {119 * time.Second, 2}, {time.Second, 3}, {24 * time.Hour, 3}} {
			c.advance(step.wait)
			mustRunDue(t, w)
			if len(l.runs) != step.runs {
				t.Fatalf("step %d: %d runs, want %d", i, len(l.runs), step.runs)
			}
		}
		if diff := cmp.Diff([]stored{{"acme", "1", dead, 3, "refused"}}, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"1 3 refused"}, deaths); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOutcomes(t *testing.T) {
	c := newClock()
	tests := []struct {
		name string
		err  error
		want stored
		due  time.Duration // of a job that stays pending
	}{
		{"permanent", jobs.Permanent(errRefused), stored{State: dead, Attempt: 1, Error: "refused"}, 0},
		{"wrapped permanent", fmt.Errorf("send: %w", jobs.Permanent(errRefused)), stored{State: dead, Attempt: 1, Error: "send: refused"}, 0},
		{"put off, not counted", jobs.RetryAt(errRefused, c.now().Add(time.Hour)), stored{State: pending, Error: "refused"}, time.Hour},
		{"retry after", apperr.Throttled(30*time.Minute, "Too many."), stored{State: pending, Attempt: 1, Error: "Too many."}, 30 * time.Minute},
		{"back-off", errRefused, stored{State: pending, Attempt: 1, Error: "refused"}, time.Minute},
		{
			"words of a mail server", jobs.Permanent(errors.New(`550 5.1.1 <Jane@Acme.com>: unknown; zoe@bücher.example, "o'brien+x@acme.com".`)),
			stored{State: dead, Attempt: 1, Error: `550 5.1.1 <(an address)>: unknown; (an address), "(an address)".`}, 0,
		},
		{"text no database takes", errors.New("a\x00b\xff" + strings.Repeat("é", 600)), stored{State: pending, Attempt: 1, Error: "ab�" + strings.Repeat("é", 496) + "…"}, time.Minute},
	}
	run(t, func(t *testing.T, db *sqldb.DB) {
		for _, tt := range tests {
			biller := strings.ReplaceAll(tt.name, " ", "-")
			w := mustWorker(t, jobs.Config{
				DB: db, Now: c.now, Backoff: func(int) time.Duration { return time.Minute },
				Handlers: map[string]jobs.Handler{biller: func(context.Context, jobs.Job) error { return tt.err }},
			})
			mustEnqueue(t, db, jobs.Job{Biller: biller, Kind: biller, IdemKey: "1"})
			mustRunDue(t, w)
			tt.want.Biller, tt.want.Key = biller, "1"
			if got := mustRows(t, db); !slices.Contains(got, tt.want) {
				t.Errorf("%s: %+v not among %+v", tt.name, tt.want, got)
			}
			var runAt int64
			if err := db.R.Get(&runAt, `SELECT run_at FROM jobs WHERE biller_id = $1`, biller); err != nil {
				t.Fatal(err)
			}
			if want := c.now().Add(tt.due).UnixMilli(); runAt != want {
				t.Errorf("%s: due at %d, want %d", tt.name, runAt, want)
			}
		}
	})
}

func TestNilErrorsStayNil(t *testing.T) {
	t.Parallel()
	if jobs.Permanent(nil) != nil || jobs.RetryAt(nil, time.Now()) != nil {
		t.Error("success became an error")
	}
}

func TestOnDeadIsCalledAgainIfItFails(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		calls := 0
		w := mustWorker(t, jobs.Config{
			DB: db, Now: c.now, Handlers: l.handler(func(jobs.Job) error { return errRefused }),
			Backoff: func(int) time.Duration { return time.Minute },
			OnDead: func(context.Context, jobs.Job, error) error {
				if calls++; calls == 1 {
					panic("not now")
				}
				return nil
			},
		})
		j := mail("acme", "1")
		j.MaxAttempts = 1
		mustEnqueue(t, db, j)
		mustRunDue(t, w)
		c.advance(time.Minute)
		mustRunDue(t, w)
		if calls != 2 || len(l.runs) != 1 {
			t.Errorf("OnDead was called %d times, the handler %d times; want 2 and 1", calls, len(l.runs))
		}
		if rows := mustRows(t, db); rows[0].State != dead {
			t.Errorf("rows %+v, want dead", rows)
		}
	})
}

func TestPanicIsOneJobsError(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Handlers: l.handler(func(j jobs.Job) error {
			if j.IdemKey == "1" {
				panic("boom")
			}
			return nil
		})})
		mustEnqueue(t, db, mail("acme", "1"), mail("acme", "2"))
		mustRunDue(t, w)
		want := []stored{{"acme", "1", pending, 1, "panic: boom"}, {"acme", "2", done, 1, ""}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOtherKindsAndFutureJobsAreLeft(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: l.handler(nil)})
		later := mail("acme", "later")
		later.RunAt = c.now().Add(time.Hour)
		mustEnqueue(t, db, later, jobs.Job{Biller: "acme", Kind: "new in the next release", IdemKey: "x"})
		mustRunDue(t, w)
		if len(l.runs) != 0 {
			t.Errorf("ran %v", l.keys())
		}
		c.advance(time.Hour)
		mustRunDue(t, w)
		if diff := cmp.Diff([]string{"acme/later"}, l.keys()); diff != "" {
			t.Error(diff)
		}
	})
}

// mustAbandon leases all due jobs as a process does that is killed before it
// can record anything: its database goes away while the handlers run.
func mustAbandon(t *testing.T, db *sqldb.DB, c *clock, lease time.Duration) {
	t.Helper()
	own, err := sqldb.Open(t.Context(), db.Config())
	if err != nil {
		t.Fatal(err)
	}
	w := mustWorker(t, jobs.Config{DB: own, Now: c.now, Lease: lease, Concurrency: 1, Handlers: map[string]jobs.Handler{
		"mail": func(context.Context, jobs.Job) error { return own.Close() },
	}})
	if err := w.RunDue(t.Context()); err == nil {
		t.Fatal("the killed worker noticed nothing")
	}
}

func TestKilledWorkersJobsComeBack(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: l.handler(nil)})
		last := mail("last", "1")
		last.MaxAttempts = 1
		mustEnqueue(t, db, mail("acme", "1"))
		mustAbandon(t, db, c, time.Minute)
		mustEnqueue(t, db, last)
		mustAbandon(t, db, c, time.Minute)

		c.advance(time.Minute - time.Millisecond)
		mustRunDue(t, w)
		if len(l.runs) != 0 {
			t.Fatalf("ran %v before the lease ended", l.keys())
		}
		c.advance(time.Millisecond)
		mustRunDue(t, w)
		if diff := cmp.Diff([]string{"acme/1"}, l.keys()); diff != "" {
			t.Errorf("ran after the lease (-want +got):\n%s", diff)
		}
		want := []stored{{"acme", "1", done, 2, ""}, {"last", "1", dead, 2, "no attempt is left, and how the last one ended was not recorded"}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestLateWorkerCannotSettle(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		second := mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: l.handler(nil)})
		first := mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: map[string]jobs.Handler{
			"mail": func(ctx context.Context, _ jobs.Job) error {
				c.advance(time.Hour)
				if err := second.RunDue(ctx); err != nil {
					t.Error(err)
				}
				return errRefused
			},
		}})
		mustEnqueue(t, db, mail("acme", "1"))
		mustRunDue(t, first)
		if diff := cmp.Diff([]stored{{"acme", "1", done, 2, ""}}, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSixteenWorkersRunEachJobOnce(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var js []jobs.Job
		for i := range 120 {
			js = append(js, mail([]string{"a", "b", "c"}[i%3], fmt.Sprint(i)))
		}
		mustEnqueue(t, db, js...)
		var l journal
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			w := mustWorker(t, jobs.Config{DB: db, Concurrency: 4, Handlers: l.handler(nil)})
			wg.Go(func() { errs[i] = w.RunDue(t.Context()) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		keys := l.keys()
		slices.Sort(keys)
		if n := len(slices.Compact(slices.Clone(keys))); n != 120 || len(keys) != 120 {
			t.Errorf("%d runs of %d jobs, want 120 of 120", len(keys), n)
		}
		for _, row := range mustRows(t, db) {
			if row.State != done {
				t.Errorf("left over: %+v", row)
			}
		}
	})
}

func TestBillersTakeTurns(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var js []jobs.Job
		for i := range 20 {
			js = append(js, mail("big", fmt.Sprint(i)))
		}
		mustEnqueue(t, db, append(js, mail("small", "1"), mail("tiny", "1"))...)
		var l journal
		mustRunDue(t, mustWorker(t, jobs.Config{DB: db, Concurrency: 2, Batch: 1, Handlers: l.handler(nil)}))
		keys := l.keys()
		if len(keys) != 22 || slices.Index(keys, "small/1") > 3 || slices.Index(keys, "tiny/1") > 4 {
			t.Errorf("order %v", keys)
		}
	})
}

// A biller whose jobs hang cannot take all slots: the other one's job, without
// which the hanging ones never end, still runs.
func TestHangingBillerLeavesSlots(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var js []jobs.Job
		for i := range 10 {
			js = append(js, mail("hanging", fmt.Sprint(i)))
		}
		mustEnqueue(t, db, append(js, mail("other", "1"))...)
		var l journal
		release := make(chan struct{})
		w := mustWorker(t, jobs.Config{DB: db, Concurrency: 4, Handlers: l.handler(func(j jobs.Job) error {
			if j.Biller == "other" {
				close(release)
			}
			<-release
			return nil
		})})
		mustRunDue(t, w)
		if len(l.runs) != 11 {
			t.Errorf("%d runs, want 11", len(l.runs))
		}
	})
}

// TestJobsWaitForTheirBiller: those of a biller who is not here stay due, and
// begin as soon as it is.
func TestJobsWaitForTheirBiller(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var l journal
		var here atomic.Bool
		w := mustWorker(t, jobs.Config{
			DB: db, Poll: time.Hour, Handlers: l.handler(nil),
			Ready: func(biller string) bool { return biller != "away" || here.Load() },
		})
		mustEnqueue(t, db, mail("acme", "1"), mail("away", "1"))
		mustRunDue(t, w)
		want := []stored{{"acme", "1", done, 1, ""}, {"away", "1", pending, 0, ""}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
		defer start(t, w)()
		here.Store(true)
		w.Wake("away")
		eventually(t, "its job runs", func() bool { return slices.Contains(l.keys(), "away/1") })
	})
}

func TestOneBillersTroubleIsItsOwn(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		trouble := `CREATE TRIGGER trouble BEFORE UPDATE ON jobs WHEN NEW.biller_id = 'bad' BEGIN SELECT RAISE(ABORT, 'node down'); END`
		if db.Dialect() == sqldb.Postgres {
			trouble = `
				CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'node down'; END $$;
				CREATE TRIGGER trouble BEFORE UPDATE ON jobs FOR EACH ROW WHEN (NEW.biller_id = 'bad') EXECUTE FUNCTION trouble()`
		}
		db.W.MustExec(trouble)
		mustEnqueue(t, db, mail("acme", "1"), mail("bad", "1"), mail("good", "1"))
		var l journal
		err := mustWorker(t, jobs.Config{DB: db, Handlers: l.handler(nil)}).RunDue(t.Context())
		if err == nil || !strings.Contains(err.Error(), "node down") {
			t.Errorf("RunDue = %v, want the trouble reported", err)
		}
		keys := l.keys()
		slices.Sort(keys)
		if diff := cmp.Diff([]string{"acme/1", "good/1"}, keys); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNewWorkerRefuses(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.SQLite(t, jobs.Migrations()))
	var l journal
	for _, cfg := range []jobs.Config{
		{Handlers: l.handler(nil)}, {DB: db},
		{DB: db, Handlers: l.handler(nil), Concurrency: -1},
		{DB: db, Handlers: l.handler(nil), Lease: -1},
	} {
		if _, err := jobs.NewWorker(cfg); err == nil {
			t.Errorf("NewWorker(%+v) succeeded", cfg)
		}
	}
}

func TestClaimUsesItsIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, jobs.Migrations()))
	var js []jobs.Job
	for i := range 5000 {
		js = append(js, jobs.Job{Biller: fmt.Sprint("b", i%10), Kind: "mail"})
	}
	mustEnqueue(t, db, js...)
	db.W.MustExec(`ANALYZE jobs`)
	query := sqlx.Rebind(sqlx.DOLLAR, "EXPLAIN "+jobs.SelectDue+db.SkipLocked())
	query = strings.Replace(query, "($3)", "('mail')", 1)
	query = strings.Replace(query, "$4", "$3", 1)
	var plan []string
	if err := db.R.Select(&plan, query, "b1", time.Now().UnixMilli(), 16); err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(plan, "\n"); !strings.Contains(text, "jobs_due") || strings.Contains(text, "Seq Scan") {
		t.Errorf("plan:\n%s", text)
	}
}
