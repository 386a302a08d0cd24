package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/telemetry"
)

// work runs the job's handler and decides what becomes of the job.
func (w *Worker) work(ctx context.Context, deadline time.Time, j Job, lease string) outcome {
	ctx = telemetry.WithJob(ctx, j.ID)
	runCtx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	// OnDead gets a little longer: the handler may have used up its time.
	buryCtx, cancelBury := context.WithDeadline(ctx, deadline.Add(w.cfg.Lease/2))
	defer cancelBury()
	o := outcome{job: j, lease: lease, state: done, attempt: j.Attempt}
	if j.Attempt > j.MaxAttempts {
		// Whoever tried it last never said how that went, killed perhaps by the job itself.
		return w.bury(buryCtx, o, errors.New("no attempt is left, and how the last one ended was not recorded"))
	}
	err := w.call(runCtx, j)
	later, putOff := errors.AsType[*retryAt](err)
	switch {
	case err == nil:
		return o
	case ctx.Err() != nil: // the process is ending; the try does not count
		return w.again(o, err, w.cfg.Now(), j.Attempt-1)
	case isPermanent(err):
		return w.bury(buryCtx, o, err)
	case putOff:
		return w.again(o, err, later.at, j.Attempt-1)
	case j.Attempt >= j.MaxAttempts:
		return w.bury(buryCtx, o, err)
	}
	wait := max(w.cfg.Backoff(j.Attempt), apperr.RetryAfterOf(err))
	w.cfg.Log.WarnContext(ctx, "job failed, will be tried again", "biller", j.Biller, "job", j.ID, "kind", j.Kind, "attempt", j.Attempt, "error", err)
	return w.again(o, err, w.cfg.Now().Add(wait), j.Attempt)
}

// call runs the handler; a panic is an error of this job only.
func (w *Worker) call(ctx context.Context, j Job) (err error) {
	ctx, span := telemetry.Start(ctx, "job "+j.Kind, trace.SpanKindConsumer)
	defer func() { telemetry.End(span, err) }()
	defer func() {
		if v := recover(); v != nil {
			w.cfg.Log.ErrorContext(ctx, "job handler panicked", "biller", j.Biller, "job", j.ID, "kind", j.Kind, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.cfg.Handlers[j.Kind](ctx, j)
}

func (w *Worker) again(o outcome, cause error, at time.Time, attempt int) outcome {
	o.state, o.runAt, o.attempt, o.err = pending, at, attempt, storable(cause)
	return o
}

// bury closes a job for good once OnDead has heard of it.
func (w *Worker) bury(ctx context.Context, o outcome, cause error) outcome {
	j := o.job
	w.cfg.Log.ErrorContext(ctx, "job failed for good", "biller", j.Biller, "job", j.ID, "kind", j.Kind, "attempt", j.Attempt, "error", cause)
	if err := w.callOnDead(ctx, j, cause); err != nil {
		w.cfg.Log.ErrorContext(ctx, "reporting a dead job failed", "biller", j.Biller, "job", j.ID, "kind", j.Kind, "error", err)
		return w.again(o, cause, w.cfg.Now().Add(w.cfg.Backoff(j.Attempt)), j.Attempt)
	}
	o.state, o.err = dead, storable(cause)
	return o
}

func (w *Worker) callOnDead(ctx context.Context, j Job, cause error) (err error) {
	if w.cfg.OnDead == nil {
		return nil
	}
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return w.cfg.OnDead(ctx, j, cause)
}

// settleTime is how long finished jobs wait for a database that is away.
const settleTime = time.Minute

// settleAll records outcomes as they come, those at hand together, one
// transaction a biller, and reports them when it is done with them. What it
// cannot record is tried again after the lease.
func (w *Worker) settleAll(ctx context.Context, outcomes <-chan outcome, ended chan<- []outcome) {
	for first := range outcomes {
		batch := atHand(first, outcomes)
		byBiller := map[string][]outcome{}
		for _, o := range batch {
			byBiller[o.job.Biller] = append(byBiller[o.job.Biller], o)
		}
		for biller, group := range byBiller {
			w.settle(ctx, biller, group)
		}
		ended <- batch
	}
}

// atHand returns first and whatever the channel holds without waiting.
func atHand(first outcome, rest <-chan outcome) []outcome {
	batch := []outcome{first}
	for {
		select {
		case o, ok := <-rest:
			if !ok {
				return batch
			}
			batch = append(batch, o)
		default:
			return batch
		}
	}
}

// settle records outcomes of one biller. While the database is away it tries
// again for a while, beyond the leases too: nobody else can take the jobs then.
// What is not recorded is done once more.
func (w *Worker) settle(ctx context.Context, biller string, group []outcome) {
	until := time.Now().Add(settleTime)
	for rest := 100 * time.Millisecond; ; rest = min(2*rest, 2*time.Second) {
		held, err := w.settleOnce(ctx, biller, group)
		if err == nil {
			if lost := int64(len(group)) - held; lost > 0 {
				w.cfg.Log.WarnContext(ctx, "jobs outlasted their lease", "biller", biller, "jobs", lost)
			}
			return
		}
		if !apperr.Is(err, apperr.Unavailable) || time.Now().Add(rest).After(until) || !pause(ctx, rest) {
			w.cfg.Log.ErrorContext(ctx, "recording finished jobs failed, they will run again", "biller", biller, "jobs", len(group), "error", err)
			return
		}
	}
}

// settleOnce records a cancelled handler's outcome too.
func (w *Worker) settleOnce(ctx context.Context, biller string, group []outcome) (held int64, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), statementLimit)
	defer cancel()
	return w.store.settle(ctx, biller, group, w.cfg.Now())
}

// pause waits and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
