package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

type processRow struct {
	HostID     string       `db:"host_id"`
	AddonID    string       `db:"addon_id"`
	Host       string       `db:"host"`
	Version    string       `db:"version"`
	Digest     string       `db:"digest"`
	State      string       `db:"state"`
	Since      time.Time    `db:"since"`
	NextTry    sql.NullTime `db:"next_try"`
	Error      string       `db:"error"`
	PID        int          `db:"pid"`
	Protection string       `db:"protection"`
	Heartbeat  time.Time    `db:"heartbeat"`
}

func (r processRow) process() addon.Process {
	return addon.Process{
		HostID:     r.HostID,
		Host:       r.Host,
		AddonID:    r.AddonID,
		Version:    addon.Version{Version: r.Version, Digest: r.Digest},
		State:      r.State,
		Since:      r.Since.UTC(),
		RetryAt:    moment(r.NextTry),
		Error:      r.Error,
		PID:        r.PID,
		Protection: strings.Fields(r.Protection),
		Heartbeat:  r.Heartbeat.UTC(),
	}
}

// ReportProcesses replaces what a host has said about its add-ons; the heartbeat
// is now, whatever the list says. It is one statement of the platform about
// itself and names no biller.
func (s *Store) ReportProcesses(ctx context.Context, hostID, host string, list []addon.Process) error {
	tx, err := s.db.W.BeginTxx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer tx.Rollback()
	_, err = tx.ExecContext(ctx, `
		DELETE FROM addon_processes
		WHERE host_id = $1`, hostID)
	if err != nil {
		return fmt.Errorf("replace processes: %w", err)
	}
	for _, p := range list {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO addon_processes (
				host_id,
				addon_id,
				host,
				version,
				digest,
				state,
				since,
				next_try,
				error,
				pid,
				protection,
				heartbeat
			)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
			hostID, p.AddonID, host, p.Version.Version, p.Digest, p.State, sqldb.Time(p.Since), sql.NullTime{Time: sqldb.Time(p.RetryAt), Valid: !p.RetryAt.IsZero()},
			p.Error, p.PID, strings.Join(p.Protection, " "), s.now())
		if err != nil {
			return fmt.Errorf("insert process: %w", err)
		}
	}
	return tx.Commit()
}

// Processes returns what all hosts have said, by add-on and host; those that have
// gone without a word too.
func (s *Store) Processes(ctx context.Context) ([]addon.Process, error) {
	var rows []processRow
	err := s.db.R.SelectContext(ctx, &rows, `
		SELECT
			host_id,
			addon_id,
			host,
			version,
			digest,
			state,
			since,
			next_try,
			error,
			pid,
			protection,
			heartbeat
		FROM addon_processes
		ORDER BY
			addon_id,
			host,
			host_id`)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	list := make([]addon.Process, len(rows))
	for i, r := range rows {
		list[i] = r.process()
	}
	return list, nil
}

// SweepProcesses forgets what hosts said that have been silent since before.
func (s *Store) SweepProcesses(ctx context.Context, before time.Time) error {
	_, err := s.db.W.ExecContext(ctx, `
		DELETE FROM addon_processes
		WHERE heartbeat < $1`, sqldb.Time(before))
	if err != nil {
		return fmt.Errorf("sweep processes: %w", err)
	}
	return nil
}
