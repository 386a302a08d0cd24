package store_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

var errDisk = errors.New("the disk is full")

// faults lets the statement, or commit, number at fail; none while it is 0.
type faults struct{ at, seen atomic.Int64 }

func (f *faults) next() error {
	if f.seen.Add(1) == f.at.Load() {
		return errDisk
	}
	return nil
}

// from begins to count, and lets number at fail.
func (f *faults) from(at int64) {
	f.seen.Store(0)
	f.at.Store(at)
}

// faulty makes connections of another pool's, whose statements fail.
type faulty struct {
	pool *sql.DB
	*faults
}

// Connect implements driver.Connector.
func (f faulty) Connect(ctx context.Context) (driver.Conn, error) {
	held, err := f.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	c := faultyConn{held: held, faults: f.faults}
	return c, held.Raw(func(raw any) error {
		c.wholeConn = raw.(wholeConn)
		return nil
	})
}

// Driver implements driver.Connector.
func (f faulty) Driver() driver.Driver { return f.pool.Driver() }

// wholeConn is what connections of both databases can do.
type wholeConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
}

type faultyConn struct {
	wholeConn
	held *sql.Conn
	*faults
}

func (c faultyConn) Close() error { return c.held.Close() }

func (c faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if err := c.next(); err != nil {
		return nil, err
	}
	return c.wholeConn.ExecContext(ctx, query, args)
}

func (c faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if err := c.next(); err != nil {
		return nil, err
	}
	return c.wholeConn.QueryContext(ctx, query, args)
}

func (c faultyConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.wholeConn.BeginTx(ctx, o)
	return faultyTx{tx, c.faults}, err
}

type faultyTx struct {
	driver.Tx
	*faults
}

func (tx faultyTx) Commit() error {
	if err := tx.next(); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Tx.Commit()
}

// mustFaulty is a world whose statements can fail.
func mustFaulty(t *testing.T, cfg sqldb.Config) (*world, *faults) {
	t.Helper()
	f := &faults{}
	db := *dbtest.MustOpen(t, cfg)
	faultyPool := sqlx.NewDb(sql.OpenDB(faulty{db.W.DB, f}), db.W.DriverName())
	faultyPool.SetMaxOpenConns(map[bool]int{true: 1, false: 8}[db.Dialect() == sqldb.SQLite])
	t.Cleanup(func() { _ = faultyPool.Close() }) // before the pool it borrows from
	if db.R == db.W {
		db.R = faultyPool
	}
	db.W = faultyPool
	return mustWorld(t, &db), f
}

// dump is every row of a biller but counts of tries, and when a session was used and
// the password typed in it last, which are of transactions of their own.
func (w *world) dump(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table := range w.rowsOf(t, w.caller.BillerID) {
		if table == "throttles" {
			continue
		}
		rows := []string{}
		for _, row := range w.tableOf(t, w.caller.BillerID, table) {
			var b strings.Builder
			for _, column := range slices.Sorted(maps.Keys(row)) {
				if column != "seen_at" && !strings.HasPrefix(column, "typed_") {
					fmt.Fprintf(&b, "%s=%s ", column, row[column])
				}
			}
			rows = append(rows, b.String())
		}
		slices.Sort(rows)
		out[table] = rows
	}
	return out
}

// grown is how many rows an action added to each table that is not only about what
// happened: steps of a sign-up are told of in a transaction that follows.
func grown(before, after map[string][]string) map[string]int {
	out := map[string]int{}
	for table := range after {
		if table != "activity" && table != "jobs" {
			out[table] = len(after[table]) - len(before[table])
		}
	}
	return out
}

// TestNothingIsHalfDone lets each statement of each action fail in turn.
func TestNothingIsHalfDone(t *testing.T) {
	t.Parallel()
	everywhere := []string{"confirm", "accept", "add", "erase myself", "confirm address"}
	lite := append([]string{
		"confirm by link", "erase a person", "change address", "reset", "change password", "approve access", "decline access",
		"ask access", "sign up openly", "register", "choose", "remove", "disable", "invite instead", "revoke", "move in the books",
		"disown 0", "disown 1", "disown 2", "disown 3", "archive", "sign in",
	}, everywhere...)
	for dialect, names := range map[string][]string{sqldb.SQLite: lite, sqldb.Postgres: everywhere} {
		for _, name := range names {
			t.Run(dialect+"/"+name, func(t *testing.T) {
				t.Parallel()
				cfg := dbtest.SQLite
				if dialect == sqldb.Postgres {
					cfg = dbtest.Postgres
				}
				w, f := mustFaulty(t, cfg(t, store.Migrations()...))
				w.wantNothingHalfDone(t, f, name)
				w.wantOther(t)
			})
		}
	}
}

func (w *world) wantNothingHalfDone(t *testing.T, f *faults, name string) {
	t.Helper()
	s := w.mustApt(t, name)
	before := w.dump(t)
	f.from(0)
	if err := s.actions()[name](t.Context()); err != nil {
		t.Fatalf("undisturbed: %v", err)
	}
	whole := grown(before, w.dump(t))
	s = w.mustApt(t, name)
	before = w.dump(t)
	for n := int64(1); ; n++ {
		f.from(n)
		err := s.actions()[name](t.Context())
		failed := f.seen.Load() >= n
		f.from(0)
		after := w.dump(t)
		if !failed {
			must(t, err)
			if diff := cmp.Diff(whole, grown(before, after)); diff != "" {
				t.Errorf("in the end, rows added (-whole +got):\n%s", diff)
			}
			return
		}
		if err == nil {
			t.Fatalf("statement %d failed, and nobody was told", n)
		}
		if _, err := w.db.W.Exec(`DELETE FROM throttles`); err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(before, after) {
			continue
		}
		if diff := cmp.Diff(whole, grown(before, after)); diff != "" {
			t.Fatalf("after statement %d failed (%v), rows added (-whole +got):\n%s\nrows:\n%s", n, err, diff, cmp.Diff(before, after))
		}
		s = w.mustApt(t, name)
		before = w.dump(t)
	}
}

// mustApt makes a scene in which an action can happen.
func (w *world) mustApt(t *testing.T, name string) *scene {
	t.Helper()
	for {
		s := w.mustScene(t)
		if differs := s.number%3 == 0; differs == (name == "invite instead" || name == "keep") {
			return s
		}
	}
}
