package store_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// mustExport returns what is exported for a biller: the kinds in order, and all
// lines.
func mustExport(t *testing.T, w *world, biller string) (kinds []string, text string) {
	t.Helper()
	c := w.caller
	if biller == w.other.BillerID {
		c = w.other
	}
	var lines strings.Builder
	must(t, w.Service.Export(t.Context(), c, func(kind string, row any) error {
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
		return json.NewEncoder(&lines).Encode(row)
	}))
	return kinds, lines.String()
}

func TestExportHasEverythingButSecrets(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		must(t, w.Disable(t.Context(), w.caller)) // a removed add-on exports too
		kinds, text := mustExport(t, w, w.caller.BillerID)
		want := []string{"users", "access", "sign_ups", "sign_up_customers", "invitations", "history", "agreements", "agreements_accepted", "activity"}
		if diff := cmp.Diff(want, kinds); diff != "" {
			t.Errorf("kinds (-want +got):\n%s", diff)
		}
		for _, have := range []string{"jane@acme.com", `"customer_number":"NW-1"`, `"customer_name":"Jane Doe"`, `"ip":"203.0.113.7"`, `"confirmed_at":"2026-`, `"source":"staff"`, `"action":"agreement.accepted"`, `"detail":{"version":"1"}`} {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(have)) {
				t.Errorf("no %s in %s", have, text)
			}
		}
		for _, secret := range []string{"argon2", "hash", "token", "handle", "password_", goodPassword} {
			if strings.Contains(text, secret) {
				t.Errorf("%s in %s", secret, text)
			}
		}
		if kinds, text := mustExport(t, w, w.other.BillerID); !slices.Equal(kinds, []string{"agreements"}) || strings.Contains(text, "jane") {
			t.Errorf("the other biller's: %v %s", kinds, text)
		}
		full := errors.New("disk full")
		if err := w.Service.Export(t.Context(), w.caller, func(string, any) error { return full }); !errors.Is(err, full) {
			t.Errorf("a reader that stops: %v", err)
		}
	})
}

// TestExportKnowsEveryTable fails for a new table that nobody decided about.
func TestExportKnowsEveryTable(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		want := []string{
			"acceptances", "access_requests", "activity", "agreements", "erased_acceptances", "grants", "history", "invitations",
			"signup_customers", "signups", "users", // exported
			"billers", "customer_terms", "customers", // what the platform told
			"address_changes", "jobs", "proofs", "resets", // under way
			"devices", "sessions", "throttles", "tokens", // secrets and counts
		}
		slices.Sort(want)
		got := slices.Sorted(maps.Keys(w.rowsOf(t, w.caller.BillerID)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tables (-known +there):\n%s", diff)
		}
	})
}

// TestPurgeLeavesNoRow looks into every table that has billers, so that a new one
// cannot be forgotten.
func TestPurgeLeavesNoRow(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		before := w.rowsOf(t, w.caller.BillerID)
		others := w.rowsOf(t, w.other.BillerID)
		if before["users"] == 0 || before["jobs"] == 0 || before["customers"] == 0 || others["customers"] == 0 {
			t.Fatalf("rows before: %v, the other biller's %v", before, others)
		}
		for range 2 { // the second time there is nothing to do
			must(t, w.Purge(t.Context(), w.caller))
			for table, n := range w.rowsOf(t, w.caller.BillerID) {
				if n != 0 {
					t.Errorf("%s keeps %d rows", table, n)
				}
			}
		}
		if diff := cmp.Diff(others, w.rowsOf(t, w.other.BillerID)); diff != "" {
			t.Errorf("the other biller's rows (-want +got):\n%s", diff)
		}
	})
}

// rowsOf counts a biller's rows in each table that has a biller.
func (w *world) rowsOf(t *testing.T, biller string) map[string]int {
	t.Helper()
	list := `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name IN ('biller_id', 'biller') WHERE m.type = 'table'`
	if w.db.Dialect() == sqldb.Postgres {
		list = `SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name IN ('biller_id', 'biller')`
	}
	var tables []string
	must(t, w.db.R.SelectContext(t.Context(), &tables, list))
	if len(tables) < 15 {
		t.Fatalf("tables = %v", tables)
	}
	rows := map[string]int{}
	for _, table := range tables {
		var n int
		must(t, w.db.R.GetContext(t.Context(), &n, `SELECT COUNT(*) FROM `+table+` WHERE biller_id = $1`, biller))
		rows[table] = n
	}
	return rows
}
