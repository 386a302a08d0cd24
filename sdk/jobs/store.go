package jobs

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// The states of a row.
const (
	pending = 0
	done    = 1
	dead    = 2
)

// store is the workers' side of the table jobs.
type store struct {
	db *sqldb.DB
}

// due lists billers after the given one that have due jobs of the kinds, in
// order. It, dueOf, backlog and prune alone ask across billers.
func (s store) due(ctx context.Context, kinds []string, now time.Time, after string, limit int) ([]string, error) {
	var billers []string
	query, args, err := sqlx.In(`
		SELECT DISTINCT biller_id
		FROM jobs
		WHERE state = 0 AND run_at <= ? AND biller_id > ? AND kind IN (?)
		ORDER BY biller_id
		LIMIT ?`, now.UnixMilli(), after, kinds, limit)
	if err != nil {
		return nil, err
	}
	if err := s.db.R.SelectContext(ctx, &billers, s.db.R.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("find due jobs: %w", err)
	}
	return billers, nil
}

// dueOf lists those of the billers that have due jobs of the kinds.
func (s store) dueOf(ctx context.Context, kinds []string, now time.Time, billers []string) ([]string, error) {
	query, args, err := sqlx.In(`
		SELECT DISTINCT biller_id
		FROM jobs
		WHERE biller_id IN (?) AND state = 0 AND run_at <= ? AND kind IN (?)
		ORDER BY biller_id`, billers, now.UnixMilli(), kinds)
	if err != nil {
		return nil, err
	}
	var due []string
	if err := s.db.R.SelectContext(ctx, &due, s.db.R.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("find billers with due jobs: %w", err)
	}
	return due, nil
}

const selectDue = `
	SELECT
		id,
		kind,
		payload,
		idem_key,
		run_at,
		attempt,
		max_attempts
	FROM jobs
	WHERE biller_id = ? AND state = 0 AND run_at <= ? AND kind IN (?)
	ORDER BY run_at, id
	LIMIT ?`

// claim leases up to limit due jobs of one biller until the given time and
// counts the attempt. A lease is a job's run_at moved ahead, so an abandoned job
// is due again by itself; those that the caller still holds are left. There are two
// statements because PostgreSQL may plan one UPDATE … IN (SELECT … LIMIT) as a loop
// over the whole queue.
func (s store) claim(ctx context.Context, biller string, kinds []string, limit int, now, until time.Time, lease string, holds func(biller, id string) bool) ([]Job, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()
	query, args, err := sqlx.In(selectDue, biller, now.UnixMilli(), kinds, limit)
	if err != nil {
		return nil, err
	}
	var rows []row
	if err := tx.SelectContext(ctx, &rows, tx.Rebind(query+s.db.SkipLocked()), args...); err != nil {
		return nil, fmt.Errorf("select due jobs: %w", err)
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return holds(biller, r.ID) })
	if len(rows) == 0 {
		return nil, nil
	}
	jobs, ids := make([]Job, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		jobs[i], ids[i] = r.job(biller), r.ID
	}
	query, args, err = sqlx.In(`
		UPDATE jobs
		SET run_at = ?, attempt = attempt + 1, lease = ?
		WHERE biller_id = ? AND id IN (?)`, until.UnixMilli(), lease, biller, ids)
	if err != nil {
		return nil, err
	}
	if _, err := tx.ExecContext(ctx, tx.Rebind(query), args...); err != nil {
		return nil, fmt.Errorf("lease jobs: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit lease: %w", err)
	}
	return jobs, nil
}

type row struct {
	ID          string `db:"id"`
	Kind        string `db:"kind"`
	Payload     string `db:"payload"`
	IdemKey     string `db:"idem_key"`
	RunAt       int64  `db:"run_at"`
	Attempt     int    `db:"attempt"`
	MaxAttempts int    `db:"max_attempts"`
}

// job returns the row as its handler sees it, the coming attempt counted.
func (r row) job(biller string) Job {
	return Job{
		Biller:      biller,
		ID:          r.ID,
		Kind:        r.Kind,
		Payload:     r.Payload,
		IdemKey:     r.IdemKey,
		RunAt:       time.UnixMilli(r.RunAt).UTC(),
		MaxAttempts: r.MaxAttempts,
		Attempt:     r.Attempt + 1,
	}
}

// outcome is what became of a leased job.
type outcome struct {
	job   Job
	lease string
	state int       // pending: try again at runAt
	runAt time.Time // of a pending job
	// attempt is the count to store; less than the job's if this try is not to count.
	attempt int
	err     string
}

