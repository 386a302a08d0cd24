package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

const (
	insertRows = 500 // rows a statement
	// defaultMaxAttempts outlasts, at the default back-off, a mail server that is
	// down for a night.
	defaultMaxAttempts = 22
)

// Enqueue writes jobs down in the caller's transaction: they run if it commits.
// A job whose biller has one with the same IdemKey is dropped without an error.
// On PostgreSQL the commit wakes the workers of all processes; on SQLite call
// Worker.Wake after it.
func Enqueue(ctx context.Context, tx *sqlx.Tx, jobs ...Job) error {
	now := time.Now()
	jobs, err := complete(jobs, now)
	if err != nil {
		return fmt.Errorf("enqueue: %w", err)
	}
	for part := range slices.Chunk(jobs, insertRows) {
		if err := insert(ctx, tx, part, now); err != nil {
			return fmt.Errorf("enqueue: %w", err)
		}
	}
	if tx.DriverName() != sqldb.Postgres {
		return nil
	}
	return notify(ctx, tx, jobs, now)
}

// complete returns the jobs with their defaults, in the order of their unique
// keys, so that transactions that insert the same keys cannot deadlock.
func complete(jobs []Job, now time.Time) ([]Job, error) {
	jobs = slices.Clone(jobs)
	for i := range jobs {
		j := &jobs[i]
		if j.Biller == "" || j.Kind == "" {
			return nil, errors.New("a job needs a biller and a kind")
		}
		if j.ID == "" {
			id, err := uuid.NewV7()
			if err != nil {
				return nil, err
			}
			j.ID = id.String()
		}
		j.Payload = cmp.Or(j.Payload, "{}")
		if !json.Valid([]byte(j.Payload)) {
			return nil, fmt.Errorf("the payload of a %s job is not JSON", j.Kind)
		}
		j.IdemKey = cmp.Or(j.IdemKey, j.ID)
		j.MaxAttempts = cmp.Or(j.MaxAttempts, defaultMaxAttempts)
		if j.RunAt.IsZero() {
			j.RunAt = now
		}
	}
	slices.SortFunc(jobs, func(a, b Job) int {
		return cmp.Or(cmp.Compare(a.Biller, b.Biller), cmp.Compare(a.IdemKey, b.IdemKey))
	})
	return jobs, nil
}

func insert(ctx context.Context, tx *sqlx.Tx, jobs []Job, now time.Time) error {
	var values strings.Builder
	args := make([]any, 0, 8*len(jobs))
	for i, j := range jobs {
		if i > 0 {
			values.WriteString(", ")
		}
		n := len(args)
		fmt.Fprintf(&values, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
		args = append(args, j.Biller, j.ID, j.Kind, j.Payload, j.IdemKey, j.RunAt.UnixMilli(), j.MaxAttempts, now.UnixMilli())
	}
	_, err := tx.ExecContext(ctx, `
		INSERT INTO jobs (biller_id, id, kind, payload, idem_key, run_at, max_attempts, created_at)
		VALUES `+values.String()+`
		ON CONFLICT (biller_id, idem_key) DO NOTHING`, args...)
	return err
}

// notify tells the workers of all processes which billers have due jobs. The
// server sends equal notifications of a transaction once.
func notify(ctx context.Context, tx *sqlx.Tx, jobs []Job, now time.Time) error {
	last := ""
	for _, j := range jobs {
		if j.Biller == last || j.RunAt.After(now) {
			continue
		}
		last = j.Biller
		if _, err := tx.ExecContext(ctx, `SELECT pg_notify('jobs_' || current_schema(), $1)`, j.Biller); err != nil {
			return fmt.Errorf("notify workers: %w", err)
		}
	}
	return nil
}

// Purge deletes all jobs of a biller, done or not, in the caller's transaction.
// A job that is running ends without a trace.
func Purge(ctx context.Context, tx *sqlx.Tx, biller string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM jobs WHERE biller_id = $1`, biller); err != nil {
		return fmt.Errorf("purge jobs: %w", err)
	}
	return nil
}
