package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Backlog is the work that waits for a worker.
type Backlog struct {
	// Due is how many jobs are due and not being done.
	Due int64
	// Age is how long the oldest of them has been due; 0 if there is none.
	Age time.Duration
}

// Backlog counts the due jobs of all billers, for metrics: it looks at each.
func (w *Worker) Backlog(ctx context.Context) (Backlog, error) {
	now := w.cfg.Now()
	due, oldest, err := w.store.backlog(ctx, now)
	if err != nil || due == 0 {
		return Backlog{}, err
	}
	return Backlog{Due: due, Age: now.Sub(oldest)}, nil
}

// backlog counts due jobs across billers.
func (s store) backlog(ctx context.Context, now time.Time) (due int64, oldest time.Time, err error) {
	var row struct {
		Due    int64         `db:"due"`
		Oldest sql.NullInt64 `db:"oldest"`
	}
	if err := s.db.R.GetContext(ctx, &row, `
		SELECT
			COUNT(*) AS due,
			MIN(run_at) AS oldest
		FROM jobs
		WHERE state = 0 AND run_at <= $1`, now.UnixMilli()); err != nil {
		return 0, time.Time{}, fmt.Errorf("count due jobs: %w", err)
	}
	return row.Due, time.UnixMilli(row.Oldest.Int64), nil
}
