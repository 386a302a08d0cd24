package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"

	"github.com/pressly/goose/v3"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Migrations is one numbered set of schema changes. A schema may hold several
// sets, each with its own version table: an add-on's own and that of sdk/jobs.
type Migrations struct {
	// Name tells sets apart, such as "portal": lower-case letters, digits, underscores.
	// It never changes.
	Name string
	// Files holds the goose files in two folders, postgres/ and sqlite/.
	Files fs.FS
	// Program counts the releases of the program that brings the set, from 1. A
	// migration that removes what older programs still use says so, in its own
	// transaction: UPDATE schema_compat SET compat = 3 WHERE name = 'portal';
	// from then on programs below 3 are refused.
	Program int
	// Reference names the few small tables that a sharded PostgreSQL keeps whole
	// on every node, such as billers: they may be unique across billers, and
	// tables with biller_id may refer to them.
	Reference []string
}

var setName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,40}$`)

func (m Migrations) validate() error {
	if !setName.MatchString(m.Name) || m.Program < 1 || m.Files == nil {
		return fmt.Errorf("migrations %q need a name, a program number of at least 1, and files", m.Name)
	}
	return nil
}

func (m Migrations) table() string { return m.Name + "_schema_version" }

// Migrate brings the schema up to date with the sets, in order, under a lock:
// several processes may call it at once and each returns when the work is done.
// On PostgreSQL it uses the direct address. Each file is one transaction; a
// failing one changes nothing and names its version. It fails with
// Conflict if the schema no longer supports this program.
func Migrate(ctx context.Context, db *DB, sets ...Migrations) error {
	db, done, err := db.forMigrations(ctx)
	if err != nil {
		return err
	}
	defer done()
	unlock, err := db.lockSchema(ctx)
	if err != nil {
		return fmt.Errorf("lock schema: %w", err)
	}
	err = db.migrate(ctx, sets)
	return errors.Join(err, unlock())
}

func (db *DB) migrate(ctx context.Context, sets []Migrations) error {
	var reference []string
	for _, set := range sets {
		if err := db.up(ctx, set); err != nil {
			return err
		}
		reference = append(reference, set.Reference...)
	}
	if db.cfg.Driver != Postgres {
		return nil
	}
	var sharded bool
	err := db.W.GetContext(ctx, &sharded, `SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'citus')`)
	if err != nil {
		return fmt.Errorf("look for citus: %w", err)
	}
	if !sharded {
		return nil
	}
	return distribute(ctx, db.W, reference)
}

func (db *DB) up(ctx context.Context, set Migrations) error {
	provider, err := db.provider(set)
	if err != nil {
		return err
	}
	if err := db.startCompat(ctx, set); err != nil {
		return err
	}
	if err := db.checkCompat(ctx, set); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate %s: %w", set.Name, err)
	}
	return nil
}

func (db *DB) provider(set Migrations) (*goose.Provider, error) {
	if err := set.validate(); err != nil {
		return nil, err
	}
	files, err := fs.Sub(set.Files, db.cfg.Driver)
	if err != nil {
		return nil, fmt.Errorf("migrations %s: %w", set.Name, err)
	}
	dialect := goose.DialectSQLite3
	if db.cfg.Driver == Postgres {
		dialect = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(dialect, db.W.DB, files,
		goose.WithTableName(set.table()), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return nil, fmt.Errorf("migrations %s: %w", set.Name, err)
	}
	return provider, nil
}

func (db *DB) startCompat(ctx context.Context, set Migrations) error {
	if _, err := db.W.ExecContext(ctx, `
		CREATE TABLE IF NOT EXISTS schema_compat (
			name TEXT PRIMARY KEY,
			compat INTEGER NOT NULL
		)`); err != nil {
		return fmt.Errorf("create schema_compat: %w", err)
	}
	if _, err := db.W.ExecContext(ctx, `
		INSERT INTO schema_compat (name, compat)
		VALUES ($1, 1)
		ON CONFLICT (name) DO NOTHING`, set.Name); err != nil {
		return fmt.Errorf("insert schema_compat: %w", err)
	}
	return nil
}

func (db *DB) checkCompat(ctx context.Context, set Migrations) error {
	var compat int
	err := db.W.GetContext(ctx, &compat, `
		SELECT COALESCE(MAX(compat), 1)
		FROM schema_compat
		WHERE name = $1`, set.Name)
	if err != nil {
		return fmt.Errorf("read schema_compat: %w", err)
	}
	if set.Program < compat {
		return apperr.Errorf(apperr.Conflict,
			"This program is too old for the database schema %q: it is release %d, the schema needs %d or later.",
			set.Name, set.Program, compat)
	}
	return nil
}

// Check reports whether the program may run on the schema as it is: it fails
// with Conflict if migrations are missing or the schema no longer supports this
// program. A schema newer than the program is fine otherwise. It changes nothing.
func Check(ctx context.Context, db *DB, sets ...Migrations) error {
	for _, set := range sets {
		missing, err := Pending(ctx, db, set)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			count := "1 migration is missing"
			if len(missing) > 1 {
				count = fmt.Sprintf("%d migrations are missing", len(missing))
			}
			return apperr.Errorf(apperr.Conflict,
				"The database schema %q is out of date: %s. Run the migrate command first.", set.Name, count)
		}
		if err := db.checkCompat(ctx, set); err != nil {
			return err
		}
	}
	return nil
}

// Pending returns the versions of the set's migrations that the schema lacks,
// in ascending order. It changes nothing.
func Pending(ctx context.Context, db *DB, set Migrations) ([]int64, error) {
	provider, err := db.provider(set)
	if err != nil {
		return nil, err
	}
	applied, err := db.applied(ctx, set)
	if err != nil {
		return nil, err
	}
	var missing []int64
	for _, source := range provider.ListSources() {
		if !applied[source.Version] {
			missing = append(missing, source.Version)
		}
	}
	return missing, nil
}

func (db *DB) applied(ctx context.Context, set Migrations) (map[int64]bool, error) {
	query := `SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1)`
	if db.cfg.Driver == Postgres {
		query = `SELECT to_regclass($1) IS NOT NULL`
	}
	var exists bool
	if err := db.R.GetContext(ctx, &exists, query, set.table()); err != nil {
		return nil, fmt.Errorf("find schema version: %w", err)
	}
	applied := map[int64]bool{}
	if !exists {
		return applied, nil
	}
	var versions []int64
	err := db.R.SelectContext(ctx, &versions, `SELECT version_id FROM `+set.table()+` WHERE is_applied`)
	if err != nil {
		return nil, fmt.Errorf("read schema version: %w", err)
	}
	for _, v := range versions {
		applied[v] = true
	}
	return applied, nil
}

// forMigrations returns db itself, or on PostgreSQL a small pool that goes to
// the direct address; done closes it.
func (db *DB) forMigrations(ctx context.Context) (_ *DB, done func(), err error) {
	if db.cfg.Driver != Postgres {
		return db, func() {}, nil
	}
	cfg := db.cfg.direct()
	cfg.MaxConns = 3
	direct, err := Open(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	return direct, func() { _ = direct.Close() }, nil // everything was committed or failed by then
}
