package store_test

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

const manyRecords = 10_000

// mustFillAudit gives the first biller many records of many people, customers and
// add-ons, and the second a few.
func mustFillAudit(tb testing.TB, w *world) {
	tb.Helper()
	series := `WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %d) `
	_, err := w.db.W.Exec(fmt.Sprintf(series, manyRecords)+`
		INSERT INTO audit (
			biller_id, id, at, addon_id, staff_id, portal_user, action, object,
			customer_id, request_id, remote_ip, detail, record_key, seq, prev_hash, hash
		)
		SELECT
			$1,
			'r' || CAST(n AS TEXT),
			$2,
			'addon-' || CAST(n % 5 AS TEXT),
			'staff-' || CAST(n % 1000 AS TEXT),
			'',
			'a.b' || CAST(n % 50 AS TEXT),
			'',
			'customer-' || CAST(n % 2000 AS TEXT),
			'', '', '{}', 'k' || CAST(n AS TEXT), n + 1000, '', ''
		FROM s`, w.a.ID, w.clock())
	must(tb, err)
	_, err = w.db.W.Exec(fmt.Sprintf(series, 1000)+`
		INSERT INTO staff (biller_id, id, email, email_norm, name, role, operator, disabled, created_at)
		SELECT $1, 'staff-' || CAST(n AS TEXT), '', 'n' || CAST(n AS TEXT), '', 'viewer', FALSE, FALSE, $2
		FROM s`, w.a.ID, w.clock())
	must(tb, err)
	for n := range 300 {
		mustCustomer(tb, w, w.a.ID, books.CustomerForm{Name: fmt.Sprint("Customer ", n)})
	}
	must(tb, w.RecordAudit(tb.Context(), w.b.ID, addon.AuditRecord{Action: "a.b1", AddonID: "addon-1", StaffID: "staff-1", CustomerID: "customer-1"}))
	_, err = w.db.W.Exec(`ANALYZE`)
	must(tb, err)
}

var placeholder = regexp.MustCompile(`\$(\d+)`)

// planOf is how a statement runs, whatever its arguments are.
func planOf(tb testing.TB, db *sqldb.DB, statement string) string {
	tb.Helper()
	n := 0
	for _, m := range placeholder.FindAllStringSubmatch(statement, -1) {
		i, err := strconv.Atoi(m[1])
		must(tb, err)
		n = max(n, i)
	}
	tx, err := db.W.Beginx()
	must(tb, err)
	defer tx.Rollback()
	var lines []string
	if db.Dialect() == sqldb.SQLite {
		var rows []struct {
			ID, Parent, NotUsed int
			Detail              string
		}
		must(tb, tx.Select(&rows, `EXPLAIN QUERY PLAN `+statement, make([]any, n)...))
		for _, r := range rows {
			lines = append(lines, r.Detail)
		}
		return strings.Join(lines, "\n")
	}
	for _, s := range []string{`SET LOCAL plan_cache_mode = force_generic_plan`, `PREPARE hot AS ` + statement} {
		_, err := tx.Exec(s)
		must(tb, err)
	}
	execute := `EXPLAIN (COSTS OFF) EXECUTE hot`
	if n > 0 {
		execute += `(` + strings.TrimSuffix(strings.Repeat("NULL, ", n), ", ") + `)`
	}
	must(tb, tx.Select(&lines, execute))
	_, err = tx.Exec(`DEALLOCATE hot`)
	must(tb, err)
	return strings.Join(lines, "\n")
}

// everyRow matches a plan that reads a whole table, or sorts what it has read.
var everyRow = regexp.MustCompile(`Seq Scan on (audit|customers|staff|staff_sessions|staff_links|staff_tries|staff_asks)\b|Sort\b|SCAN (a|p|c|audit|staff|staff_sessions|staff_links|staff_tries)\b|TEMP B-TREE`)

// TestAuditListUsesAnIndex asks both databases how they run what the page of the
// audit, its download and each record run, at a biller with 10,000 records: by an
// index that has the order of the list already.
func TestAuditListUsesAnIndex(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		mustFillAudit(t, w)
		noon := w.clock()
		find := func(f books.AuditFilter) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				list, err := w.FindAudit(ctx, w.a.ID, f)
				if err == nil && f.After == "" && list.Next != "" {
					f.After = list.Next
					if list, err = w.FindAudit(ctx, w.a.ID, f); err == nil {
						f.After, f.Before = "", list.Prev
						_, err = w.FindAudit(ctx, w.a.ID, f)
					}
				}
				return err
			}
		}
		for name, do := range map[string]struct {
			index string
			run   func(ctx context.Context) error
		}{
			"everything":     {"audit_time", find(books.AuditFilter{})},
			"a download":     {"audit_time", find(books.AuditFilter{Limit: 1000})},
			"some days":      {"audit_time", find(books.AuditFilter{From: noon.Add(-time.Hour), Until: noon.Add(time.Hour)})},
			"a kind":         {"audit_time", find(books.AuditFilter{Group: "staff"})},
			"one person":     {"audit_staff", find(books.AuditFilter{StaffID: "staff-7"})},
			"one customer":   {"audit_about", find(books.AuditFilter{CustomerID: "customer-7"})},
			"one add-on":     {"audit_addon", find(books.AuditFilter{AddonID: "addon-3"})},
			"no add-on":      {"audit_addon", find(books.AuditFilter{Platform: true})},
			"names of these": {"audit_addon", func(ctx context.Context) error { _, err := w.AuditAddons(ctx, w.a.ID); return err }},
			"a record": {"audit_once", func(ctx context.Context) error {
				return w.RecordAudit(ctx, w.a.ID, addon.AuditRecord{Action: "a.b", AddonID: "addon-1", Key: "new " + w.a.ID})
			}},
		} {
			var failed error
			statements := w.statements(t, func(ctx context.Context) { failed = do.run(ctx) })
			must(t, failed)
			used, n := "", 0
			for _, s := range statements {
				if word, _, _ := strings.Cut(s, " "); word != "SELECT" && word != "UPDATE" && word != "DELETE" {
					continue
				}
				plan := planOf(t, w.db, s)
				n++
				used += plan + "\n"
				if everyRow.MatchString(plan) {
					t.Errorf("%s reads too much:\n%s\n%s", name, s, plan)
				}
			}
			if n == 0 || !strings.Contains(used, do.index) {
				t.Errorf("%s does not use %s:\n%s", name, do.index, used)
			}
		}
	})
}