// settle records the outcomes of one biller's jobs and returns how many were
// still held by their lease: a job whose lease ran out belongs to somebody else,
// and stays as it is.
func (s store) settle(ctx context.Context, biller string, outcomes []outcome, now time.Time) (held int64, err error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	finished := map[string][]string{} // ids by lease
	for _, o := range outcomes {
		if o.state == done {
			finished[o.lease] = append(finished[o.lease], o.job.ID)
			continue
		}
		n, err := settleFailed(ctx, tx, o, now)
		if err != nil {
			return 0, err
		}
		held += n
	}
	for lease, ids := range finished {
		n, err := settleDone(ctx, tx, biller, lease, ids, now)
		if err != nil {
			return 0, err
		}
		held += n
	}
	return held, tx.Commit()
}

func settleDone(ctx context.Context, tx *sqlx.Tx, biller, lease string, ids []string, now time.Time) (int64, error) {
	query, args, err := sqlx.In(`
		UPDATE jobs
		SET state = 1, done_at = ?, lease = '', last_error = ''
		WHERE biller_id = ? AND lease = ? AND id IN (?)`, now.UnixMilli(), biller, lease, ids)
	if err != nil {
		return 0, err
	}
	result, err := tx.ExecContext(ctx, tx.Rebind(query), args...)
	if err != nil {
		return 0, fmt.Errorf("settle done jobs: %w", err)
	}
	return result.RowsAffected()
}

func settleFailed(ctx context.Context, tx *sqlx.Tx, o outcome, now time.Time) (int64, error) {
	var doneAt *int64
	if o.state == dead {
		ms := now.UnixMilli()
		doneAt, o.runAt = &ms, now
	}
	result, err := tx.ExecContext(ctx, `
		UPDATE jobs
		SET
			state = $1,
			run_at = $2,
			attempt = $3,
			last_error = $4,
			done_at = $5,
			lease = ''
		WHERE biller_id = $6 AND id = $7 AND lease = $8`,
		o.state, o.runAt.UnixMilli(), o.attempt, o.err, doneAt, o.job.Biller, o.job.ID, o.lease)
	if err != nil {
		return 0, fmt.Errorf("settle failed job: %w", err)
	}
	return result.RowsAffected()
}

const (
	pruneBillers = 50
	pruneRows    = 500
)

// prune deletes jobs that ended so before the given time, at most 500 of each of 50
// billers, and returns how many. The state is part of the text, as each has an
// index of its own.
func (s store) prune(ctx context.Context, state int, before time.Time) (int64, error) {
	ended := ` state = ` + strconv.Itoa(state)
	var billers []string
	if err := s.db.R.SelectContext(ctx, &billers, `
		SELECT DISTINCT biller_id
		FROM jobs
		WHERE`+ended+` AND done_at < $1
		ORDER BY biller_id
		LIMIT $2`, before.UnixMilli(), pruneBillers); err != nil {
		return 0, fmt.Errorf("find old jobs: %w", err)
	}
	var total int64
	for _, biller := range billers {
		n, err := s.pruneBiller(ctx, biller, ended, before)
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func (s store) pruneBiller(ctx context.Context, biller, ended string, before time.Time) (int64, error) {
	var ids []string
	if err := s.db.R.SelectContext(ctx, &ids, `
		SELECT id
		FROM jobs
		WHERE biller_id = $1 AND`+ended+` AND done_at < $2
		ORDER BY done_at
		LIMIT $3`, biller, before.UnixMilli(), pruneRows); err != nil || len(ids) == 0 {
		return 0, err
	}
	query, args, err := sqlx.In(`DELETE FROM jobs WHERE biller_id = ? AND`+ended+` AND id IN (?)`, biller, ids)
	if err != nil {
		return 0, err
	}
	result, err := s.db.W.ExecContext(ctx, s.db.W.Rebind(query), args...)
	if err != nil {
		return 0, fmt.Errorf("delete old jobs: %w", err)
	}
	return result.RowsAffected()
}

// mailAddress is what may be one, in the words of a mail server, say.
var mailAddress = regexp.MustCompile(`[^\s<>()",;:\[\]]+@[^\s<>()",;:\[\]]+`)

// storable shortens an error's text, makes it valid for both databases and leaves
// addresses of people out of it: whoever is erased must not stay in a job.
func storable(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "�"), "\x00", "")
	text = mailAddress.ReplaceAllString(text, "(an address)")
	if runes := []rune(text); len(runes) > 500 {
		return string(slices.Concat(runes[:499], []rune("…")))
	}
	return text
}
