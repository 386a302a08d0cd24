package sqldb_test

import (
	"crypto/rand"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jmoiron/sqlx"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// uniqueRole returns a role name of this test alone, for roles belong to the
// whole server, and drops the role in the end.
func uniqueRole(t *testing.T, admin *sqldb.DB) string {
	t.Helper()
	role := "r_" + strings.ToLower(rand.Text())
	t.Cleanup(func() {
		var exists bool
		if err := admin.W.Get(&exists, `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)`, role); err != nil {
			t.Error(err)
		}
		if exists {
			admin.W.MustExec(`DROP OWNED BY ` + role)
			admin.W.MustExec(`DROP ROLE ` + role)
		}
	})
	return role
}

func mustProvision(t *testing.T, admin sqldb.Config, schema, role, password string) *sqldb.DB {
	t.Helper()
	cfg, err := sqldb.Provision(t.Context(), admin, schema, role, password)
	if err != nil {
		t.Fatal(err)
	}
	return dbtest.MustOpen(t, cfg)
}

func TestProvisionSeparates(t *testing.T) {
	t.Parallel()
	admin := dbtest.MustOpen(t, dbtest.Postgres(t))
	admin.W.MustExec(`CREATE TABLE public.open_table (x TEXT)`)
	one := mustProvision(t, admin.Config(), "addon_one", uniqueRole(t, admin), "pw 1'")
	two := mustProvision(t, admin.Config(), "addon_two", uniqueRole(t, admin), "pw2")
	for _, db := range []*sqldb.DB{one, two} {
		if err := sqldb.Migrate(t.Context(), db, things()); err != nil {
			t.Fatal(err)
		}
	}
	one.W.MustExec(insertThing, "b", "1", "", true, sqldb.Time(time.Now()))
	var n int
	if err := two.R.Get(&n, `SELECT COUNT(*) FROM things`); err != nil || n != 0 {
		t.Errorf("two's own table holds %d rows, %v", n, err)
	}
	for _, statement := range []string{
		`SELECT * FROM addon_one.things`,
		`CREATE TABLE addon_one.x (x TEXT)`,
		`SELECT * FROM public.open_table`,
		`CREATE TABLE public.x (x TEXT)`,
		`CREATE SCHEMA x`,
		`CREATE ROLE x`,
		`DROP TABLE addon_one.things`,
	} {
		if _, err := two.W.Exec(statement); err == nil {
			t.Errorf("the other add-on may: %s", statement)
		}
	}
}

func TestProvisionAgainAndAtOnce(t *testing.T) {
	t.Parallel()
	admin := dbtest.MustOpen(t, dbtest.Postgres(t))
	role := uniqueRole(t, admin)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { _, errs[i] = sqldb.Provision(t.Context(), admin.Config(), "addon_x", role, "pw") })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	// The administrator's own search path must not follow the role.
	withPath, err := sqldb.Parse(admin.Config().DSN + " search_path=public")
	if err != nil {
		t.Fatal(err)
	}
	db := mustProvision(t, withPath, "addon_x", role, "another")
	var path string
	if err := db.R.Get(&path, `SELECT current_schema()`); err != nil || path != "addon_x" {
		t.Errorf("current schema %q, %v", path, err)
	}
	if _, err := sqldb.Provision(t.Context(), admin.Config(), "addon_x", uniqueRole(t, admin), "pw"); err == nil {
		t.Error("a schema was given to a second role")
	}
}

