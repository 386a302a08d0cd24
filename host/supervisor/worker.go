package supervisor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// worker keeps one add-on running.
type worker struct {
	sup      *Supervisor
	id       string
	sockets  *sockets
	log      *slog.Logger
	ctx      context.Context // ends when the add-on shall no longer run
	cancel   context.CancelFunc
	kick     chan struct{}
	done     chan struct{}
	retiring sync.WaitGroup // processes that another has taken over from
	// bad is the version that was started last, and pace what became of it; both
	// are of the goroutine of run.
	bad  addon.Version
	pace pace

	mu   sync.Mutex
	want addon.Active
	// generation of the store that want is as new as, at least.
	generation uint64
	asked      uint64 // the newest call of Ensure that want and the billers are as new as
	tried      goal   // what the process that runs, or ran last, is for
	synced     uint64 // the newest that has been fulfilled
	failed     uint64 // the newest that has ended in an error
	state      State
	since      time.Time // of state
	err        error
	retryAt    time.Time
	report     string
	failures   int
	serving    *instance
	trying     addon.Version
	trialErr   error
}

// goal is what a worker is to reach: a version, with the billers that were there
// at a call of Ensure.
type goal struct {
	addon.Active
	asked uint64
}

func newWorker(s *Supervisor, id string, socks *sockets) *worker {
	w := &worker{
		sup:     s,
		id:      id,
		sockets: socks,
		log:     s.cfg.Log.With("addon", id),
		kick:    make(chan struct{}, 1),
		done:    make(chan struct{}),
		pace:    pace{first: s.cfg.Times.FirstRest, longest: s.cfg.Times.LongestRest},
		state:   Stopped,
		since:   s.cfg.Now(),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

func (w *worker) ended() bool {
	select {
	case <-w.done:
		return true
	default:
		return false
	}
}

// steer says what is wanted, as it was read in a generation of the store. Each
// call makes the worker look at the billers.
func (w *worker) steer(a addon.Active, asked, generation uint64) {
	w.mu.Lock()
	if generation >= w.generation {
		w.want, w.asked = a, asked
	}
	w.mu.Unlock()
	w.nudge()
}

func (w *worker) nudge() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *worker) goal() goal {
	w.mu.Lock()
	defer w.mu.Unlock()
	return goal{w.want, w.asked}
}

// try returns the goal, which is from now on what the process stands for.
func (w *worker) try() goal {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried = goal{w.want, w.asked}
	return w.tried
}

// set changes the state and tells those who wait.
func (w *worker) set(change func()) {
	w.mu.Lock()
	before := w.state
	change()
	if w.state != before {
		w.since = w.sup.cfg.Now()
	}
	w.mu.Unlock()
	w.sup.announce()
}

// show makes an instance the one that serves.
func (w *worker) show(in *instance) {
	w.bad = in.version
	w.log.Info("add-on is healthy", "version", in.version.Version, "pid", in.process.child.ID(), "protection", in.process.child.protection)
	w.set(func() {
		w.state, w.err, w.retryAt, w.serving, w.trialErr = Healthy, nil, time.Time{}, in, nil
		w.since = w.sup.cfg.Now()
		w.synced = 0
		if in.complete {
			w.synced = in.asked
		}
	})
	w.sup.cfg.Switched()
}

// hide takes the process away from those who ask for it.
func (w *worker) hide(s State) { w.set(func() { w.state, w.serving = s, nil }) }

// run keeps the add-on running until the worker is cancelled.
func (w *worker) run() {
	defer func() {
		w.retiring.Wait()
		w.set(func() { w.state = Stopped })
		close(w.done)
		w.sup.Wake()
	}()
	select {
	case <-w.kick: // the first goal
	case <-w.ctx.Done():
	}
	for w.ctx.Err() == nil {
		healthyFor, err := w.serve()
		if w.ctx.Err() == nil && err != nil {
			w.fail(healthyFor, err)
		}
	}
}

// choose returns the version to start when none runs. The one that is wanted
// next gets its trial then if the current one has failed, and always in Dev.
func (w *worker) choose(g goal) (v addon.Version, next bool) {
	if g.Next.Digest != "" && w.bad != g.Next && (w.sup.cfg.Dev || w.bad == g.Current()) {
		return g.Next, true
	}
	return g.Current(), false
}

// serve runs the add-on until it fails or shall no longer run; then it returns
// nil.
func (w *worker) serve() (healthyFor time.Duration, err error) {
	g := w.try()
	v, next := w.choose(g)
	w.bad = v
	w.set(func() { w.state = Starting })
	w.retiring.Wait()
	in, err := w.start(v, next, g.asked)
	if err != nil {
		return 0, err
	}
	return w.watch(in)
}

func (w *worker) start(v addon.Version, next bool, asked uint64) (*instance, error) {
	if !next {
		return w.bring(w.ctx, v, asked)
	}
	in, err := w.attempt(w.ctx, v, asked)
	if err != nil {
		return nil, err
	}
	if err := w.promote(v); err != nil {
		in.retire()
		return nil, err
	}
	return in, nil
}

// fail rests after a failure, or until somebody acts. There is no rest if the
// version is refused: then another one is to run.
func (w *worker) fail(healthyFor time.Duration, err error) {
	cfg := w.sup.cfg
	w.mu.Lock()
	blamed := w.tried
	w.mu.Unlock()
	rest, broken := w.pace.fail(failure{at: cfg.Now(), healthyFor: healthyFor, crash: isCrash(err)}, cfg.Jitter())
	refused := w.refuse(w.bad, err, false)
	if refused {
		w.pace.reset()
		rest, broken = 0, false
	}
	state, retryAt := BackingOff, cfg.Now().Add(rest)
	if broken {
		state, retryAt = Broken, time.Time{}
	}
	w.log.Error("add-on failed", "error", err.Error(), "state", string(state), "restart_in", rest.String())
	w.set(func() {
		w.state, w.err, w.retryAt = state, err, retryAt
		w.failures++
		// The goal that was tried is to blame: a newer one may have come meanwhile.
		if w.bad == blamed.Current() {
			w.failed = blamed.asked
		}
	})
	w.pause(rest, broken)
}

// pause waits before a restart; a call of Ensure or whatever the operator does
// ends it.
func (w *worker) pause(rest time.Duration, broken bool) {
	w.mu.Lock()
	before := w.tried
	w.mu.Unlock()
	timer := time.NewTimer(rest)
	defer timer.Stop()
	late := timer.C
	if broken {
		late = nil
	}
	for {
		now := w.goal()
		acted := now.Current() != before.Current() || now.Next != before.Next || !now.UpdatedAt.Equal(before.UpdatedAt)
		if acted || now.asked > before.asked {
			if acted || broken {
				w.pace.reset()
			}
			return
		}
		select {
		case <-w.ctx.Done():
			return
		case <-late:
			return
		case <-w.kick:
		}
	}
}

// ending kills a process that failed and keeps its last words.
func (w *worker) ending(p *process, err error) error {
	p.kill()
	report := p.output.report()
	w.mu.Lock()
	w.report = report
	w.mu.Unlock()
	if report != "" {
		w.log.Error("crash report", "process", p.exitText(), "stderr", lastBytes(report, 4<<10))
	}
	return err
}

func lastBytes(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// reached tells whether a call of Ensure has come to its end.
func (w *worker) reached(digest string, ticket uint64) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	serves := w.serving != nil && w.serving.version.Digest == digest
	switch {
	case w.want.Digest != digest && w.asked >= ticket:
		return true, apperr.Errorf(apperr.Conflict, "Another version of the add-on is to run.")
	case serves && w.synced >= ticket:
		return true, nil
	case w.serving == nil && (w.state == BackingOff || w.state == Broken) && w.failed >= ticket:
		return true, w.err
	case w.serving != nil && !serves && w.trialErr != nil && w.failed >= ticket:
		return true, w.trialErr
	}
	return false, nil
}

func (w *worker) acquire() (*wire.Client, func(), error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.serving != nil:
		return w.serving.process.client, w.serving.holds.take(), nil
	case w.state == BackingOff:
		return nil, nil, unavailable(w.retryAt.Sub(w.sup.cfg.Now()))
	case w.state == Broken:
		return nil, nil, unavailable(time.Minute)
	}
	return nil, nil, unavailable(2 * time.Second)
}

func (w *worker) currentPackage() *pack.Package {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.serving == nil {
		return nil
	}
	return w.serving.pkg
}

func (w *worker) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := Status{
		AddonID:  w.id,
		Version:  w.want.Version,
		Digest:   w.want.Digest,
		State:    w.state,
		Since:    w.since,
		Err:      w.err,
		RetryAt:  w.retryAt,
		Report:   w.report,
		Failures: w.failures,
		Trial:    w.trying,
		TrialErr: w.trialErr,
		Wanted:   w.want,
	}
	if w.serving != nil {
		s.PID, s.Serving = w.serving.process.child.pid, w.serving.version
		s.Protection = w.serving.process.child.protection
	}
	return s
}
