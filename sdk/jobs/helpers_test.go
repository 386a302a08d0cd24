package jobs_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// run runs f on both databases with the table jobs.
func run(t *testing.T, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Parallel()
	dbtest.Run(t, []sqldb.Migrations{jobs.Migrations()}, f)
}

// clock is a clock that stands still until told.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// journal remembers which jobs ran.
type journal struct {
	mu   sync.Mutex
	runs []jobs.Job
}

func (l *journal) add(j jobs.Job) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs = append(l.runs, j)
}

// keys returns "biller/idem key" of the jobs in the order in which they ran.
func (l *journal) keys() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var keys []string
	for _, j := range l.runs {
		keys = append(keys, j.Biller+"/"+j.IdemKey)
	}
	return keys
}

// handler notes the job and returns what then returns; nil means success.
func (l *journal) handler(then func(j jobs.Job) error) map[string]jobs.Handler {
	return map[string]jobs.Handler{"mail": func(_ context.Context, j jobs.Job) error {
		l.add(j)
		if then == nil {
			return nil
		}
		return then(j)
	}}
}

func mustWorker(tb testing.TB, cfg jobs.Config) *jobs.Worker {
	tb.Helper()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	w, err := jobs.NewWorker(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func mustRunDue(tb testing.TB, w *jobs.Worker) {
	tb.Helper()
	if err := w.RunDue(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func mail(biller, key string) jobs.Job { return jobs.Job{Biller: biller, Kind: "mail", IdemKey: key} }

func mustEnqueue(tb testing.TB, db *sqldb.DB, js ...jobs.Job) {
	tb.Helper()
	tx, err := db.Begin(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	defer tx.Rollback()
	if err := jobs.Enqueue(tb.Context(), tx, js...); err != nil {
		tb.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		tb.Fatal(err)
	}
}

// stored is what a test looks at in the table.
type stored struct {
	Biller  string `db:"biller_id"`
	Key     string `db:"idem_key"`
	State   int    `db:"state"`
	Attempt int    `db:"attempt"`
	Error   string `db:"last_error"`
}

// The states as they are stored.
const (
	pending = 0
	done    = 1
	dead    = 2
)

func mustRows(tb testing.TB, db *sqldb.DB) []stored {
	tb.Helper()
	var rows []stored
	if err := db.R.Select(&rows, `
		SELECT
			biller_id,
			idem_key,
			state,
			attempt,
			last_error
		FROM jobs
		ORDER BY biller_id, idem_key`); err != nil {
		tb.Fatal(err)
	}
	return rows
}
