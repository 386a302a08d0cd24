package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Handler does one job. It runs at least once for each job, so it passes the
// job's IdemKey on to whatever it cannot undo. It must return when ctx ends,
// which is after Config.Limit: somebody else begins the job anew soon after. Any error but Permanent and RetryAt means: try
// again after a back-off; an apperr with RetryAfter sets the least wait.
type Handler func(ctx context.Context, j Job) error

// Config is what a Worker needs. DB and Handlers are required; zero values of
// the rest mean the defaults given.
type Config struct {
	// DB holds the table jobs (Migrations).
	DB *sqldb.DB
	// Handlers by kind. Jobs of other kinds are left to other processes.
	Handlers map[string]Handler
	// Ready tells whether jobs of the biller may begin in this process now; nil
	// means always. It is asked often and must answer from memory. An add-on has
	// no rights for a biller that switched it off, nor in the first moments of a
	// process: such jobs stay due.
	Ready func(biller string) bool
	// OnDead hears of a job that failed for good, before it is closed; it is
	// called at least once. If it fails, the job stays and is tried again.
	OnDead func(ctx context.Context, j Job, cause error) error
	// Concurrency is how many handlers may run at once; 16. One biller gets at
	// most three quarters of them.
	Concurrency int
	// Batch is how many jobs of a biller are leased in one turn; Concurrency.
	Batch int
	// Lease is after how long a killed worker's jobs come back; 20 seconds. A
	// living worker renews its leases. The clocks of machines that share the work
	// must differ by less than half of it.
	Lease time.Duration
	// Limit is how long a handler may take; 90 seconds.
	Limit time.Duration
	// Poll is how often to look for due jobs of all billers when nothing wakes
	// the worker; two seconds, jittered.
	Poll time.Duration
	// Grace is how long handlers may go on when Run is told to end; ten seconds.
	Grace time.Duration
	// Keep is how long done jobs, and with them their IdemKeys, are remembered;
	// seven days.
	Keep time.Duration
	// KeepDead is the same for dead jobs, which people may want to see; 90 days.
	KeepDead time.Duration
	// Backoff is the wait after the given failed attempt (from 1); Exponential(5 s, 1 h).
	Backoff func(attempt int) time.Duration
	// Log gets what went wrong; slog.Default().
	Log *slog.Logger
	// Now is the clock; time.Now.
	Now func() time.Time
}

// Worker does due jobs. Several in one process or many share the work.
type Worker struct {
	cfg   Config
	kinds []string
	store store

	mu     sync.Mutex
	wanted map[string]bool // billers to visit; "" means look for all
	woken  chan struct{}   // holds one token when wanted is not empty
}

// NewWorker returns a worker, which does nothing until Run or RunDue.
func NewWorker(cfg Config) (*Worker, error) {
	if cfg.DB == nil || len(cfg.Handlers) == 0 {
		return nil, errors.New("a jobs worker needs a database and handlers")
	}
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 16)
	cfg.Batch = cmp.Or(cfg.Batch, cfg.Concurrency)
	cfg.Lease = cmp.Or(cfg.Lease, 20*time.Second)
	cfg.Limit = cmp.Or(cfg.Limit, 90*time.Second)
	cfg.Poll = cmp.Or(cfg.Poll, 2*time.Second)
	cfg.Grace = cmp.Or(cfg.Grace, 10*time.Second)
	cfg.Keep = cmp.Or(cfg.Keep, 7*24*time.Hour)
	cfg.KeepDead = cmp.Or(cfg.KeepDead, 90*24*time.Hour)
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Backoff == nil {
		cfg.Backoff = Exponential(5*time.Second, time.Hour)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if min(cfg.Concurrency, cfg.Batch) < 1 || min(cfg.Lease, cfg.Limit, cfg.Poll, cfg.Grace, cfg.Keep, cfg.KeepDead) < 0 {
		return nil, errors.New("a jobs worker's limits must be positive")
	}
	return &Worker{
		cfg:    cfg,
		kinds:  slices.Sorted(maps.Keys(cfg.Handlers)),
		store:  store{cfg.DB},
		wanted: map[string]bool{},
		woken:  make(chan struct{}, 1),
	}, nil
}

// Wake makes a running worker visit the billers now, or look for all billers
// with due jobs if none is named. It never blocks. Call it after the commit.
func (w *Worker) Wake(billers ...string) {
	if len(billers) == 0 {
		billers = []string{""}
	}
	w.mu.Lock()
	for _, b := range billers {
		w.wanted[b] = true
	}
	w.mu.Unlock()
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *Worker) takeWanted() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	wanted := w.wanted
	w.wanted = map[string]bool{}
	return wanted
}

