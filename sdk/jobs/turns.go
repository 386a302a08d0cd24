package jobs

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	lookBillers    = 500              // billers found by one look
	statementLimit = 10 * time.Second // for each visit to the database
)

// turns gives billers their turns on a worker's free slots. Only the goroutine
// of Run touches it; handlers and the settler report over channels.
type turns struct {
	w      *Worker
	ready  []string        // billers to visit, first come first served
	queued map[string]bool // which of them are in ready
	full   map[string]bool // billers with all the slots one may have
	held   map[string]int  // slots by biller
	busy   int             // slots in all
	cursor string          // where the next look goes on; "" at the start
	err    error           // the first trouble with the database
	told   time.Time       // when the log told last that it is away

	handlers context.Context // of handlers; outlives the worker's by Grace
	cancel   context.CancelFunc
	outcomes chan outcome
	ended    chan []outcome // settled
	leases   *leases
	settler  sync.WaitGroup
	renewer  sync.WaitGroup
	rest     context.CancelFunc // ends the renewing
}

func newTurns(ctx context.Context, w *Worker) *turns {
	t := &turns{
		w:        w,
		queued:   map[string]bool{},
		full:     map[string]bool{},
		held:     map[string]int{},
		outcomes: make(chan outcome, w.cfg.Concurrency),
		ended:    make(chan []outcome, w.cfg.Concurrency),
		leases:   newLeases(w),
	}
	t.handlers, t.cancel = context.WithCancel(context.WithoutCancel(ctx))
	renewing, rest := context.WithCancel(context.WithoutCancel(ctx))
	t.rest = rest
	t.renewer.Go(func() { t.leases.renewUntil(renewing) })
	t.settler.Go(func() { w.settleAll(t.handlers, t.outcomes, t.ended) })
	return t
}

// close ends the settler and the renewer; no handler may be running any more.
func (t *turns) close() {
	close(t.outcomes)
	t.settler.Wait()
	t.cancel()
	t.rest()
	t.renewer.Wait()
}

// drain waits for running handlers, and cancels them after Grace.
func (t *turns) drain() {
	late := time.AfterFunc(t.w.cfg.Grace, t.cancel)
	defer late.Stop()
	for t.busy > 0 {
		t.end(<-t.ended)
	}
}

// look queues billers with due jobs: all of them, in portions that dispatch asks for.
func (t *turns) look(ctx context.Context) {
	lookCtx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	billers, err := t.w.store.due(lookCtx, t.w.kinds, t.w.cfg.Now(), t.cursor, lookBillers)
	if err != nil {
		t.fail(ctx, "looking for due jobs failed", "", err)
		t.cursor = ""
		return
	}
	t.cursor = ""
	if len(billers) == lookBillers {
		t.cursor = billers[lookBillers-1]
	}
	for _, b := range billers {
		t.queue(b)
	}
}

// want queues the billers; "" stands for all with due jobs.
func (t *turns) want(ctx context.Context, billers map[string]bool) {
	for b := range billers {
		if b == "" {
			t.look(ctx)
			continue
		}
		t.queue(b)
	}
}

func (t *turns) queue(biller string) {
	if t.queued[biller] || t.full[biller] || t.w.cfg.Ready != nil && !t.w.cfg.Ready(biller) {
		return
	}
	t.queued[biller] = true
	t.ready = append(t.ready, biller)
}

// dispatch leases jobs for the free slots, one batch of each biller in turn. A
// biller whose database fails loses its turn until the next look.
func (t *turns) dispatch(ctx context.Context) {
	for t.busy < t.w.cfg.Concurrency && ctx.Err() == nil {
		if len(t.ready) == 0 {
			if t.cursor == "" {
				return
			}
			t.look(ctx)
			continue
		}
		biller := t.ready[0]
		t.ready = t.ready[1:]
		delete(t.queued, biller)
		share := max(1, t.w.cfg.Concurrency*3/4)
		n := min(t.w.cfg.Batch, t.w.cfg.Concurrency-t.busy, share-t.held[biller])
		if n <= 0 {
			t.full[biller] = true
			continue
		}
		if t.lease(ctx, biller, n) == n {
			t.queue(biller) // there may be more
		}
	}
}

// lease claims up to n jobs of the biller, starts them and returns how many.
func (t *turns) lease(ctx context.Context, biller string, n int) int {
	claimCtx, cancel := context.WithTimeout(ctx, statementLimit)
	defer cancel()
	lease, now := uuid.NewString(), t.w.cfg.Now()
	deadline := time.Now().Add(t.w.cfg.Limit)
	jobs, err := t.w.store.claim(claimCtx, biller, t.w.kinds, n, now, now.Add(t.w.cfg.Lease), lease, t.leases.holds)
	if err != nil {
		t.fail(ctx, "leasing jobs failed", biller, err)
		return 0
	}
	if len(jobs) > 0 {
		t.leases.add(lease, biller, jobs, deadline.Add(t.w.cfg.Lease/2))
	}
	for _, j := range jobs {
		t.busy++
		t.held[biller]++
		go func() { t.outcomes <- t.w.work(t.handlers, deadline, j, lease) }()
	}
	return len(jobs)
}

// end frees the slots of settled jobs.
func (t *turns) end(settled []outcome) {
	for _, o := range settled {
		biller := o.job.Biller
		t.busy--
		t.leases.drop(o.lease, o.job.ID)
		if t.held[biller]--; t.held[biller] == 0 {
			delete(t.held, biller)
		}
		if t.full[biller] {
			delete(t.full, biller)
			t.queue(biller)
		}
	}
}

// awayEvery is how often the log repeats that the database is away.
const awayEvery = time.Minute

// fail logs trouble with the database, unless it only means that the worker is to
// end. One that is away is no news at every look.
func (t *turns) fail(ctx context.Context, message, biller string, err error) {
	if t.err == nil {
		t.err = err
	}
	if ctx.Err() != nil {
		return
	}
	if apperr.Is(err, apperr.Unavailable) {
		if time.Since(t.told) < awayEvery {
			return
		}
		t.told = time.Now()
	}
	t.w.cfg.Log.ErrorContext(ctx, message, "biller", biller, "error", err)
}
