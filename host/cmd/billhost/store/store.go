// Package store keeps the reference platform's books in SQLite or PostgreSQL.
//
// Every method names the biller; a record of another biller is NotFound. Each
// exported method is one transaction.
package store

import (
	"context"
	"database/sql"
	"embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

//go:embed migrations
var migrations embed.FS

// Migrations is the schema of the books.
func Migrations() (sqldb.Migrations, error) {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return sqldb.Migrations{}, fmt.Errorf("open migrations: %w", err)
	}
	return sqldb.Migrations{Name: "billhost", Files: files, Program: 1, Reference: []string{"billers", "platform", "staff_tries", "staff_asks"}}, nil
}

// Store keeps the books. Make one with New.
type Store struct {
	db   *sqldb.DB
	now  func() time.Time
	emit Emit
	// auditKey is the key of the audit's chains.
	auditKey []byte
}

// Emit adds an event about a customer to the transaction that changes the
// customer; the event goes out after, and only if, the transaction commits.
type Emit func(ctx context.Context, tx *sqlx.Tx, biller, kind, customerID string) error

// New returns a store on a migrated database. now is the clock. auditKey, 32
// secret bytes that must stay the same, makes the audit's chains.
func New(db *sqldb.DB, now func() time.Time, emit Emit, auditKey []byte) *Store {
	return &Store{db: db, now: func() time.Time { return sqldb.Time(now()) }, emit: emit, auditKey: auditKey}
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.db.Ping(ctx) }

// newID returns a time-ordered id.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make id: %w", err)
	}
	return id.String(), nil
}

// text tells whether PostgreSQL takes s as text; nothing is kept under any other
// key.
func text(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// one turns "no row" into NotFound with the message.
func one(err error, message string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return apperr.Errorf(apperr.NotFound, "%s", message)
	}
	return err
}

// cursor packs the sort values of the last row of a page.
func cursor(values ...string) string {
	packed, err := json.Marshal(values)
	if err != nil { // strings always marshal
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(packed)
}

// uncursor reads n values; Invalid for text that cursor did not make.
func uncursor(s string, n int) ([]string, error) {
	packed, err := base64.RawURLEncoding.DecodeString(s)
	var values []string
	if err == nil {
		err = json.Unmarshal(packed, &values)
	}
	if err != nil || len(values) != n || !text(strings.Join(values, "")) {
		return nil, apperr.Errorf(apperr.Invalid, "This page of the list does not exist.")
	}
	return values, nil
}
