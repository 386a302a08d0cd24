package supervisor

import (
	"context"
	"errors"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// outcome of a trial: an instance that may serve, or why there is none.
type outcome struct {
	version  addon.Version
	instance *instance
	err      error
}

// trial is a version that starts beside the one that serves.
type trial struct {
	version addon.Version
	cancel  context.CancelFunc
	result  chan outcome
}

// startTrial begins at once; the result is sent exactly once.
func (w *worker) startTrial(v addon.Version, asked uint64) *trial {
	ctx, cancel := context.WithCancel(w.ctx)
	t := &trial{version: v, cancel: cancel, result: make(chan outcome, 1)}
	w.set(func() { w.trying = v })
	go func() {
		w.retiring.Wait() // no third process beside two
		in, err := w.attempt(ctx, v, asked)
		w.set(func() { w.trying = addon.Version{} })
		t.result <- outcome{v, in, err}
	}()
	return t
}

// stop ends a trial that nobody waits for any more.
func (t *trial) stop() {
	if t == nil {
		return
	}
	t.cancel()
	if o := <-t.result; o.instance != nil {
		o.instance.retire()
	}
}

// done is the channel of the result; nil, which never is ready, without a trial.
func (t *trial) done() <-chan outcome {
	if t == nil {
		return nil
	}
	return t.result
}

// attempt starts a version and proves that it can serve: it answers whether it
// lives, and one request.
func (w *worker) attempt(ctx context.Context, v addon.Version, asked uint64) (*instance, error) {
	in, err := w.bring(ctx, v, asked)
	if err != nil {
		return nil, err
	}
	if err := in.check(ctx); err != nil {
		return nil, in.abandon(err)
	}
	test, cancel := context.WithTimeout(ctx, w.sup.cfg.Times.SelfTest)
	defer cancel()
	if err := w.sup.cfg.SelfTest(test, in.process.client, in.pkg); err != nil {
		return nil, in.abandon(err)
	}
	w.sup.reach("tested")
	return in, nil
}

// promote makes the store name the version that passed its trial. Every error is
// unpromoted; Conflict if the version is no longer wanted.
func (w *worker) promote(v addon.Version) error {
	if w.goal().Digest == v.Digest {
		return nil // another host was first
	}
	cfg := w.sup.cfg
	ctx, cancel := context.WithTimeout(w.ctx, cfg.Times.Answer)
	defer cancel()
	if err := cfg.Store.Promote(ctx, w.id, v.Digest, cfg.Probation); err != nil {
		return unpromoted{err}
	}
	w.changed(func(a addon.Active) (addon.Active, bool) { return a.Promoted(v, cfg.Now().Add(cfg.Probation)) })
	cfg.Meter.Version(w.id, "upgraded")
	w.sup.reach("promoted")
	return nil
}

// refuse tells the store why a version failed, for all hosts: one that is wanted,
// or on trial here while it is on probation elsewhere, for any reason; one that
// served here on probation, or was to, if it crashed. A version that says when to
// come again, because its database is away for instance, is no worse than others.
// refuse returns true if the store changed what is to run.
func (w *worker) refuse(v addon.Version, err error, onTrial bool) bool {
	if _, ok := errors.AsType[unpromoted](err); ok || apperr.RetryAfterOf(err) > 0 && !isCrash(err) {
		return false
	}
	if !onTrial && v != w.goal().Next && !isCrash(err) {
		return false
	}
	cfg := w.sup.cfg
	ctx, cancel := context.WithTimeout(w.ctx, cfg.Times.Answer)
	defer cancel()
	reason := reasonText(err)
	if cfg.Name != "" {
		reason = "On " + cfg.Name + ": " + reason
	}
	changed, failed := cfg.Store.Refuse(ctx, w.id, v.Digest, reason)
	if failed != nil {
		w.log.Warn("refused version not recorded", "version", v.Version, "error", failed.Error())
	}
	if changed {
		outcome := "rolled_back"
		if v == w.goal().Next {
			outcome = "refused"
		}
		cfg.Meter.Version(w.id, outcome)
		w.log.Error("version refused", "version", v.Version, "reason", err.Error())
		w.changed(func(a addon.Active) (addon.Active, bool) { return a.Refused(v, reason, cfg.Now()) })
		w.sup.reach("refused")
	}
	return changed
}

// changed repeats here what the store has just done; what Run read there before
// is out of date.
func (w *worker) changed(change func(addon.Active) (addon.Active, bool)) {
	generation := w.sup.generation.Add(1)
	w.set(func() {
		w.want, _ = change(w.want)
		w.generation = generation
	})
	w.sup.Wake()
}
