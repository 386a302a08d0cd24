// Package sqldb opens and migrates the databases of the host and of add-ons:
// SQLite on one machine, PostgreSQL everywhere else, one SQL text for both.
// It is the only package that imports drivers.
//
// Bind times with Time, JSON and UUIDs as string, and booleans as bool; number
// placeholders $1, $2; inside a transaction pass the transaction everywhere,
// because SQLite has a single writer connection.
package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// DB is an open database. It is safe for concurrent use.
type DB struct {
	// W runs statements that write. On SQLite it is a single connection whose
	// transactions take the write lock when they begin.
	W *sqlx.DB
	// R runs statements that only read. On SQLite it is a read-only pool that sees
	// the last commit and never waits for the writer; on PostgreSQL it is W.
	R *sqlx.DB

	cfg Config
}

const connectTimeout = 15 * time.Second

// Open connects to the database and checks that it answers. An SQLite file is
// created with mode 0600 if it is missing; its folder must exist. It fails with
// Unavailable if the database cannot be reached; the error is one line and holds
// no password.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var db *DB
	var err error
	switch cfg.Driver {
	case Postgres:
		db, err = openPostgres(ctx, cfg)
	case SQLite:
		db, err = openSQLite(ctx, cfg)
	default:
		return nil, apperr.Errorf(apperr.Invalid, "Unknown database driver %q.", cfg.Driver)
	}
	if apperr.Is(err, apperr.Unavailable) {
		return nil, err
	}
	if err != nil {
		return nil, unreachable(err)
	}
	return db, nil
}

func openPostgres(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 20
	}
	c, err := newConnector(cfg.DSN)
	if err != nil {
		return nil, err
	}
	pool := sqlx.NewDb(sql.OpenDB(traced{c, "postgresql"}), Postgres)
	pool.SetMaxOpenConns(cfg.MaxConns)
	pool.SetMaxIdleConns(cfg.MaxConns)
	pool.SetConnMaxIdleTime(time.Minute)
	pool.SetConnMaxLifetime(5 * time.Minute) // leaves a server that was demoted
	if err := pool.PingContext(ctx); err != nil {
		_ = pool.Close() // the ping's error says more
		return nil, err
	}
	return &DB{W: pool, R: pool, cfg: cfg}, nil
}

func openSQLite(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 4
	}
	file, err := os.OpenFile(cfg.DSN, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	dsn := "file:" + (&url.URL{Path: cfg.DSN}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_time_format=sqlite&_texttotime=1&_timezone=UTC"
	w, err := openTraced(dsn + "&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	w.SetMaxOpenConns(1)
	r, err := openTraced(dsn + "&mode=ro&_pragma=query_only(1)")
	if err != nil {
		_ = w.Close() // nothing was written
		return nil, err
	}
	r.SetMaxOpenConns(cfg.MaxConns)
	r.SetMaxIdleConns(cfg.MaxConns)
	db := &DB{W: w, R: r, cfg: cfg}
	if err := db.Ping(ctx); err != nil {
		_ = db.Close() // the ping's error says more
		return nil, err
	}
	return db, nil
}

// Config returns the configuration the database was opened with.
func (db *DB) Config() Config { return db.cfg }

// Dialect returns SQLite or Postgres.
func (db *DB) Dialect() string { return db.cfg.Driver }

// Begin starts a transaction that may write. The caller ends it:
// defer tx.Rollback(), return tx.Commit().
func (db *DB) Begin(ctx context.Context) (*sqlx.Tx, error) {
	tx, err := db.W.BeginTxx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	return tx, nil
}

// ForUpdate returns the suffix that locks the rows a SELECT returns until the
// transaction ends; empty on SQLite, where a transaction is alone anyway.
func (db *DB) ForUpdate() string {
	if db.cfg.Driver == Postgres {
		return " FOR UPDATE"
	}
	return ""
}

// SkipLocked returns the suffix that locks the rows a SELECT returns and passes
// over those another transaction holds; empty on SQLite.
func (db *DB) SkipLocked() string {
	if db.cfg.Driver == Postgres {
		return " FOR UPDATE SKIP LOCKED"
	}
	return ""
}

// Ping reports whether the database answers, for readers and writers.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.W.PingContext(ctx); err != nil {
		return fmt.Errorf("ping writer: %w", err)
	}
	if db.R == db.W {
		return nil
	}
	if err := db.R.PingContext(ctx); err != nil {
		return fmt.Errorf("ping reader: %w", err)
	}
	return nil
}

// Close closes all connections, readers first so that SQLite's last connection,
// the writer, folds the write-ahead log into the file.
func (db *DB) Close() error {
	var reader error
	if db.R != db.W {
		reader = db.R.Close()
	}
	if err := errors.Join(reader, db.W.Close()); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// Time returns t as both databases keep it: UTC, whole microseconds, no
// monotonic clock. Bind only such times, and compare what was read through it.
func Time(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// oneLine keeps an operator's error message on one line.
type oneLine struct{ error }

func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }
func (e oneLine) Unwrap() error { return e.error }
