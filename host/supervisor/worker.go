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

// settled is how long an add-on must have been healthy for its next failure to
// count as the first.
const settled = 10 * time.Minute

// maxMisses is how many health checks in a row may fail.
const maxMisses = 3

// worker keeps one add-on running.
type worker struct {
	sup       *Supervisor
	id        string
	socketDir string
	log       *slog.Logger
	ctx       context.Context // ends when the add-on shall no longer run
	cancel    context.CancelFunc
	kick      chan struct{}
	done      chan struct{}

	mu         sync.Mutex
	want       addon.Active
	asked      uint64 // the newest call of Ensure that want and the billers are as new as
	tried      goal   // what the process that runs, or ran last, is for
	synced     uint64 // the newest that has been fulfilled
	failed     uint64 // the newest that has ended in an error
	state      State
	err        error
	retryAt    time.Time
	report     string
	failures   int
	pid        int
	protection []string
	pkg        *pack.Package
	client     *wire.Client
}

// goal is what a worker is to reach: a version, with the billers that were there
// at a call of Ensure.
type goal struct {
	addon.Active
	asked uint64
}

func newWorker(s *Supervisor, id, socketDir string) *worker {
	w := &worker{
		sup:       s,
		id:        id,
		socketDir: socketDir,
		log:       s.cfg.Log.With("addon", id),
		kick:      make(chan struct{}, 1),
		done:      make(chan struct{}),
		state:     Stopped,
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

// steer says what is wanted. Each call makes the worker look at the billers.
func (w *worker) steer(a addon.Active, asked uint64) {
	w.mu.Lock()
	w.want, w.asked = a, asked
	w.mu.Unlock()
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
	change()
	w.mu.Unlock()
	w.sup.announce()
}

// run keeps the add-on running until the worker is cancelled.
func (w *worker) run() {
	defer func() {
		close(w.done)
		w.sup.Wake()
	}()
	select {
	case <-w.kick: // the first goal
	case <-w.ctx.Done():
	}
	var rest time.Duration
	for w.ctx.Err() == nil {
		began := w.sup.cfg.Now()
		err := w.serve()
		if w.ctx.Err() != nil || err == nil {
			continue
		}
		if w.sup.cfg.Now().Sub(began) > settled {
			rest = 0
		}
		t := w.sup.cfg.Times
		rest = min(max(2*rest, t.FirstRest), t.LongestRest)
		w.fail(err, rest)
		w.pause(rest)
	}
	w.set(func() { w.state, w.client, w.pid = Stopped, nil, 0 })
}

// fail blames the goal that was tried: a newer one may have come meanwhile.
func (w *worker) fail(err error, rest time.Duration) {
	w.log.Error("add-on failed", "error", err.Error(), "restart_in", rest.String())
	w.set(func() {
		w.state, w.err, w.retryAt = BackingOff, err, w.sup.cfg.Now().Add(rest)
		w.failures++
		w.failed = w.tried.asked
	})
}

// pause waits before a restart; a call of Ensure or a version that was not
// tried yet ends it.
func (w *worker) pause(rest time.Duration) {
	w.mu.Lock()
	before := w.tried
	w.mu.Unlock()
	timer := time.NewTimer(rest)
	defer timer.Stop()
	for {
		if now := w.goal(); now.asked > before.asked || now.Digest != before.Digest {
			return
		}
		select {
		case <-w.ctx.Done():
			return
		case <-timer.C:
			return
		case <-w.kick:
		}
	}
}

// serve runs one process from start to end. It returns nil when another version
// is wanted, else why the process failed.
func (w *worker) serve() error {
	want := w.try()
	w.set(func() { w.state = Starting })
	p, err := w.launch(want.Active)
	if err != nil {
		return err
	}
	defer p.kill()
	defer w.set(func() { w.state, w.client, w.pid = Starting, nil, 0 })
	roster := newRoster(w, p.client)
	defer roster.close()
	complete, err := roster.sync(w.ctx)
	if w.ctx.Err() != nil {
		w.drain(p)
		return nil
	}
	if err != nil {
		return w.ending(p, err)
	}
	w.log.Info("add-on is healthy", "version", want.Version, "pid", p.child.ID(), "protection", p.child.protection)
	w.set(func() {
		w.state, w.err, w.retryAt, w.client, w.pid = Healthy, nil, time.Time{}, p.client, p.child.pid
		if complete {
			w.synced = want.asked
		}
	})
	return w.watch(p, want.Digest, roster)
}

// watch looks after a healthy process.
func (w *worker) watch(p *process, digest string, roster *roster) error {
	health := time.NewTicker(w.sup.cfg.Times.Health)
	defer health.Stop()
	for misses := 0; ; {
		select {
		case <-w.ctx.Done():
			w.drain(p)
			return nil
		case <-p.exited():
			return w.ending(p, apperr.Errorf(apperr.Unavailable, "The add-on ended unexpectedly."))
		case <-health.C:
			if w.alive(p) {
				misses = 0
			} else if misses++; misses == maxMisses {
				return w.ending(p, apperr.Errorf(apperr.Unavailable, "The add-on does not answer."))
			}
		case <-w.kick:
			now := w.try()
			if now.Digest != digest {
				w.drain(p)
				return nil
			}
			if err := w.update(p, roster, now.asked); err != nil {
				return err
			}
		}
	}
}

// update tells a healthy process which billers have come and gone.
func (w *worker) update(p *process, roster *roster, asked uint64) error {
	complete, err := roster.sync(w.ctx)
	if w.ctx.Err() != nil {
		return nil // the process is to end, in good order
	}
	if err != nil {
		return w.ending(p, err)
	}
	if complete {
		w.set(func() { w.synced = asked })
	}
	return nil
}

func (w *worker) alive(p *process) bool {
	ctx, cancel := context.WithTimeout(w.ctx, w.sup.cfg.Times.Answer)
	defer cancel()
	return p.client.Health(ctx) == nil
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

// drain lets a process finish its calls and release what it holds. New calls
// are refused from the first moment.
func (w *worker) drain(p *process) {
	w.set(func() { w.state, w.client = Starting, nil })
	for _, step := range []struct {
		name string
		time time.Duration
		call func(context.Context) error
	}{
		{"drain", w.sup.cfg.Times.Drain, p.drain},
		{"stop", w.sup.cfg.Times.Stop, p.client.Stop},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), step.time)
		err := step.call(ctx)
		cancel()
		if err != nil {
			w.log.Warn("add-on not stopped cleanly", "step", step.name, "error", err.Error())
		}
	}
}

// reached tells whether a call of Ensure has come to its end.
func (w *worker) reached(digest string, ticket uint64) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.want.Digest != digest && w.asked >= ticket:
		return true, apperr.Errorf(apperr.Conflict, "Another version of the add-on is to run.")
	case w.state == Healthy && w.synced >= ticket:
		return true, nil
	case w.state == BackingOff && w.failed >= ticket:
		return true, w.err
	}
	return false, nil
}

func (w *worker) healthyClient() (*wire.Client, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.client != nil:
		return w.client, nil
	case w.state == BackingOff:
		return nil, unavailable(w.retryAt.Sub(w.sup.cfg.Now()))
	}
	return nil, unavailable(2 * time.Second)
}

func (w *worker) currentPackage() *pack.Package {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.pkg
}

func (w *worker) status() Status {
	w.mu.Lock()
	defer w.mu.Unlock()
	return Status{
		AddonID:    w.id,
		Version:    w.want.Version,
		Digest:     w.want.Digest,
		State:      w.state,
		Err:        w.err,
		RetryAt:    w.retryAt,
		Report:     w.report,
		Failures:   w.failures,
		PID:        w.pid,
		Protection: w.protection,
	}
}
