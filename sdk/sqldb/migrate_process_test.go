package sqldb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// migrateEnv makes TestMain of the test binary a program that migrates the
// database it names.
const migrateEnv = "SQLDB_MIGRATE"

// slowEnv makes that program take minutes for the slow file on SQLite.
const slowEnv = "SQLDB_SLOW"

func TestMain(m *testing.M) {
	if at := os.Getenv(migrateEnv); at != "" {
		if err := migrateProgram(at); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func migrateProgram(at string) error {
	var cfg sqldb.Config
	if err := json.Unmarshal([]byte(at), &cfg); err != nil {
		return err
	}
	db, err := sqldb.Open(context.Background(), cfg)
	if err != nil {
		return err
	}
	return errors.Join(sqldb.Migrate(context.Background(), db, slow(), things()), db.Close())
}

// slow is a set whose second file stops in its middle: on PostgreSQL until the test
// gives a lock back, on SQLite for minutes where the environment says so.
func slow() sqldb.Migrations {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)} }
	const first, before, after = "CREATE TABLE slow_a (x INTEGER);\nINSERT INTO slow_a (x) VALUES (1);\n",
		"CREATE TABLE slow_b (x INTEGER);\nINSERT INTO slow_b (x) VALUES (1);\n", "INSERT INTO slow_a (x) VALUES (2);\n"
	rows := "10"
	if os.Getenv(slowEnv) != "" {
		rows = "1000000000"
	}
	return sqldb.Migrations{Name: "slow", Program: 1, Files: fstest.MapFS{
		"postgres/1_a.sql": file(first),
		"postgres/2_b.sql": file(before + "SELECT pg_advisory_xact_lock_shared(77);\n" + after),
		"sqlite/1_a.sql":   file(first),
		"sqlite/2_b.sql": file(before + `INSERT INTO slow_b (x) WITH RECURSIVE n(x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM n WHERE x < ` + rows + `)
			SELECT x FROM n WHERE x = ` + rows + `;` + "\n" + after),
	}}
}

type migrating struct {
	*exec.Cmd
	ended chan error
}

func mustMigrateProgram(t *testing.T, cfg sqldb.Config, env ...string) *migrating {
	t.Helper()
	at, err := json.Marshal(struct{ Driver, DSN, DirectDSN string }{cfg.Driver, cfg.DSN, cfg.DirectDSN})
	if err != nil {
		t.Fatal(err)
	}
	m := &migrating{Cmd: exec.Command(os.Args[0]), ended: make(chan error, 1)}
	m.Env = append(append(os.Environ(), env...), migrateEnv+"="+string(at))
	m.Stderr = t.Output()
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { m.ended <- m.Wait() }()
	return m
}

// TestMigratingProcessIsKilled starts three programs that migrate at once, kills
// the one that does it in the middle of a file, and looks what the others make.
func TestMigratingProcessIsKilled(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{sqldb.SQLite, sqldb.Postgres} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			cfg, midway, goOn := mustStopMidway(t, driver)
			first := mustMigrateProgram(t, cfg, slowEnv+"=1")
			midway()
			others := []*migrating{mustMigrateProgram(t, cfg), mustMigrateProgram(t, cfg)}
			if err := first.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if err := <-first.ended; err == nil {
				t.Error("it had ended before it was killed")
			}
			goOn()
			for _, m := range others {
				if err := <-m.ended; err != nil {
					t.Errorf("another one: %v", err)
				}
			}
			wantSlow(t, cfg)
		})
	}
}

// mustStopMidway returns a new database, and functions that wait until the slow
// file is being applied and let it be finished.
func mustStopMidway(t *testing.T, driver string) (cfg sqldb.Config, midway, goOn func()) {
	t.Helper()
	if driver == sqldb.SQLite {
		cfg = dbtest.SQLite(t)
		db := dbtest.MustOpen(t, cfg)
		return cfg, func() {
			until(t, "the first file is applied", func() bool { return has(db, `SELECT x FROM slow_a WHERE x = 1`) })
		}, func() {}
	}
	cfg = dbtest.Postgres(t)
	db := dbtest.MustOpen(t, cfg)
	held, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.Exec(`SELECT pg_advisory_xact_lock(77)`); err != nil {
		t.Fatal(err)
	}
	waiting := `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND NOT granted`
	return cfg, func() { until(t, "the second file is being applied", func() bool { return has(db, waiting) }) }, func() {
		if err := held.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
}

func has(db *sqldb.DB, query string) bool {
	var n int
	return db.R.Get(&n, query) == nil
}

// wantSlow checks that each file was applied once.
func wantSlow(t *testing.T, cfg sqldb.Config) {
	t.Helper()
	db := dbtest.MustOpen(t, cfg)
	var a, versions []int
	if err := errors.Join(
		db.R.Select(&a, `SELECT x FROM slow_a ORDER BY x`),
		db.R.Select(&versions, `SELECT version_id FROM slow_schema_version ORDER BY version_id`),
	); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([][]int{{1, 2}, {0, 1, 2}}, [][]int{a, versions}); diff != "" {
		t.Error(diff)
	}
	if err := sqldb.Check(t.Context(), db, slow(), things()); err != nil {
		t.Error(err)
	}
	var n int
	if err := db.R.Get(&n, `SELECT COUNT(*) FROM slow_b WHERE x = 1`); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// TestOneProcessMigrates starts five programs at once on an empty database.
func TestOneProcessMigrates(t *testing.T) {
	t.Parallel()
	for _, driver := range []string{sqldb.SQLite, sqldb.Postgres} {
		t.Run(driver, func(t *testing.T) {
			t.Parallel()
			cfg, _, goOn := mustStopMidway(t, driver)
			goOn()
			var all []*migrating
			for range 5 {
				all = append(all, mustMigrateProgram(t, cfg))
			}
			for _, m := range all {
				if err := <-m.ended; err != nil {
					t.Error(err)
				}
			}
			wantSlow(t, cfg)
		})
	}
}

// TestAlone counts in turns what would get lost if two counted at once.
func TestAlone(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		mustExec(t, db, `CREATE TABLE counts (n INTEGER)`)
		mustExec(t, db, `INSERT INTO counts (n) VALUES (0)`)
		errs := make(chan error, 16)
		for range cap(errs) {
			go func() {
				errs <- sqldb.Alone(t.Context(), db, func(ctx context.Context) error {
					var n int
					if err := db.R.GetContext(ctx, &n, `SELECT n FROM counts`); err != nil {
						return err
					}
					time.Sleep(time.Millisecond)
					_, err := db.W.ExecContext(ctx, `UPDATE counts SET n = $1`, n+1)
					return err
				})
			}()
		}
		for range cap(errs) {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if !has(db, `SELECT n FROM counts WHERE n = 16`) {
			t.Error("some counts are lost")
		}
	})
}