func TestProvisionWithoutSuperuser(t *testing.T) {
	t.Parallel()
	super := dbtest.MustOpen(t, dbtest.Postgres(t))
	operator := uniqueRole(t, super)
	as := mustProvision(t, super.Config(), "operator", operator, "pw").Config()

	_, err := sqldb.Provision(t.Context(), as, "addon_portal", uniqueRole(t, super), "pw")
	if !apperr.Is(err, apperr.PermissionDenied) || !strings.Contains(apperr.MessageOf(err), "ADDON_DATABASE_URL_PORTAL") {
		t.Errorf("without CREATEROLE: %v", err)
	}

	super.W.MustExec(`ALTER ROLE ` + operator + ` CREATEROLE`)
	var database string
	if err := super.R.Get(&database, `SELECT current_database()`); err != nil {
		t.Fatal(err)
	}
	super.W.MustExec(`GRANT CREATE ON DATABASE ` + database + ` TO ` + operator)
	super.W.MustExec(`GRANT CONNECT ON DATABASE ` + database + ` TO ` + operator + ` WITH GRANT OPTION`)
	db := mustProvision(t, as, "addon_portal", uniqueRole(t, super), "pw")
	t.Cleanup(func() { super.W.MustExec(`REVOKE CONNECT ON DATABASE ` + database + ` FROM ` + operator + ` CASCADE`) })
	if err := sqldb.Migrate(t.Context(), db, things()); err != nil {
		t.Error(err)
	}
	if _, err := dbtest.MustOpen(t, as).R.Exec(`SELECT id FROM addon_portal.things`); err == nil {
		t.Error("the operator's role stayed a member of the add-on's")
	}
}

func TestProvisionPasswordIsChecked(t *testing.T) {
	t.Parallel()
	admin := dbtest.MustOpen(t, dbtest.Postgres(t))
	role := uniqueRole(t, admin)
	mustProvision(t, admin.Config(), "addon_x", role, "right")
	var verifier string
	if err := admin.R.Get(&verifier, `SELECT rolpassword FROM pg_authid WHERE rolname = $1`, role); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(verifier, "SCRAM-SHA-256$4096:") {
		t.Errorf("stored password %q", verifier)
	}
	wrong, err := sqldb.Provision(t.Context(), admin.Config(), "addon_x", role, "wrong")
	if err != nil {
		t.Fatal(err)
	}
	mustProvision(t, admin.Config(), "addon_x", role, "right")
	if _, err := sqldb.Open(t.Context(), wrong); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("signing in with a password that was replaced: %v", err)
	}
	for _, bad := range []string{"", "naïve", "a\nb"} {
		if _, err := sqldb.Provision(t.Context(), admin.Config(), "addon_x", role, bad); err == nil {
			t.Errorf("password %q was accepted", bad)
		}
	}
}

// TestProvisionBoundsRoles counts connections, and looks who else gets in.
func TestProvisionBoundsRoles(t *testing.T) {
	t.Parallel()
	server := dbtest.MustMortal(t) // with its own count of connections
	admin := dbtest.MustOpen(t, server.Config)
	admin.W.MustExec(`CREATE ROLE stranger LOGIN PASSWORD 'pw'`)
	stranger := server.Config
	stranger.DSN = strings.Replace(stranger.DSN, "postgres://postgres@", "postgres://stranger:pw@", 1)
	dbtest.MustOpen(t, stranger)

	one := mustProvision(t, server.Config, "addon_one", "one", "pw").Config()
	one.MaxConns = 300
	greedy := dbtest.MustOpen(t, one)
	var held []*sqlx.Conn
	for {
		c, err := greedy.W.Connx(t.Context())
		if err != nil {
			if !apperr.Is(err, apperr.Unavailable) || !strings.Contains(err.Error(), "too many connections for role") {
				t.Errorf("after %d connections: %v", len(held), err)
			}
			break
		}
		t.Cleanup(func() { _ = c.Close() }) // the pool is closed as well
		held = append(held, c)
	}
	if len(held) < 90 || len(held) > 100 {
		t.Errorf("%d connections of 200", len(held))
	}
	two := mustProvision(t, server.Config, "addon_two", "two", "pw")
	for what, db := range map[string]*sqldb.DB{"administrator": admin, "other role": two} {
		if err := db.Ping(t.Context()); err != nil {
			t.Errorf("%s meanwhile: %v", what, err)
		}
	}
	if _, err := two.W.Exec(`CREATE TEMPORARY TABLE x (x TEXT)`); err == nil {
		t.Error("an add-on may make temporary tables")
	}
	if _, err := sqldb.Open(t.Context(), stranger); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("a stranger connects: %v", err)
	}
}
