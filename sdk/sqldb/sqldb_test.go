package sqldb_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// things is a small schema with everything that drivers disagree on.
func things() sqldb.Migrations {
	return sqldb.Migrations{Name: "things", Program: 1, Files: files(map[string]string{"0001_things.sql": `
CREATE TABLE things (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	email TEXT NOT NULL,
	ok BOOLEAN NOT NULL,
	at TIMESTAMPTZ NOT NULL,
	PRIMARY KEY (biller_id, id),
	UNIQUE (biller_id, email)
);
CREATE TABLE parts (
	biller_id TEXT NOT NULL,
	id TEXT NOT NULL,
	thing_id TEXT NOT NULL,
	PRIMARY KEY (biller_id, id),
	FOREIGN KEY (biller_id, thing_id) REFERENCES things (biller_id, id)
);`})}
}

// files puts the same statements into both dialects' folders; SQLite's name for
// TIMESTAMPTZ is TIMESTAMP.
func files(up map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range up {
		text = "-- +goose Up\n" + text + "\n"
		fsys["postgres/"+name] = &fstest.MapFile{Data: []byte(text)}
		fsys["sqlite/"+name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(text, "TIMESTAMPTZ", "TIMESTAMP"))}
	}
	return fsys
}

const insertThing = `
	INSERT INTO things (biller_id, id, email, ok, at)
	VALUES ($1, $2, $3, $4, $5)`

func TestValues(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, []sqldb.Migrations{things()}, func(t *testing.T, db *sqldb.DB) {
		at := time.Date(2026, 3, 29, 2, 30, 0, 123_456_789, time.FixedZone("", 7200))
		if _, err := db.W.Exec(insertThing, "b", "1", "a@example.com", true, sqldb.Time(at)); err != nil {
			t.Fatal(err)
		}
		var got struct {
			OK bool      `db:"ok"`
			At time.Time `db:"at"`
		}
		if err := db.R.Get(&got, `SELECT ok, at FROM things WHERE biller_id = $1 AND at <= $2`, "b", sqldb.Time(at)); err != nil {
			t.Fatal(err)
		}
		if !got.OK || !got.At.Equal(at.Truncate(time.Microsecond)) || got.At.Location() != time.UTC {
			t.Errorf("read %+v, want %v in UTC", got, sqldb.Time(at))
		}
		if diff := cmp.Diff(sqldb.Time(at), got.At); diff != "" {
			t.Error(diff)
		}
	})
}

func TestConstraintErrors(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, []sqldb.Migrations{things()}, func(t *testing.T, db *sqldb.DB) {
		now := sqldb.Time(time.Now())
		insert := func(biller, id, email string) error {
			_, err := db.W.Exec(insertThing, biller, id, email, false, now)
			return err
		}
		if err := insert("b", "1", "a@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := insert("other", "1", "a@example.com"); err != nil {
			t.Errorf("other biller, same keys: %v", err)
		}
		if err := insert("b", "1", "b@example.com"); !sqldb.IsUnique(err) || sqldb.IsForeignKey(err) {
			t.Errorf("same primary key: %v", err)
		}
		if err := insert("b", "2", "a@example.com"); !sqldb.IsUnique(err) {
			t.Errorf("same email: %v", err)
		}
		_, err := db.W.Exec(`INSERT INTO parts (biller_id, id, thing_id) VALUES ($1, $2, $3)`, "b", "1", "none")
		if !sqldb.IsForeignKey(err) || sqldb.IsUnique(err) {
			t.Errorf("missing parent: %v", err)
		}
		if sqldb.IsUnique(nil) || sqldb.IsUnique(sql.ErrNoRows) {
			t.Error("IsUnique of other errors")
		}
	})
}

// Sixteen transactions read a row and then write it, over four pools like those
// of four processes; none may fail or be lost.
func TestReadThenWriteRace(t *testing.T) {
	t.Parallel()
	dbtest.Run(t, []sqldb.Migrations{things()}, func(t *testing.T, db *sqldb.DB) {
		if _, err := db.W.Exec(insertThing, "b", "1", "", false, sqldb.Time(time.Now())); err != nil {
			t.Fatal(err)
		}
		append1 := func(db *sqldb.DB) error {
			tx, err := db.Begin(t.Context())
			if err != nil {
				return err
			}
			defer tx.Rollback()
			var email string
			if err := tx.Get(&email, `SELECT email FROM things WHERE biller_id = $1 AND id = $2`+db.ForUpdate(), "b", "1"); err != nil {
				return err
			}
			if _, err := tx.Exec(`UPDATE things SET email = $1 WHERE biller_id = $2 AND id = $3`, email+"x", "b", "1"); err != nil {
				return err
			}
			return tx.Commit()
		}
		pools := []*sqldb.DB{db}
		for range 3 {
			pools = append(pools, dbtest.MustOpen(t, db.Config()))
		}
		errs := make([]error, 16)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = append1(pools[i%4]) })
		}
		wg.Wait()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
		var email string
		if err := db.R.Get(&email, `SELECT email FROM things WHERE biller_id = $1 AND id = $2`, "b", "1"); err != nil {
			t.Fatal(err)
		}
		if len(email) != 16 {
			t.Errorf("%d of 16 writes survived", len(email))
		}
	})
}

func TestSQLiteReaderCannotWrite(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.SQLite(t, things()))
	if _, err := db.R.Exec(insertThing, "b", "1", "", false, sqldb.Time(time.Now())); err == nil {
		t.Error("the reader pool wrote")
	}
}

func TestSQLitePathWithSpecialCharacters(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a b?mode=ro#%41.db")
	db := dbtest.MustOpen(t, sqldb.Config{Driver: sqldb.SQLite, DSN: path})
	if err := sqldb.Migrate(t.Context(), db, things()); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "a b*.db")); len(found) != 1 {
		t.Errorf("database files: %q", found)
	}
}

func TestOpenUnreachable(t *testing.T) {
	t.Parallel()
	for _, address := range []string{
		"postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable",
		filepath.Join(t.TempDir(), "missing", "x.db"),
	} {
		cfg, err := sqldb.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		_, err = sqldb.Open(t.Context(), cfg)
		if !apperr.Is(err, apperr.Unavailable) {
			t.Errorf("Open(%s) = %v, want Unavailable", address, err)
		}
		assertOneSafeLine(t, err)
	}
}

func TestListen(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t))
	got := make(chan string, 10)
	done := make(chan error, 1)
	ctx, cancel := contextWithCancel(t)
	go func() { done <- sqldb.Listen(ctx, db.Config(), "news", func(p string) { got <- p }) }()
	if p := <-got; p != "" {
		t.Fatalf("first notification %q, want the empty one after connecting", p)
	}
	if _, err := db.W.Exec(`SELECT pg_notify('news', $1)`, "acme"); err != nil {
		t.Fatal(err)
	}
	if p := <-got; p != "acme" {
		t.Errorf("notification %q, want acme", p)
	}
	cutConnections(t, db)
	if p := <-got; p != "" {
		t.Errorf("notification %q after a lost connection, want the empty one", p)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
