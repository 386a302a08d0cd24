// Package store keeps the portal's data in SQLite or PostgreSQL: the only place
// with SQL. Each exported method is one transaction, asks the rules of package
// portal inside it, and names the biller for every table.
//
// Whoever changes something about a customer locks the customer's row first, so
// one customer's invitation, sign-ups and status change one after another; who
// changes something about a person locks the person's row next. lock.go has the
// whole order.
//
// SQLite keeps no statistics and takes a biller to have ten rows of everything. A
// statement that sorts few rows sorts by x and an empty text, of which there is
// no index to read instead; one whose tables must be read in an order says CROSS
// JOIN; one that a partial index serves repeats the index's condition.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Store implements portal.Store. It is safe for concurrent use.
type Store struct {
	db   *sqldb.DB
	keys portal.Keys
	wake func(biller string)
}

var _ portal.Store = (*Store)(nil)

// New returns a store on a migrated database. wake is called after a commit that
// added jobs of a biller which are due now; nil for nobody to wake.
func New(db *sqldb.DB, keys portal.Keys, wake func(biller string)) *Store {
	if wake == nil {
		wake = func(string) {}
	}
	return &Store{db: db, keys: keys, wake: wake}
}

//go:embed migrations
var files embed.FS

// Migrations returns the sets to hand to sqldb.Migrate: the portal's tables and
// those of its jobs.
func Migrations() []sqldb.Migrations {
	dialects, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err) // the embedded folder has that name
	}
	return []sqldb.Migrations{
		{Name: "portal", Files: dialects, Program: 1, Reference: []string{"billers"}},
		jobs.Migrations(),
	}
}

// querier is a transaction or a pool.
type querier = sqlx.ExtContext

// us is how tables keep a time: Unix microseconds, 0 for never.
func us(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// when reads what us wrote.
type when struct{ time.Time }

// Scan implements sql.Scanner.
func (w *when) Scan(src any) error {
	var n sql.NullInt64
	if err := n.Scan(src); err != nil {
		return fmt.Errorf("scan time: %w", err)
	}
	w.Time = time.Time{}
	if n.Int64 != 0 {
		w.Time = time.UnixMicro(n.Int64).UTC()
	}
	return nil
}

func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}

// get reads one row; found is false if there is none.
func get(ctx context.Context, q querier, dest any, query string, args ...any) (found bool, err error) {
	err = sqlx.GetContext(ctx, q, dest, query, args...)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// one executes a statement and tells whether it changed exactly one row.
func one(ctx context.Context, q querier, query string, args ...any) (bool, error) {
	res, err := q.ExecContext(ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

func selectAll(ctx context.Context, q querier, dest any, query string, args ...any) error {
	return sqlx.SelectContext(ctx, q, dest, query, args...)
}
