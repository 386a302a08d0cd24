package store_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestSyncIndexesAnew: words that an earlier release did not know are found after
// the next sync of unchanged customers.
func TestSyncIndexesAnew(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		_, err := w.db.W.Exec(`DELETE FROM customer_terms WHERE term IN ('nw', '2')`)
		must(t, err)
		must(t, w.ApplyCustomers(t.Context(), w.caller, customers()))
		w.wantCount(t, portal.RegistrationQuery{Search: "nw-2"}, 0, 0)
		_, err = w.db.W.Exec(`UPDATE customers SET version = version - 1`) // migration 2
		must(t, err)
		must(t, w.ApplyCustomers(t.Context(), w.caller, customers()))
		w.wantCount(t, portal.RegistrationQuery{Search: "nw-2"}, 1, 0)
		w.wantOther(t)
	})
}

// TestBothDatabasesHaveOneSchema: the migrations are the same but for how texts
// compare, which SQLite does by bytes anyway.
func TestBothDatabasesHaveOneSchema(t *testing.T) {
	t.Parallel()
	for _, set := range store.Migrations() {
		texts := map[string]map[string]string{}
		for _, dialect := range []string{"sqlite", "postgres"} {
			texts[dialect] = map[string]string{}
			names, err := fs.Glob(set.Files, dialect+"/*.sql")
			must(t, err)
			for _, name := range names {
				text, err := fs.ReadFile(set.Files, name)
				must(t, err)
				texts[dialect][strings.TrimPrefix(name, dialect+"/")] = strings.ReplaceAll(string(text), ` COLLATE "C"`, "")
			}
		}
		if diff := cmp.Diff(texts["sqlite"], texts["postgres"]); diff != "" || len(texts["sqlite"]) == 0 {
			t.Errorf("%s (-sqlite +postgres):\n%s", set.Name, diff)
		}
	}
}

// TestForeignKeysHaveAnIndex: whoever deletes a row looks for those that refer to
// it, a purge once for each row.
func TestForeignKeysHaveAnIndex(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.SQLite(t, store.Migrations()...))
	var keys []struct {
		Table   string `db:"tbl"`
		Parent  string `db:"parent"`
		Columns string `db:"columns"`
	}
	must(t, db.R.Select(&keys, `
		SELECT tbl, parent, group_concat(col, ' ') AS columns
		FROM (
			SELECT m.name AS tbl, f.id AS id, f."table" AS parent, f."from" AS col
			FROM sqlite_master m
			JOIN pragma_foreign_key_list(m.name) f
			WHERE m.type = 'table'
			ORDER BY m.name, f.id, f.seq
		)
		GROUP BY tbl, id`))
	if len(keys) < 14 {
		t.Fatalf("foreign keys = %v", keys)
	}
	for _, k := range keys {
		if k.Parent == "agreements" {
			continue // a biller has few versions
		}
		var indexes []string
		must(t, db.R.Select(&indexes, `
			SELECT (SELECT group_concat(name, ' ') FROM (SELECT name FROM pragma_index_info(l.name) ORDER BY seqno))
			FROM pragma_index_list($1) l
			WHERE l.partial = 0`, k.Table))
		if !slices.ContainsFunc(indexes, func(columns string) bool { return strings.HasPrefix(columns+" ", k.Columns+" ") }) {
			t.Errorf("%s has no index that begins with %s, its key of %s: %q", k.Table, k.Columns, k.Parent, indexes)
		}
	}
}
