package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// again is how long Follow waits before it listens anew.
const again = 5 * time.Second

// Follow calls changed whenever what hosts are to run, or for whom, has changed in
// a transaction of any process, until ctx ends; then it returns nil. It also calls
// it when something may have been missed, and at most ten times a second, however
// many notifications come: they wake, and prove nothing. On SQLite it never calls
// it. failed hears why listening does not work just now; who follows should look
// now and then by himself.
func (s *Store) Follow(ctx context.Context, changed func(), failed func(error)) error {
	for {
		if err := s.follow(ctx, changed); err != nil && ctx.Err() == nil {
			failed(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(again):
		}
	}
}

func (s *Store) follow(ctx context.Context, changed func()) error {
	if s.db.Dialect() != sqldb.Postgres {
		<-ctx.Done()
		return nil
	}
	var schema string
	if err := s.db.R.GetContext(ctx, &schema, `SELECT current_schema()`); err != nil {
		return fmt.Errorf("find schema: %w", err)
	}
	return sqldb.ListenPaced(ctx, s.db.Config(), "host_"+schema, 100*time.Millisecond, func([]string) { changed() })
}

// notify tells all hosts, when the transaction commits, to look what they are to
// run. Every change of that calls it.
func (s *Store) notify(ctx context.Context, tx *sqlx.Tx, addonID string) error {
	if s.db.Dialect() != sqldb.Postgres {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `SELECT pg_notify('host_' || current_schema(), $1)`, addonID); err != nil {
		return fmt.Errorf("notify hosts: %w", err)
	}
	return nil
}

// change runs one statement that changes what hosts are to run of an add-on, and
// tells them if it met a row.
func (s *Store) change(ctx context.Context, addonID, query string, args ...any) (sql.Result, error) {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback()

	res, err := tx.ExecContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	n, err := res.RowsAffected()
	if err != nil {
		return nil, fmt.Errorf("count rows: %w", err)
	}
	if n > 0 {
		if err := s.notify(ctx, tx, addonID); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("commit: %w", err)
	}
	return res, nil
}

// changeRow is change for a statement that returns its one row into row;
// sql.ErrNoRows if there is none.
func (s *Store) changeRow(ctx context.Context, addonID string, row any, query string, args ...any) error {
	tx, err := s.db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()

	if err := tx.GetContext(ctx, row, query, args...); err != nil {
		return err
	}
	if err := s.notify(ctx, tx, addonID); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
