package sqldb

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"

	"github.com/jmoiron/sqlx"
	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

var identifier = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Provision makes, on PostgreSQL, a role that may sign in with the password and
// a schema it owns, and returns the configuration with which to use them. The
// role's search_path in this database is that schema alone, kept by the server,
// so it also holds behind PgBouncer; it has no rights on other schemas. Roles belong
// to the whole server: where several databases share one, names must differ. It
// may take half of the server's connections, so that no role starves the others.
// Where the administrator owns the database, roles that were not provisioned can
// no longer connect to it, nor provisioned ones make temporary tables, unless
// they are granted that right.
//
// It is idempotent, sets the password anew each time and may run in several
// processes at once. admin needs CREATEROLE and CREATE on the database;
// without them Provision fails with PermissionDenied and says which variable,
// ADDON_DATABASE_URL_<ID>, names a database made by hand. schema and role are
// lower-case identifiers; an add-on's schema is addon_<id>. The password must be
// printable ASCII; it reaches the server only as a SCRAM verifier.
func Provision(ctx context.Context, admin Config, schema, role, password string) (Config, error) {
	if admin.Driver != Postgres {
		return Config{}, fmt.Errorf("provision %s: only PostgreSQL has schemas and roles", schema)
	}
	if !identifier.MatchString(schema) || !identifier.MatchString(role) || !printableASCII(password) {
		return Config{}, fmt.Errorf("provision %q: malformed schema, role or password", schema)
	}
	db, done, err := (&DB{cfg: admin}).forMigrations(ctx)
	if err != nil {
		return Config{}, err
	}
	defer done()
	if err := provision(ctx, db, schema, role, password); err != nil {
		if isPostgres(err, pqerror.InsufficientPrivilege) {
			return Config{}, apperr.Wrap(apperr.PermissionDenied, missingRights(schema, role), err)
		}
		return Config{}, fmt.Errorf("provision %s: %w", schema, err)
	}
	return admin.as(role, password)
}

func missingRights(schema, role string) string {
	id := strings.ToUpper(strings.TrimPrefix(schema, "addon_"))
	return fmt.Sprintf("The database user may not create the role %s and the schema %s. Grant it CREATEROLE and CREATE on the database, or create both by hand and set ADDON_DATABASE_URL_%s.", role, schema, id)
}

func provision(ctx context.Context, db *DB, schema, role, password string) error {
	tx, err := db.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	// One at a time in this server: concurrent role changes fail with "tuple concurrently updated".
	if err := exec(ctx, tx, `SET LOCAL search_path = pg_catalog`, `SELECT pg_advisory_xact_lock(7021466021)`); err != nil {
		return err
	}
	if err := makeRole(ctx, tx, role, password); err != nil {
		return err
	}
	if err := makeSchema(ctx, tx, schema, role); err != nil {
		return err
	}
	var database string
	if err := tx.GetContext(ctx, &database, `SELECT current_database()`); err != nil {
		return err
	}
	if err := closeDatabase(ctx, tx, database, role); err != nil {
		return err
	}
	if err := exec(ctx, tx,
		fmt.Sprintf(`ALTER ROLE %s IN DATABASE %s SET search_path = %s`, pq.QuoteIdentifier(role), pq.QuoteIdentifier(database), pq.QuoteIdentifier(schema)),
		fmt.Sprintf(`REVOKE ALL ON SCHEMA public FROM %s`, pq.QuoteIdentifier(role)),
	); err != nil {
		return err
	}
	if err := closePublic(ctx, tx); err != nil {
		return err
	}
	return tx.Commit()
}

func makeRole(ctx context.Context, tx *sqlx.Tx, role, password string) error {
	verifier, err := scramVerifier(password)
	if err != nil {
		return err
	}
	var exists bool
	if err := tx.GetContext(ctx, &exists, `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)`, role); err != nil {
		return err
	}
	verb := "CREATE"
	if exists {
		verb = "ALTER"
	}
	var limit int
	if err := tx.GetContext(ctx, &limit, `SELECT GREATEST(CAST(current_setting('max_connections') AS INTEGER) / 2, 5)`); err != nil {
		return err
	}
	return exec(ctx, tx, fmt.Sprintf(`%s ROLE %s LOGIN NOCREATEROLE NOCREATEDB CONNECTION LIMIT %d PASSWORD %s`,
		verb, pq.QuoteIdentifier(role), limit, pq.QuoteLiteral(verifier)))
}

