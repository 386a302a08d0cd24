package jobs_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// leaseEnd reads when the lease of the biller's only job ends.
func leaseEnd(t *testing.T, db *sqldb.DB, biller string) (at int64) {
	t.Helper()
	if err := db.R.Get(&at, `SELECT run_at FROM jobs WHERE biller_id = $1`, biller); err != nil {
		t.Fatal(err)
	}
	return at
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(late) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// TestLivingWorkerRenewsItsLeases runs jobs of two billers for longer than a
// lease by the database's own rows, while another worker wants them.
func TestLivingWorkerRenewsItsLeases(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var l journal
		goOn := make(chan struct{})
		handlers := l.handler(func(jobs.Job) error { <-goOn; return nil })
		// On a busy machine a shorter one ends before anybody renews it.
		const lease = 10 * time.Second
		first := mustWorker(t, jobs.Config{DB: db, Lease: lease, Handlers: handlers})
		mustEnqueue(t, db, mail("acme", "1"), mail("other", "1"))
		stop := start(t, first)
		eventually(t, "both run", func() bool { return len(l.keys()) == 2 })
		begun := map[string]int64{"acme": leaseEnd(t, db, "acme"), "other": leaseEnd(t, db, "other")}
		for biller, at := range begun {
			eventually(t, "the lease of "+biller+" is renewed", func() bool { return leaseEnd(t, db, biller) > at })
		}
		mustRunDue(t, mustWorker(t, jobs.Config{DB: db, Handlers: handlers}))
		close(goOn)
		eventually(t, "both are done", func() bool {
			return !slices.ContainsFunc(mustRows(t, db), func(r stored) bool { return r.State != done })
		})
		stop()
		if n := len(l.keys()); n != 2 {
			t.Errorf("%d runs, want 2: %v", n, l.keys())
		}
	})
}

// TestRenewingTouchesOnlyWhatIsHeld puts a lease into other hands while its
// handler runs: the first owner leaves it alone, and other billers' jobs.
func TestRenewingTouchesOnlyWhatIsHeld(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var l journal
		goOn := make(chan struct{})
		w := mustWorker(t, jobs.Config{DB: db, Lease: 400 * time.Millisecond, Handlers: l.handler(func(jobs.Job) error { <-goOn; return nil })})
		mustEnqueue(t, db, mail("acme", "1"), mail("taken", "1"))
		stop := start(t, w)
		eventually(t, "both run", func() bool { return len(l.keys()) == 2 })
		far := time.Now().Add(time.Hour).UnixMilli()
		db.W.MustExec(`UPDATE jobs SET lease = 'another worker', run_at = $1 WHERE biller_id = 'taken'`, far)
		later := mail("waits", "1")
		later.RunAt = time.UnixMilli(far)
		mustEnqueue(t, db, later)
		at := leaseEnd(t, db, "acme")
		for range 3 {
			eventually(t, "the lease is renewed", func() bool { return leaseEnd(t, db, "acme") > at })
			at = leaseEnd(t, db, "acme")
		}
		close(goOn)
		stop()
		for _, biller := range []string{"taken", "waits"} {
			if got := leaseEnd(t, db, biller); got != far {
				t.Errorf("%s: due at %d, want %d", biller, got, far)
			}
		}
		want := []stored{{"acme", "1", done, 1, ""}, {"taken", "1", pending, 1, ""}, {"waits", "1", pending, 0, ""}}
		if diff := cmp.Diff(want, mustRows(t, db)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestHandlerThatNeverEndsLosesItsJob: whoever ignores the end of its time is
// renewed no longer.
func TestHandlerThatNeverEndsLosesItsJob(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		var l journal
		begun, goOn := make(chan struct{}), make(chan struct{})
		first := mustWorker(t, jobs.Config{DB: db, Lease: 40 * time.Millisecond, Limit: time.Millisecond, Handlers: map[string]jobs.Handler{
			"mail": func(context.Context, jobs.Job) error { close(begun); <-goOn; return nil },
		}})
		mustEnqueue(t, db, mail("acme", "1"))
		stop := start(t, first)
		<-begun
		second := mustWorker(t, jobs.Config{DB: db, Handlers: l.handler(nil)})
		eventually(t, "another worker takes it", func() bool { mustRunDue(t, second); return len(l.keys()) == 1 })
		close(goOn)
		stop()
		if rows := mustRows(t, db); rows[0].State != done || rows[0].Attempt < 2 {
			t.Errorf("rows %+v", rows)
		}
	})
}

// TestStepOfTheClockStartsNothingTwice: by the clock all leases have ended, but
// the worker knows what it has in hand.
func TestStepOfTheClockStartsNothingTwice(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		goOn := make(chan struct{})
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Concurrency: 8, Poll: time.Millisecond, Handlers: l.handler(func(j jobs.Job) error {
			if j.Biller == "acme" {
				<-goOn
			}
			return nil
		})})
		mustEnqueue(t, db, mail("acme", "1"))
		stop := start(t, w)
		eventually(t, "it runs", func() bool { return len(l.keys()) == 1 })
		c.advance(time.Hour)
		for i := range 3 { // each is done by a look that sees the first, too
			biller := fmt.Sprint("b", i)
			j := mail(biller, "1")
			j.RunAt = c.now()
			mustEnqueue(t, db, j)
			eventually(t, "a later one is done", func() bool { return slices.Contains(l.keys(), biller+"/1") })
		}
		close(goOn)
		stop()
		if diff := cmp.Diff([]string{"acme/1", "b0/1", "b1/1", "b2/1"}, l.keys()); diff != "" {
			t.Error(diff)
		}
	})
}
