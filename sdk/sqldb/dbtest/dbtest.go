// Package dbtest gives tests real databases: an SQLite file and a PostgreSQL
// database of their own for each test, migrated and empty.
//
// PostgreSQL is one throw-away server per test process, or, where TEST_POSTGRES_DSN
// is set (the command testpg sets it), one for all.
package dbtest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Run runs f as parallel subtests "sqlite" and "postgres", each with a database
// of its own to which the sets have been applied. "postgres" is skipped where
// PostgreSQL is not installed, and fails there if CI is "true".
func Run(t *testing.T, sets []sqldb.Migrations, f func(t *testing.T, db *sqldb.DB)) {
	t.Helper()
	t.Run(sqldb.SQLite, func(t *testing.T) {
		t.Parallel()
		f(t, MustOpen(t, SQLite(t, sets...)))
	})
	t.Run(sqldb.Postgres, func(t *testing.T) {
		t.Parallel()
		f(t, MustOpen(t, Postgres(t, sets...)))
	})
}

// MustOpen opens a database until the end of the test.
func MustOpen(tb testing.TB, cfg sqldb.Config) *sqldb.DB {
	tb.Helper()
	db, err := sqldb.Open(context.Background(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// SQLite returns a new SQLite file in the test's folder, with the sets applied;
// without sets it does not exist yet.
func SQLite(tb testing.TB, sets ...sqldb.Migrations) sqldb.Config {
	tb.Helper()
	cfg := sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(tb.TempDir(), "test.db")}
	if len(sets) == 0 {
		return cfg
	}
	image, err := templates().sqlite(tb.Context(), sets)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(cfg.DSN, image, 0o600); err != nil {
		tb.Fatal(err)
	}
	return cfg
}

// Postgres returns a new PostgreSQL database with the sets applied; without
// sets it is empty. It is dropped when the test ends. The user is the server's
// administrator.
func Postgres(tb testing.TB, sets ...sqldb.Migrations) sqldb.Config {
	tb.Helper()
	s := MustServer(tb)
	cfg, drop, err := templates().clone(tb.Context(), s, sets)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := drop(); err != nil {
			tb.Error(err)
		}
	})
	return cfg
}

// MustServer returns this process's PostgreSQL server, started on first use.
// Where PostgreSQL is not installed it skips the test, or fails it if CI is "true".
func MustServer(tb testing.TB) *Server {
	tb.Helper()
	s, err := shared()
	switch {
	case errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	return s
}

// The one server and the migrated templates of this process; both are made on
// first use and never change.
var (
	shared    = sync.OnceValues(func() (*Server, error) { return Start(context.Background()) })
	templates = sync.OnceValue(func() *templateCache { return &templateCache{} })
)
