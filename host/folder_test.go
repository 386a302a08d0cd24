package host

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// mustDatabase leaves an SQLite file whose last rows are in the -wal file, as a
// killed process does.
func mustDatabase(tb testing.TB, file string) {
	tb.Helper()
	work := filepath.Join(tb.TempDir(), "work.db")
	db, err := sqldb.Open(tb.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: work})
	mustDo(tb, err)
	for _, text := range []string{"CREATE TABLE t (n INTEGER)", "INSERT INTO t VALUES (7)"} {
		_, err := db.W.ExecContext(tb.Context(), text)
		mustDo(tb, err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		data, err := os.ReadFile(work + suffix)
		mustDo(tb, err)
		mustDo(tb, os.WriteFile(file+suffix, data, 0o600))
	}
	mustDo(tb, db.Close())
}

func mustRow(tb testing.TB, file string) {
	tb.Helper()
	db, err := sqldb.Open(tb.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: file})
	mustDo(tb, err)
	var n int
	if err := db.R.GetContext(tb.Context(), &n, "SELECT n FROM t"); err != nil || n != 7 {
		tb.Errorf("row = %d, %v", n, err)
	}
	mustDo(tb, db.Close())
}

func mustDo(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func withDatabase(id string) *manifest.Manifest {
	return &manifest.Manifest{ID: id, Permissions: []manifest.Permission{{Name: "database"}}}
}

// TestDatabaseMoves begins with the file where older versions had it, whole or
// after an interrupted move.
func TestDatabaseMoves(t *testing.T) {
	t.Parallel()
	for name, moved := range map[string][]string{
		"whole": nil, "interrupted after the first file": {"-wal"}, "interrupted before the last": {"-wal", "-shm"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			h := &Host{config: Config{DataDir: dir, Key: make([]byte, 32)}}
			old := filepath.Join(dir, "addon_my_hello.db")
			want := filepath.Join(dir, "addons", "my-hello", "data.db")
			mustDatabase(t, old)
			mustDo(t, os.MkdirAll(filepath.Dir(want), 0o700))
			for _, suffix := range moved {
				mustDo(t, os.Rename(old+suffix, want+suffix))
			}
			for range 2 { // the second start finds it moved
				env, err := h.env(t.Context(), withDatabase("my-hello"))
				if err != nil || env.Database.DSN != want || env.Database.DirectDSN != want || env.Folder != filepath.Dir(want) {
					t.Fatalf("env = %+v, %v", env, err)
				}
			}
			for _, suffix := range []string{"", "-wal", "-shm"} {
				if _, err := os.Lstat(old + suffix); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is still there: %v", old+suffix, err)
				}
			}
			mustRow(t, want)
		})
	}
}

// TestDatabaseDoesNotMove while somebody uses it, or onto another one.
func TestDatabaseDoesNotMove(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	old := filepath.Join(dir, "elsewhere.db")
	mustDatabase(t, old)
	h := &Host{config: Config{DataDir: dir, Key: make([]byte, 32), AddonDatabase: func(context.Context, string) (sdk.Database, error) {
		return sdk.Database{Driver: sqldb.SQLite, DSN: old, DirectDSN: old}, nil
	}}}
	db, err := sqldb.Open(t.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: old})
	mustDo(t, err)
	var n sql.NullInt64
	mustDo(t, db.R.GetContext(t.Context(), &n, "SELECT n FROM t"))
	if _, err := h.env(t.Context(), withDatabase("hello")); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("a database in use: %v", err)
	}
	mustDo(t, db.Close())
	env, err := h.env(t.Context(), withDatabase("hello"))
	mustDo(t, err)
	mustRow(t, env.Database.DSN)

	mustDatabase(t, old)
	if _, err := h.env(t.Context(), withDatabase("hello")); err == nil {
		t.Error("one database was laid over another")
	}
	mustRow(t, old)
	mustRow(t, env.Database.DSN)
}
