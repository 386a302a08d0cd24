package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// leases are those that this worker holds. It renews them while their jobs run,
// so that a lease can be short: what a killed worker held comes back soon.
type leases struct {
	w *Worker

	mu   sync.Mutex
	held map[string]*hold // by lease
	told time.Time        // when the log told last that the database is away
}

// hold is what one lease is for.
type hold struct {
	biller string
	jobs   map[string]bool // by id
	// since is when it was begun or renewed last.
	since time.Time
	// end is after when it is not renewed: a handler that does not return loses its job.
	end time.Time
}

func newLeases(w *Worker) *leases { return &leases{w: w, held: map[string]*hold{}} }

// add begins to hold the jobs that were just leased.
func (l *leases) add(lease, biller string, jobs []Job, end time.Time) {
	h := &hold{biller: biller, jobs: map[string]bool{}, since: time.Now(), end: end}
	for _, j := range jobs {
		h.jobs[j.ID] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held[lease] = h
}

// drop lets go of a job that is settled.
func (l *leases) drop(lease, id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.held[lease]
	if h == nil {
		return
	}
	delete(h.jobs, id)
	if len(h.jobs) == 0 {
		delete(l.held, lease)
	}
}

// renewUntil renews leases until ctx ends, each several times in its life.
func (l *leases) renewUntil(ctx context.Context) {
	every := time.NewTicker(max(l.w.cfg.Lease/8, time.Millisecond))
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			l.renew(ctx)
		}
	}
}

// renew prolongs the leases of which a quarter has passed. While the database is
// away nobody else can lease the jobs either.
func (l *leases) renew(ctx context.Context) {
	for lease, h := range l.due(time.Now()) {
		limited, cancel := context.WithTimeout(ctx, min(statementLimit, l.w.cfg.Lease))
		err := l.w.store.renew(limited, h.biller, slices.Collect(maps.Keys(h.jobs)), lease, l.w.cfg.Now().Add(l.w.cfg.Lease))
		cancel()
		switch {
		case err == nil:
			l.renewed(lease)
		case ctx.Err() != nil, apperr.Is(err, apperr.Unavailable) && time.Since(l.told) < awayEvery:
		default:
			l.told = time.Now()
			l.w.cfg.Log.WarnContext(ctx, "renewing leases failed", "biller", h.biller, "jobs", len(h.jobs), "error", err)
		}
	}
}

// due returns copies of the holds to renew now.
func (l *leases) due(now time.Time) map[string]hold {
	l.mu.Lock()
	defer l.mu.Unlock()
	due := map[string]hold{}
	for lease, h := range l.held {
		if now.Sub(h.since) >= l.w.cfg.Lease/4 && now.Before(h.end) {
			copied := *h
			copied.jobs = maps.Clone(h.jobs)
			due[lease] = copied
		}
	}
	return due
}

func (l *leases) renewed(lease string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[lease]; h != nil {
		h.since = time.Now()
	}
}

// holds tells whether the worker has the job in hand: after a step of the clock,
// or an outage of the database, a lease may seem to have ended that has not.
func (l *leases) holds(biller, id string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range l.held {
		if h.biller == biller && h.jobs[id] && time.Now().Before(h.end.Add(settleTime)) {
			return true
		}
	}
	return false
}

const selectLeased = `
	SELECT id
	FROM jobs
	WHERE biller_id = ? AND state = 0 AND lease = ? AND id IN (?)`

// renew moves the end of a lease. Jobs that are being settled, or belong to
// somebody else by now, stay as they are; it waits for nobody, so that it and
// those who settle cannot wait for each other.
func (s store) renew(ctx context.Context, biller string, ids []string, lease string, until time.Time) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	query, args, err := sqlx.In(selectLeased, biller, lease, ids)
	if err != nil {
		return err
	}
	var held []string
	if err := tx.SelectContext(ctx, &held, tx.Rebind(query+s.db.SkipLocked()), args...); err != nil {
		return fmt.Errorf("select leased jobs: %w", err)
	}
	if len(held) == 0 {
		return nil
	}
	query, args, err = sqlx.In(`
		UPDATE jobs
		SET run_at = ?
		WHERE biller_id = ? AND id IN (?)`, until.UnixMilli(), biller, held)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, tx.Rebind(query), args...); err != nil {
		return fmt.Errorf("renew leases: %w", err)
	}
	return tx.Commit()
}
