// Package store keeps what the host itself has to remember: which biller has
// which add-on with which permissions, which version of an add-on runs, and
// what became of each mail.
//
// Every method names the biller, except those few that say otherwise.
package store

import (
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the host's schema.
func Migrations() (sqldb.Migrations, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return sqldb.Migrations{}, fmt.Errorf("open migrations: %w", err)
	}
	return sqldb.Migrations{Name: "host", Files: files, Program: 2, Reference: []string{"addons", "approvals", "operations"}}, nil
}

// Store keeps the host's records. It is safe for concurrent use, also by
// several processes on one database.
type Store struct {
	db  *sqldb.DB
	now func() time.Time
}

// New returns a store on a migrated database; now is the clock, nil time.Now.
func New(db *sqldb.DB, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: db, now: func() time.Time { return sqldb.Time(now()) }}
}
