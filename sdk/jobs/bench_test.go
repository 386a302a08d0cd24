package jobs_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// BenchmarkDrain enqueues 5,000 jobs of ten billers in one transaction and
// works them off with a handler that does nothing, so what it shows is the
// queue's own cost.
func BenchmarkDrain(b *testing.B) {
	const n = 5000
	for _, dialect := range []string{sqldb.SQLite, sqldb.Postgres} {
		b.Run(dialect, func(b *testing.B) {
			var enqueue, drain time.Duration
			for b.Loop() {
				cfg := dbtest.SQLite(b, jobs.Migrations())
				if dialect == sqldb.Postgres {
					cfg = dbtest.Postgres(b, jobs.Migrations())
				}
				db := dbtest.MustOpen(b, cfg)
				var js []jobs.Job
				for i := range n {
					js = append(js, mail(fmt.Sprint("b", i%10), fmt.Sprint(i)))
				}
				begin := time.Now()
				mustEnqueue(b, db, js...)
				enqueue += time.Since(begin)
				w := mustWorker(b, jobs.Config{DB: db, Handlers: map[string]jobs.Handler{
					"mail": func(context.Context, jobs.Job) error { return nil },
				}})
				begin = time.Now()
				mustRunDue(b, w)
				drain += time.Since(begin)
			}
			b.ReportMetric(n*float64(b.N)/enqueue.Seconds(), "enqueued/s")
			b.ReportMetric(n*float64(b.N)/drain.Seconds(), "done/s")
		})
	}
}
