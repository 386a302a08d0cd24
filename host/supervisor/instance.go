package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// instance is one process of an add-on that has started and knows its billers.
type instance struct {
	w       *worker
	version addon.Version
	pkg     *pack.Package
	process *process
	roster  *roster
	// complete tells whether it knows all billers, as of the call of Ensure asked.
	complete bool
	asked    uint64
	healthy  time.Time
	holds    holds
}

// bring starts a version and tells it its billers.
func (w *worker) bring(ctx context.Context, v addon.Version, asked uint64) (*instance, error) {
	held, err := w.hold(ctx, v)
	if err != nil {
		return nil, err
	}
	w.sup.reach("fetched")
	p, pkg, err := w.launch(ctx, addon.Active{AddonID: w.id, Version: v.Version, Digest: v.Digest})
	if err != nil {
		return nil, errors.Join(err, held.close())
	}
	p.held = held
	w.sup.reach("started")
	in := &instance{w: w, version: v, pkg: pkg, process: p, roster: newRoster(w, p.client, pkg.Manifest), asked: asked}
	in.complete, err = in.roster.sync(ctx)
	if ctx.Err() != nil {
		in.retire()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, in.abandon(err)
	}
	w.sup.reach("enabled")
	in.healthy = w.sup.cfg.Now()
	return in, nil
}

// hold fetches a version and sees to it that nobody removes its folder, until what
// it returns is closed or this process ends.
func (w *worker) hold(ctx context.Context, v addon.Version) (*hold, error) {
	dir := filepath.Join(w.sup.cfg.Packages, v.Digest)
	for range 10 {
		if err := w.sup.cfg.Fetch(ctx, w.id, v); err != nil {
			return nil, err
		}
		lock, err := flock(dir, syscall.LOCK_SH)
		if err != nil {
			continue // it was removed a moment ago
		}
		held, err := lock.Stat()
		if err != nil {
			return nil, errors.Join(err, lock.Close())
		}
		if now, err := os.Stat(dir); err == nil && os.SameFile(held, now) {
			return &hold{lock}, nil
		}
		if err := lock.Close(); err != nil {
			return nil, err
		}
	}
	return nil, nil // there is no such package; who opens it says so
}

// hold is the right to a package's folder; nil is none.
type hold struct{ lock *os.File }

func (h *hold) close() error {
	if h == nil {
		return nil
	}
	return h.lock.Close()
}

// abandon ends a process that failed, at once, and returns why.
func (in *instance) abandon(err error) error {
	in.roster.close()
	return in.w.ending(in.process, err)
}

// retire lets the process finish its calls and release what it holds, and ends
// it. Nobody may take hold of it any more.
func (in *instance) retire() {
	times := in.w.sup.cfg.Times
	until := time.Now().Add(times.Drain)
	for _, step := range []struct {
		name string
		time time.Duration
		call func(context.Context) error
	}{
		{"finish requests", times.Drain, in.holds.wait},
		// What the requests left of the time, but never nothing.
		{"drain", 0, in.process.drain},
		{"stop", times.Stop, in.process.client.Stop},
	} {
		if step.time == 0 {
			step.time = max(time.Until(until), time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), step.time)
		err := step.call(ctx)
		cancel()
		if err != nil {
			in.w.log.Warn("add-on not stopped cleanly", "step", step.name, "error", err.Error())
		}
		in.w.sup.reach(step.name)
	}
	in.roster.close()
	in.process.kill()
}

// check asks whether the process lives.
func (in *instance) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, in.w.sup.cfg.Times.Answer)
	defer cancel()
	return in.process.client.Health(ctx)
}

// holds counts the requests that a process has been chosen for.
type holds struct {
	mu   sync.Mutex
	n    int
	zero chan struct{} // not nil while somebody waits
}

func (h *holds) take() (release func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n++
	return sync.OnceFunc(h.drop)
}

func (h *holds) drop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n--; h.n == 0 && h.zero != nil {
		close(h.zero)
		h.zero = nil
	}
}

// wait returns when nobody holds the process. One caller at a time.
func (h *holds) wait(ctx context.Context) error {
	h.mu.Lock()
	if h.n == 0 {
		h.mu.Unlock()
		return nil
	}
	zero := make(chan struct{})
	h.zero = zero
	h.mu.Unlock()
	select {
	case <-zero:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
