package store_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// proof lets the tests with large loads run; make proof sets it.
var proof = flag.Bool("proof", false, "run the tests with large loads")

// TestProofManyTenants compares what a signed-in page and the report of one biller
// cost where there are 10,000 billers, and where there are 10; all have the same.
func TestProofManyTenants(t *testing.T) {
	if !*proof {
		t.Skip("a large load: make proof runs it")
	}
	few, fewSession := mustTenants(t, 10)
	many, manySession := mustTenants(t, 10_000)
	for _, c := range []struct {
		name string
		cost func(w *world, session string)
	}{
		{"signed-in page", func(w *world, session string) {
			_, err := w.Session(t.Context(), public(w.caller), session)
			must(t, err)
			_, err = w.Offers(t.Context(), public(w.caller), session)
			must(t, err)
		}},
		{"report", func(w *world, _ string) {
			if rows := w.rows(t, portal.RegistrationQuery{Sort: portal.SortName, Limit: 20}); len(rows) != 20 {
				t.Fatalf("%d rows", len(rows))
			}
		}},
		{"report, searched", func(w *world, _ string) { w.rows(t, portal.RegistrationQuery{Sort: portal.SortName, Search: "bak"}) }},
	} {
		a, b, ratio := inTurns(func() { c.cost(many, manySession) }, func() { c.cost(few, fewSession) })
		line := fmt.Sprintf("%s at 10,000 billers %s, at 10 billers %s: ratio %.2f (load %s)", c.name, a, b, ratio, loadOf(t))
		fmt.Println("PROOF", line)
		if ratio > 1.2 {
			t.Error(line)
		}
	}
}

// inTurns calls both 400 times, one after the other, and returns the medians and
// the median of the ratios of twenty neighbouring calls each.
func inTurns(f, g func()) (a, b time.Duration, ratio float64) {
	const rounds, calls = 20, 20
	var as, bs []time.Duration
	var ratios []float64
	timed := func(f func()) time.Duration {
		begin := time.Now()
		f()
		return time.Since(begin)
	}
	for range rounds {
		var ra, rb []time.Duration
		for range calls {
			ra, rb = append(ra, timed(f)), append(rb, timed(g))
		}
		slices.Sort(ra)
		slices.Sort(rb)
		as, bs = append(as, ra...), append(bs, rb...)
		ratios = append(ratios, float64(ra[calls/2])/float64(rb[calls/2]))
	}
	slices.Sort(as)
	slices.Sort(bs)
	slices.Sort(ratios)
	return as[len(as)/2], bs[len(bs)/2], ratios[rounds/2]
}

func loadOf(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	must(t, err)
	return strings.Fields(string(text))[0]
}

// mustTenants returns a portal on PostgreSQL with so many billers, each of which
// has what the first has: 44 customers, in all states, with 2 registered people.
func mustTenants(t *testing.T, billers int) (w *world, session string) {
	t.Helper()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, store.Migrations()...))
	w = mustWorld(t, db)
	w.mustPopulate(t)
	session = w.signedUp(t, "c1")
	tx, err := db.W.Begin()
	must(t, err)
	defer tx.Rollback()
	// Rows are copied whole, so the references among them hold.
	_, err = tx.Exec(`SET LOCAL session_replication_role = replica`)
	must(t, err)
	for table, columns := range mustTables(t, db) {
		values := strings.Replace(strings.Join(columns, ", "), "biller_id", "'more-' || n", 1)
		_, err := tx.Exec(fmt.Sprintf(`INSERT INTO %s (%s) SELECT %s FROM %s, generate_series(3, $1) AS n WHERE biller_id = $2`,
			table, strings.Join(columns, ", "), values, table), billers, w.caller.BillerID)
		if err != nil {
			t.Fatalf("copy %s: %v", table, err)
		}
	}
	must(t, tx.Commit())
	_, err = db.W.Exec(`VACUUM ANALYZE`)
	must(t, err)
	return w, session
}

// mustTables returns the columns of all tables that billers share.
func mustTables(t *testing.T, db *sqldb.DB) map[string][]string {
	t.Helper()
	var list []struct{ Table, Columns string }
	must(t, db.R.Select(&list, `SELECT c.table_name AS "table", string_agg(c.column_name, ',') AS "columns"
		FROM information_schema.columns c
		WHERE c.table_schema = current_schema()
			AND c.is_generated = 'NEVER'
			AND EXISTS (SELECT 1 FROM information_schema.columns b
				WHERE b.table_schema = c.table_schema AND b.table_name = c.table_name AND b.column_name = 'biller_id')
		GROUP BY c.table_name`))
	tables := map[string][]string{}
	for _, l := range list {
		tables[l.Table] = strings.Split(l.Columns, ",")
	}
	return tables
}
