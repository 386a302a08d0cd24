package sqldb_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

func set(program int, texts ...string) sqldb.Migrations {
	names := []string{"0001_one.sql", "0002_two.sql", "0003_three.sql"}
	up := map[string]string{}
	for i, text := range texts {
		up[names[i]] = text
	}
	return sqldb.Migrations{Name: "app", Program: program, Files: files(up)}
}

const (
	first    = `CREATE TABLE a (biller_id TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (biller_id, id));`
	second   = `CREATE TABLE b (biller_id TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (biller_id, id));`
	contract = `DROP TABLE a; UPDATE schema_compat SET compat = 2 WHERE name = 'app';`
	broken   = `CREATE TABLE half (x TEXT); CREATE TABLE a (x TEXT);`
)

func TestMigrateSteps(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		old, expanded, contracted := set(1, first), set(2, first, second), set(3, first, second, contract)

		assertPending(t, db, expanded, 1, 2)
		if err := sqldb.Check(ctx, db, expanded); !apperr.Is(err, apperr.Conflict) {
			t.Errorf("Check of an empty database = %v, want Conflict", err)
		}
		for _, m := range []sqldb.Migrations{old, old, expanded} {
			if err := sqldb.Migrate(ctx, db, m); err != nil {
				t.Fatal(err)
			}
		}
		assertPending(t, db, expanded)
		assertPending(t, db, contracted, 3)
		if err := sqldb.Check(ctx, db, old); err != nil {
			t.Errorf("the release before is refused on an expanded schema: %v", err)
		}
		if err := sqldb.Migrate(ctx, db, contracted); err != nil {
			t.Fatal(err)
		}
		if err := sqldb.Check(ctx, db, expanded); err != nil {
			t.Errorf("release 2 is refused, though the schema supports it: %v", err)
		}
		if err := sqldb.Check(ctx, db, old); !apperr.Is(err, apperr.Conflict) {
			t.Errorf("Check of release 1 on a contracted schema = %v, want Conflict", err)
		}
		if err := sqldb.Migrate(ctx, db, old); !apperr.Is(err, apperr.Conflict) {
			t.Errorf("Migrate of release 1 on a contracted schema = %v, want Conflict", err)
		}
	})
}

func TestMigrateFailureChangesNothing(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		err := sqldb.Migrate(t.Context(), db, set(1, first, broken))
		if err == nil || !strings.Contains(err.Error(), "version:2") {
			t.Errorf("Migrate = %v, want an error that names version 2", err)
		}
		assertPending(t, db, set(1, first, broken), 2)
		if err := sqldb.Migrate(t.Context(), db, set(1, first, second)); err != nil {
			t.Errorf("after the repair: %v", err)
		}
		if _, err := db.W.Exec(`SELECT x FROM half`); err == nil {
			t.Error("half a migration stayed")
		}
	})
}

func TestMigrateSeveralSets(t *testing.T) {
	t.Parallel()
	other := sqldb.Migrations{Name: "other", Program: 1, Files: files(map[string]string{"0001_c.sql": `CREATE TABLE c (x TEXT);`})}
	dbtest.Run(t, []sqldb.Migrations{set(1, first), other}, func(t *testing.T, db *sqldb.DB) {
		if err := sqldb.Check(t.Context(), db, set(1, first), other); err != nil {
			t.Error(err)
		}
		assertPending(t, db, set(1, first, second), 2)
	})
}

// Five callers with databases of their own behave like five processes: the
// schema lock is a table's row or a file, never one in memory.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, nil, func(t *testing.T, db *sqldb.DB) {
		errs := make([]error, 5)
		var wg sync.WaitGroup
		for i := range errs {
			own := dbtest.MustOpen(t, db.Config())
			wg.Go(func() { errs[i] = sqldb.Migrate(t.Context(), own, set(1, first, second)) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Error(err)
		}
		assertPending(t, db, set(1, first, second))
	})
}

func TestMigrateRefusesMalformedSets(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.SQLite(t))
	for _, m := range []sqldb.Migrations{
		{Name: "x; DROP", Program: 1, Files: set(1, first).Files},
		{Name: "x", Files: set(1, first).Files},
		{Name: "x", Program: 1},
		{Name: "x", Program: 1, Files: files(nil)},
	} {
		if err := sqldb.Migrate(t.Context(), db, m); err == nil {
			t.Errorf("Migrate(%+v) succeeded", m)
		}
	}
}

// Stand-ins for Citus' catalogue and functions record what would be distributed.
func TestDistribute(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t))
	db.W.MustExec(`
		CREATE TABLE pg_dist_partition (logicalrelid regclass);
		CREATE TABLE calls (n SERIAL, call TEXT);
		CREATE FUNCTION create_distributed_table(t regclass, col TEXT) RETURNS void LANGUAGE sql AS
			$$ INSERT INTO calls (call) VALUES (t::text || ' by ' || col) $$;
		CREATE FUNCTION create_reference_table(t regclass) RETURNS void LANGUAGE sql AS
			$$ INSERT INTO calls (call) VALUES (t::text) $$;
		CREATE TABLE billers (biller_id TEXT PRIMARY KEY, slug TEXT UNIQUE);
		CREATE TABLE z_parent (biller_id TEXT REFERENCES billers, id TEXT, PRIMARY KEY (biller_id, id));
		CREATE TABLE "a Child" (biller_id TEXT, id TEXT, FOREIGN KEY (biller_id, id) REFERENCES z_parent);
		CREATE TABLE done (biller_id TEXT);
		CREATE TABLE local (id TEXT);
		CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.t (biller_id TEXT);
		INSERT INTO pg_dist_partition VALUES ('done')`)
	if err := sqldb.Distribute(t.Context(), db.W, []string{"billers"}); err != nil {
		t.Fatal(err)
	}
	var calls []string
	if err := db.W.Select(&calls, `SELECT call FROM calls ORDER BY n`); err != nil {
		t.Fatal(err)
	}
	want := []string{"billers", "z_parent by biller_id", `"a Child" by biller_id`}
	if diff := cmp.Diff(want, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

func assertPending(t *testing.T, db *sqldb.DB, m sqldb.Migrations, want ...int64) {
	t.Helper()
	got, err := sqldb.Pending(t.Context(), db, m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pending (-want +got):\n%s", diff)
	}
}
