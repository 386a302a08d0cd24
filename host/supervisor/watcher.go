package supervisor

import (
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

// maxMisses is how many health checks in a row may fail.
const maxMisses = 3

// watcher looks after the process that serves, and tries others beside it.
type watcher struct {
	w     *worker
	in    *instance
	trial *trial
	// failed is the request whose trial failed last; it is tried again when retry
	// fires.
	failed request
	retry  *time.Timer
	pace   pace
	misses int
}

// request is a version that was wanted at one time: wanting it again is another.
type request struct {
	addon.Version
	at time.Time
}

// watch looks after a process until it fails, and then after the one that took
// over. It returns nil when the add-on shall no longer run, else why it failed
// and how long it had been healthy.
func (w *worker) watch(in *instance) (healthyFor time.Duration, err error) {
	times := w.sup.cfg.Times
	t := &watcher{w: w, in: in, retry: time.NewTimer(0), pace: pace{first: times.FirstRest, longest: times.LongestRest}}
	defer func() { t.trial.stop() }()
	defer t.retry.Stop()
	health := time.NewTicker(times.Health)
	defer health.Stop()
	w.show(in)
	for {
		err := error(nil)
		select {
		case <-w.ctx.Done():
			w.hide(Draining)
			t.in.retire()
			return 0, nil
		case <-t.in.process.exited():
			err = crashed("The add-on ended unexpectedly.")
		case <-health.C:
			err = t.check()
		case o := <-t.trial.done():
			t.conclude(o)
		case <-t.retry.C:
			t.failed = request{}
			t.steer(w.goal())
		case <-w.kick:
			err = t.follow()
		}
		if err != nil {
			healthyFor = w.sup.cfg.Now().Sub(t.in.healthy)
			w.hide(Starting)
			return healthyFor, t.in.abandon(err)
		}
	}
}

// check asks the process whether it lives. It returns why it must end.
func (t *watcher) check() error {
	w := t.w
	if t.in.check(w.ctx) == nil {
		if t.misses > 0 {
			t.misses = 0
			w.set(func() { w.state = Healthy })
		}
		return nil
	}
	if w.ctx.Err() != nil {
		return nil
	}
	if t.misses++; t.misses == maxMisses {
		return crashed("The add-on does not answer.")
	}
	w.set(func() { w.state = Degraded })
	return nil
}

// follow does what has been steered: it tells the process which billers have
// come and gone, and tries another version if one is wanted. An error is the
// process's fault.
func (t *watcher) follow() error {
	w := t.w
	g := w.try()
	complete, err := t.in.roster.sync(w.ctx)
	if w.ctx.Err() != nil {
		return nil // the process is to end, in good order
	}
	if err != nil {
		return err
	}
	if complete {
		w.set(func() { w.synced = g.asked })
	}
	t.steer(g)
	return nil
}

// candidate returns the version that should be tried beside the one that serves.
func (t *watcher) candidate(g goal) (request, bool) {
	r := request{g.Next, g.UpdatedAt}
	if g.Digest != t.in.version.Digest {
		r.Version = g.Current()
	}
	return r, r.Digest != "" && r.Digest != t.in.version.Digest && r != t.failed
}

// steer begins, replaces or ends the trial as the goal says.
func (t *watcher) steer(g goal) {
	r, ok := t.candidate(g)
	if t.trial != nil {
		if ok && r.Version == t.trial.version {
			return
		}
		t.trial.stop()
		t.trial = nil
	}
	if ok {
		t.trial = t.w.startTrial(r.Version, g.asked)
	}
}

// conclude lets the version that passed its trial take over at once; the one
// before finishes its requests.
func (t *watcher) conclude(o outcome) {
	w := t.w
	t.trial = nil
	if w.ctx.Err() != nil {
		if o.instance != nil {
			o.instance.retire()
		}
		return
	}
	if o.err == nil {
		if o.err = w.promote(o.version); o.err != nil {
			o.instance.retire()
		}
	}
	if o.err != nil {
		t.fail(o)
		return
	}
	before := t.in
	t.in, t.misses = o.instance, 0
	t.pace.reset()
	w.show(o.instance)
	w.sup.reach("switched")
	w.retiring.Go(before.retire)
	w.nudge() // billers may have come since the trial began
	w.sup.Wake()
}

// fail keeps why a trial failed. A version that the store still wants is tried
// again after a pause.
func (t *watcher) fail(o outcome) {
	w := t.w
	w.log.Error("trial failed", "version", o.version.Version, "error", o.err.Error())
	refused := w.refuse(o.version, o.err, true)
	g := w.goal()
	t.failed = request{o.version, g.UpdatedAt}
	w.set(func() {
		w.trialErr = o.err
		if g.Digest == o.version.Digest {
			w.failed = g.asked
		}
	})
	if !refused {
		rest, _ := t.pace.fail(failure{at: w.sup.cfg.Now()}, w.sup.cfg.Jitter())
		t.retry.Reset(rest)
	}
}
