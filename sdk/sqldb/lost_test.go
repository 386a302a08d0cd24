package sqldb_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

func wantAway(t *testing.T, what string, err error) {
	t.Helper()
	if !apperr.Is(err, apperr.Unavailable) || apperr.RetryAfterOf(err) == 0 {
		t.Errorf("%s: %v, want Unavailable with a time to come back", what, err)
	}
}

// TestServerAway kills the server in the middle of a transaction and of an answer,
// and starts it again: everything says Unavailable meanwhile, and works after.
func TestServerAway(t *testing.T) {
	t.Parallel()
	server := dbtest.MustMortal(t)
	db := dbtest.MustOpen(t, server.Config)
	ctx := t.Context()
	mustExec(t, db, `CREATE TABLE notes (n INTEGER PRIMARY KEY)`)

	tx, err := db.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO notes (n) VALUES (1)`)
	rows, err2 := db.R.QueryContext(ctx, `SELECT repeat('x', 1000) FROM generate_series(1, 200000)`)
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	server.Kill()
	for rows.Next() {
	}
	wantAway(t, "rows", rows.Err())
	_, err = tx.ExecContext(ctx, `INSERT INTO notes (n) VALUES (2)`)
	wantAway(t, "statement of a transaction", err)
	wantAway(t, "commit", tx.Commit())
	for range 3 {
		var n int
		wantAway(t, "query", db.R.GetContext(ctx, &n, `SELECT COUNT(*) FROM notes`))
		_, err = db.W.ExecContext(ctx, `INSERT INTO notes (n) VALUES (3)`)
		wantAway(t, "statement", err)
		_, err = db.Begin(ctx)
		wantAway(t, "begin", err)
		wantAway(t, "ping", db.Ping(ctx))
	}
	_, err = sqldb.Open(ctx, server.Config)
	if !apperr.Is(err, apperr.Unavailable) || !strings.Contains(err.Error(), "127.0.0.1:") {
		t.Errorf("open: %v, want the address", err)
	}
	server.Start()
	mustExec(t, db, `INSERT INTO notes (n) VALUES (4)`)
	var kept []int
	if err := db.R.Select(&kept, `SELECT n FROM notes ORDER BY n`); err != nil || len(kept) != 1 || kept[0] != 4 {
		t.Errorf("notes = %v, %v", kept, err)
	}
	if _, err := db.W.Exec(`INSERT INTO notes (n) VALUES (4)`); !sqldb.IsUnique(err) || apperr.Is(err, apperr.Unavailable) {
		t.Errorf("violated key: %v", err)
	}
	if err := db.R.Get(new(int), `SELECT n FROM notes WHERE n = 5`); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("no row: %v", err)
	}
}

// TestServerEndsConnections is what an administrator does to move a database.
func TestServerEndsConnections(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Postgres(t)
	cfg.MaxConns = 1
	db, admin := dbtest.MustOpen(t, cfg), dbtest.MustOpen(t, cfg)
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if err := tx.Get(&pid, `SELECT pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
	mustExec(t, admin, `SELECT pg_terminate_backend($1)`, pid)
	_, err = tx.Exec(`SELECT 1`)
	wantAway(t, "terminated", err)
	wantAway(t, "rollback", tx.Rollback())
	if err := db.R.Get(&pid, `SELECT 1`); err != nil {
		t.Errorf("the next statement: %v", err)
	}
}

// TestSilentServer asks a server that keeps its connections and says nothing.
func TestSilentServer(t *testing.T) {
	t.Parallel()
	server := dbtest.MustMortal(t)
	cfg := server.Config
	cfg.MaxConns = 2
	db := dbtest.MustOpen(t, cfg)
	mustExec(t, db, `CREATE TABLE notes (n INTEGER)`)
	blocker, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(`LOCK TABLE notes`); err != nil {
		t.Fatal(err)
	}
	server.Freeze() // so that the request to cancel the statement gets no answer either
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := db.W.ExecContext(ctx, `INSERT INTO notes (n) VALUES (1)`); err == nil {
		t.Error("it was inserted")
	}
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	server.Thaw()
	if err := blocker.Rollback(); err != nil {
		t.Fatal(err)
	}
	mustExec(t, db, `INSERT INTO notes (n) VALUES (2)`)
}
