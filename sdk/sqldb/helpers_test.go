package sqldb_test

import (
	"context"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}

// cutConnections ends every other connection to the database.
func cutConnections(t *testing.T, db *sqldb.DB) {
	t.Helper()
	if _, err := db.W.Exec(`
		SELECT pg_terminate_backend(pid)
		FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
		t.Fatal(err)
	}
}

func assertOneSafeLine(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error shows the password: %v", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
}

func mustExec(t *testing.T, db *sqldb.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.W.Exec(query, args...); err != nil {
		t.Fatal(err)
	}
}