// closeDatabase takes from everybody the rights that PostgreSQL gives them on a
// new database, to connect and to make temporary tables, where the administrator
// owns the database, and lets the role connect, where the administrator may.
func closeDatabase(ctx context.Context, tx *sqlx.Tx, database, role string) error {
	var may struct {
		Revoke bool `db:"may_revoke"`
		Grant  bool `db:"may_grant"`
	}
	err := tx.GetContext(ctx, &may, `
		SELECT
			pg_has_role(d.datdba, 'USAGE') AS may_revoke,
			has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION') AS may_grant
		FROM pg_database AS d
		WHERE d.datname = current_database()`)
	if err != nil {
		return err
	}
	var statements []string
	if may.Revoke {
		statements = append(statements, fmt.Sprintf(`REVOKE CONNECT, TEMPORARY ON DATABASE %s FROM PUBLIC`, pq.QuoteIdentifier(database)))
	}
	if may.Grant {
		statements = append(statements, fmt.Sprintf(`GRANT CONNECT ON DATABASE %s TO %s`, pq.QuoteIdentifier(database), pq.QuoteIdentifier(role)))
	}
	return exec(ctx, tx, statements...)
}

// makeSchema creates the schema if it is missing. An administrator who is no
// superuser must be a member of the role to give it a schema, and is one only
// for that moment.
func makeSchema(ctx context.Context, tx *sqlx.Tx, schema, role string) error {
	var owner string
	err := tx.GetContext(ctx, &owner, `
		SELECT COALESCE(MAX(r.rolname), '')
		FROM pg_namespace AS n
		JOIN pg_roles AS r ON r.oid = n.nspowner
		WHERE n.nspname = $1`, schema)
	if err != nil || owner == role {
		return err
	}
	if owner != "" {
		return fmt.Errorf("schema %s belongs to role %s", schema, owner)
	}
	var member bool
	if err := tx.GetContext(ctx, &member, `SELECT pg_has_role(CAST($1 AS name), 'USAGE')`, role); err != nil {
		return err
	}
	create := fmt.Sprintf(`CREATE SCHEMA %s AUTHORIZATION %s`, pq.QuoteIdentifier(schema), pq.QuoteIdentifier(role))
	if member {
		return exec(ctx, tx, create)
	}
	return exec(ctx, tx,
		fmt.Sprintf(`GRANT %s TO CURRENT_USER`, pq.QuoteIdentifier(role)),
		create,
		fmt.Sprintf(`REVOKE %s FROM CURRENT_USER`, pq.QuoteIdentifier(role)))
}

// closePublic takes from everybody the right to create things in the schema
// public, the default since PostgreSQL 15, where the administrator may.
func closePublic(ctx context.Context, tx *sqlx.Tx) error {
	var open bool
	err := tx.GetContext(ctx, &open, `
		SELECT EXISTS (
			SELECT 1
			FROM pg_namespace AS n
			WHERE n.nspname = 'public'
				AND has_schema_privilege('public', n.oid, 'CREATE')
				AND pg_has_role(n.nspowner, 'USAGE')
		)`)
	if err != nil || !open {
		return err
	}
	return exec(ctx, tx, `REVOKE CREATE ON SCHEMA public FROM PUBLIC`)
}

func exec(ctx context.Context, tx *sqlx.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func printableASCII(s string) bool {
	for _, r := range s {
		if r < 0x20 || r > 0x7e {
			return false
		}
	}
	return s != ""
}

// scramVerifier hashes a password as PostgreSQL itself would (RFC 5803), so
// that the password never shows in the server's log of statements.
func scramVerifier(password string) (string, error) {
	const rounds = 4096
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, rounds, sha256.Size)
	if err != nil {
		return "", err
	}
	sign := func(text string) []byte {
		mac := hmac.New(sha256.New, salted)
		mac.Write([]byte(text))
		return mac.Sum(nil)
	}
	stored := sha256.Sum256(sign("Client Key"))
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", rounds, b64(salt), b64(stored[:]), b64(sign("Server Key"))), nil
}