// Run does jobs until ctx ends, then leases no more, gives running handlers
// Config.Grace and returns nil once they have ended. Trouble with the database
// is logged and outlasted.
func (w *Worker) Run(ctx context.Context) error {
	var helpers sync.WaitGroup
	defer helpers.Wait()
	helpers.Go(func() { w.listen(ctx) })
	helpers.Go(func() { w.pruneUntil(ctx) })

	t := newTurns(ctx, w)
	defer t.close()
	t.look(ctx)
	poll := time.NewTimer(jitter(w.cfg.Poll))
	defer poll.Stop()
	for {
		t.dispatch(ctx)
		select {
		case <-ctx.Done():
			t.drain()
			return nil
		case <-w.woken:
			t.want(ctx, w.takeWanted())
		case settled := <-t.ended:
			t.end(settled)
		case <-poll.C:
			t.look(ctx)
			poll.Reset(jitter(w.cfg.Poll))
		}
	}
}

// RunDue does the jobs that are due, and those that become due meanwhile, and
// returns when none is left: for tests with a clock of their own and for
// commands. It returns the first error met with the database, after the other
// billers had their turns; errors of handlers are treated as in Run.
func (w *Worker) RunDue(ctx context.Context) error {
	t := newTurns(ctx, w)
	defer t.close()
	for ctx.Err() == nil {
		if len(t.ready) == 0 && t.busy == 0 {
			if t.err != nil {
				break
			}
			if t.look(ctx); len(t.ready) == 0 {
				break
			}
		}
		t.dispatch(ctx)
		if t.busy > 0 {
			select {
			case <-ctx.Done():
			case settled := <-t.ended:
				t.end(settled)
			}
		}
	}
	t.drain()
	return errors.Join(t.err, ctx.Err())
}

// Prune forgets old done jobs (Config.Keep) and dead ones (Config.KeepDead), a
// small batch of each biller, and returns how many rows it deleted. Run calls it
// about once a minute.
func (w *Worker) Prune(ctx context.Context) (int64, error) {
	now := w.cfg.Now()
	n, err := w.store.prune(ctx, done, now.Add(-w.cfg.Keep))
	if err != nil {
		return n, err
	}
	more, err := w.store.prune(ctx, dead, now.Add(-w.cfg.KeepDead))
	return n + more, err
}

func (w *Worker) pruneUntil(ctx context.Context) {
	for {
		n, err := w.Prune(ctx)
		if err != nil && ctx.Err() == nil {
			w.cfg.Log.ErrorContext(ctx, "pruning jobs failed", "error", err)
		}
		wait := jitter(2 * time.Minute)
		if n >= pruneRows {
			wait = jitter(time.Second) // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// listen wakes the worker when a transaction of any process enqueued jobs.
func (w *Worker) listen(ctx context.Context) {
	if w.cfg.DB.Dialect() != sqldb.Postgres {
		return
	}
	for {
		err := w.listenOnce(ctx)
		if ctx.Err() != nil {
			return
		}
		w.cfg.Log.WarnContext(ctx, "listening for jobs failed, polling goes on", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(time.Minute)):
		}
	}
}

func (w *Worker) listenOnce(ctx context.Context) error {
	var schema string
	if err := w.cfg.DB.R.GetContext(ctx, &schema, `SELECT current_schema()`); err != nil {
		return fmt.Errorf("find schema: %w", err)
	}
	return sqldb.ListenPaced(ctx, w.cfg.DB.Config(), "jobs_"+schema, wakeGap, func(billers []string) { w.hear(ctx, billers) })
}

const (
	// wakeGap is the least time between two wake-ups by notifications, which any
	// role of the database may send.
	wakeGap = 100 * time.Millisecond
	// fewBillers are visited without a look whether they have due jobs.
	fewBillers = 8
)

// hear visits the billers of notifications, those of many only as far as they have
// due jobs: made-up names cost one statement.
func (w *Worker) hear(ctx context.Context, billers []string) {
	if len(billers) > fewBillers {
		ctx, cancel := context.WithTimeout(ctx, statementLimit)
		defer cancel()
		due, err := w.store.dueOf(ctx, w.kinds, w.cfg.Now(), billers)
		if err != nil || len(due) == 0 {
			return // the next look finds what there is
		}
		billers = due
	}
	w.Wake(billers...)
}
