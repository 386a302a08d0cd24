package jobs_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func TestBacklogCountsWhatIsDue(t *testing.T) {
	run(t, func(t *testing.T, db *sqldb.DB) {
		c := newClock()
		var l journal
		w := mustWorker(t, jobs.Config{DB: db, Now: c.now, Handlers: l.handler(nil)})
		want := func(want jobs.Backlog) {
			t.Helper()
			got, err := w.Backlog(t.Context())
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		}
		want(jobs.Backlog{})
		first, second, later := mail("acme", "1"), mail("other", "1"), mail("acme", "2")
		first.RunAt, second.RunAt, later.RunAt = c.now().Add(-time.Minute), c.now().Add(-time.Second), c.now().Add(time.Second)
		mustEnqueue(t, db, first, second, later)
		want(jobs.Backlog{Due: 2, Age: time.Minute})
		mustRunDue(t, w)
		want(jobs.Backlog{})
	})
}
