package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// databases knows where each part keeps its tables: an SQLite file each, or a
// schema with a role of its own in one PostgreSQL database.
type databases struct {
	config Config
	secret secret
}

// open returns where the part ("billhost", "host", "addon_hello") keeps its
// tables. On PostgreSQL it makes schema and role, unless ADDON_DATABASE_URL_<PART>
// (without "addon_") names a database made by hand.
func (d databases) open(ctx context.Context, part string) (sqldb.Config, error) {
	if d.config.DatabaseURL == "" {
		if err := os.MkdirAll(d.config.DataDir, 0o700); err != nil {
			return sqldb.Config{}, fmt.Errorf("make DATA_DIR: %w", err)
		}
		return sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(d.config.DataDir, part+".db")}, nil
	}
	name := "ADDON_DATABASE_URL_" + strings.ToUpper(strings.TrimPrefix(part, "addon_"))
	if address := os.Getenv(name); address != "" {
		made, err := sqldb.Parse(address)
		if err != nil {
			return sqldb.Config{}, fmt.Errorf("%s: %w", name, err)
		}
		return made, nil
	}
	return d.provision(ctx, part)
}

// provision makes schema and role. Roles belong to the whole server, so the
// role's name ends in the secret's fingerprint: two installations on one server,
// or a wrong secret, never touch each other's.
func (d databases) provision(ctx context.Context, part string) (sqldb.Config, error) {
	print, err := d.secret.word("fingerprint", 8)
	if err != nil {
		return sqldb.Config{}, err
	}
	password, err := d.secret.word("database/"+part, 64)
	if err != nil {
		return sqldb.Config{}, err
	}
	made, err := sqldb.Provision(ctx, d.config.database, part, part+"_"+print, password)
	if apperr.CodeOf(err) == apperr.Internal && strings.Contains(err.Error(), "belongs to role") {
		return sqldb.Config{}, errWrongSecret()
	}
	if apperr.Is(err, apperr.Unavailable) {
		return sqldb.Config{}, err // it begins with the sentence that people need
	}
	if err != nil {
		return sqldb.Config{}, fmt.Errorf("open schema %s: %w", part, err)
	}
	return made, nil
}

func errWrongSecret() error {
	return errors.New("the secret is not the one this database was made with; set SECRET_FILE to that one")
}

// ledger is the open books.
type ledger struct {
	*store.Store
	db     *sqldb.DB
	places databases
}

// openBooks opens the books. migrate makes what is missing and brings the schema up
// to date; without it a stale one is refused, and where there is no platform
// nothing is made. A secret that the database does not know is refused.
func openBooks(ctx context.Context, c Config, migrate bool) (*ledger, error) {
	there := c.mustExist()
	if there != nil && !migrate {
		return nil, there
	}
	if migrate {
		if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
			return nil, fmt.Errorf("make DATA_DIR: %w", err)
		}
	}
	s, err := loadSecret(c, migrate && (there != nil || c.DatabaseURL != ""))
	if err != nil {
		return nil, err
	}
	places := databases{c, s}
	at, err := places.open(ctx, "billhost")
	if err != nil {
		return nil, err
	}
	db, err := sqldb.Open(ctx, at)
	if err != nil {
		return nil, err
	}
	key, err := s.key("audit")
	if err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	l := &ledger{Store: store.New(db, now, store.EnqueueEvent, key), db: db, places: places}
	if err := l.prepare(ctx, migrate); err != nil {
		_ = db.Close() // the first error says more
		return nil, err
	}
	return l, nil
}

func (l *ledger) prepare(ctx context.Context, migrate bool) error {
	books, err := store.Migrations()
	if err != nil {
		return err
	}
	bring := sqldb.Check
	if migrate {
		bring = sqldb.Migrate
	}
	if err := bring(ctx, l.db, books, jobs.Migrations()); err != nil {
		return err
	}
	mine, err := l.places.secret.word("fingerprint", 32)
	if err != nil {
		return err
	}
	kept, err := l.Fingerprint(ctx, mine)
	if err != nil {
		return err
	}
	if kept != mine {
		return errWrongSecret()
	}
	if migrate {
		return l.ChainAudit(ctx)
	}
	return nil
}

// close closes the books and logs what goes wrong.
func (l *ledger) close(log *slog.Logger) {
	if err := l.db.Close(); err != nil {
		log.Error("closing the database failed", "error", err.Error())
	}
}
