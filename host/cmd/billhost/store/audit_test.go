package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func auditKey() []byte { return []byte("the audit key of these tests: 32") }

func mustRecord(tb testing.TB, w *world, biller string, r addon.AuditRecord) {
	tb.Helper()
	if err := w.RecordAudit(tb.Context(), biller, r); err != nil {
		tb.Fatal(err)
	}
}

func mustVerify(tb testing.TB, w *world, biller string, kept ...books.AuditHead) books.AuditReport {
	tb.Helper()
	r, err := w.VerifyAudit(tb.Context(), biller, kept...)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func mustExec(tb testing.TB, w *world, sql string, args ...any) {
	tb.Helper()
	done, err := w.db.W.ExecContext(tb.Context(), sql, args...)
	if err != nil {
		tb.Fatal(err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		tb.Fatalf("%s changed %d rows, %v", sql, n, err)
	}
}

func TestAuditKeepsOneRecordForEachKey(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		write := func(biller, addonID, key string) {
			t.Helper()
			record := addon.AuditRecord{AddonID: addonID, Key: key, Action: "session.started", Detail: map[string]string{"a": "b"}}
			if err := w.RecordAudit(t.Context(), biller, record); err != nil {
				t.Error(err)
			}
		}
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() { write(w.a.ID, "portal", "k1") })
		}
		wg.Wait()
		write(w.a.ID, "portal", "k2")
		write(w.a.ID, "notices", "k1")
		write(w.a.ID, "portal", "")
		write(w.a.ID, "portal", "")
		write(w.b.ID, "portal", "k1")
		for biller, want := range map[string]int64{w.a.ID: 6, w.b.ID: 2} { // one of them is that the biller was added
			if r := mustVerify(t, w, biller); r.Break != nil || r.Records != want {
				t.Errorf("kept %d records, want %d; %v", r.Records, want, r.Break)
			}
		}
	})
}

func TestAuditChainHasOneWinnerForEachPlace(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				for j := range 5 {
					for _, biller := range []string{w.a.ID, w.b.ID} {
						if err := w.RecordAudit(t.Context(), biller, addon.AuditRecord{Action: "a.b", Object: fmt.Sprint(i, j)}); err != nil {
							t.Error(err)
						}
					}
				}
			})
			wg.Go(func() { // who checks meanwhile sees no break
				if r, err := w.VerifyAudit(t.Context(), w.a.ID); err != nil || r.Break != nil {
					t.Errorf("while others record: %v, %v", r.Break, err)
				}
			})
		}
		wg.Wait()
		for _, biller := range []string{w.a.ID, w.b.ID} {
			if r := mustVerify(t, w, biller); r.Break != nil || r.Records != 81 || r.Head.Seq != 81 {
				t.Errorf("%+v, %v", r, r.Break)
			}
		}
	})
}

// filled is a world whose first biller has ten records, every field set, the
// first of them the biller's own; it returns their ids, the first at [1].
func filled(t *testing.T, w *world) []string {
	t.Helper()
	p := mustStaff(t, w, w.a.ID, "dana@northwind.example")
	for i := range 8 {
		mustRecord(t, w, w.a.ID, addon.AuditRecord{
			Key: fmt.Sprint("k", i), AddonID: "portal", StaffID: p.ID, PortalUserClaim: "u", Action: "session.started", Object: "o",
			CustomerID: "c", RequestID: "r", RemoteIP: "192.0.2.1", Detail: map[string]string{"a": "b"},
		})
	}
	mustRecord(t, w, w.b.ID, addon.AuditRecord{Action: "a.b"})
	ids := []string{""}
	if err := w.db.R.Select(&ids, `SELECT id FROM audit WHERE biller_id = $1 ORDER BY seq`, w.a.ID); err != nil || len(ids) != 10 {
		t.Fatalf("%d records, %v", len(ids), err)
	}
	return append([]string{""}, ids...)
}

func TestAuditTellsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	type change struct {
		name string
		do   func(t *testing.T, w *world, ids []string)
		at   int64
		says string
	}
	exec := func(sql string, args ...func(w *world, ids []string) any) func(*testing.T, *world, []string) {
		return func(t *testing.T, w *world, ids []string) {
			values := []any{w.a.ID}
			for _, a := range args {
				values = append(values, a(w, ids))
			}
			mustExec(t, w, sql, values...)
		}
	}
	id := func(n int) func(*world, []string) any { return func(_ *world, ids []string) any { return ids[n] } }
	other := func(w *world, _ []string) any { return w.b.ID }
	earlier := func(w *world, _ []string) any { return w.clock().Add(-time.Microsecond) }
	changes := []change{
		{"biller", exec(`UPDATE audit SET biller_id = $3, seq = 99 WHERE biller_id = $1 AND id = $2`, id(5), other), 5, "missing"},
		{"seq", exec(`UPDATE audit SET seq = 50 WHERE biller_id = $1 AND id = $2`, id(5)), 5, "missing"},
		{"seq taken away", exec(`UPDATE audit SET seq = NULL WHERE biller_id = $1 AND id = $2`, id(10)), 10, "newest"},
		{"at", exec(`UPDATE audit SET at = $3 WHERE biller_id = $1 AND id = $2`, id(5), earlier), 5, "changed"},
		{"delete the first", exec(`DELETE FROM audit WHERE biller_id = $1 AND id = $2`, id(1)), 1, "missing"},
		{"delete in the middle", exec(`DELETE FROM audit WHERE biller_id = $1 AND id = $2`, id(6)), 6, "missing"},
		{"delete the last", exec(`DELETE FROM audit WHERE biller_id = $1 AND id = $2`, id(10)), 10, "newest"},
		{"delete everything", exec(`DELETE FROM audit WHERE biller_id = $1`), 1, "newest"},
		{"delete the head", exec(`DELETE FROM audit_heads WHERE biller_id = $1`), 11, "head of the chain is missing"},
		{"the head's seq", exec(`UPDATE audit_heads SET seq = 9 WHERE biller_id = $1`), 11, "head of the chain was changed"},
		{"the head's hash", exec(`UPDATE audit_heads SET hash = 'x' WHERE biller_id = $1`), 11, "head of the chain was changed"},
		{"the head's mac", exec(`UPDATE audit_heads SET mac = 'x' WHERE biller_id = $1`), 11, "head of the chain was changed"},
		{"another biller's head", exec(`UPDATE audit_heads SET seq = (SELECT seq FROM audit_heads WHERE biller_id = $2), hash = (SELECT hash FROM audit_heads WHERE biller_id = $2), mac = (SELECT mac FROM audit_heads WHERE biller_id = $2) WHERE biller_id = $1`, other), 11, "head of the chain was changed"},
		{"delete the last and rewind the head", func(t *testing.T, w *world, ids []string) {
			mustExec(t, w, `UPDATE audit_heads SET seq = 9, hash = (SELECT hash FROM audit WHERE biller_id = $1 AND id = $2) WHERE biller_id = $1`, w.a.ID, ids[9])
			mustExec(t, w, `DELETE FROM audit WHERE biller_id = $1 AND id = $2`, w.a.ID, ids[10])
		}, 10, "head of the chain was changed"},
		{"the head from before", func(t *testing.T, w *world, _ []string) {
			putBack := headOf(t, w)
			mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "the.last"})
			putBack()
		}, 11, "newer than the head"},
		{"the head of what was put back", func(t *testing.T, w *world, _ []string) {
			undo := headOf(t, w)
			mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "the.last"})
			putBack := headOf(t, w)
			mustExec(t, w, `DELETE FROM audit WHERE biller_id = $1 AND seq = 11`, w.a.ID)
			undo()
			mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "another.last"})
			putBack()
		}, 11, "belongs to another record"},
		{"swap two", func(t *testing.T, w *world, ids []string) {
			mustExec(t, w, `UPDATE audit SET seq = 100 WHERE biller_id = $1 AND id = $2`, w.a.ID, ids[4])
			mustExec(t, w, `UPDATE audit SET seq = 4 WHERE biller_id = $1 AND id = $2`, w.a.ID, ids[7])
			mustExec(t, w, `UPDATE audit SET seq = 7 WHERE biller_id = $1 AND id = $2`, w.a.ID, ids[4])
		}, 4, "changed"},
		{"insert behind", exec(insertAfter, id(10)), 11, "changed"},
		{"insert outside", exec(strings.Replace(insertAfter, "seq + 1", "NULL", 1), id(10)), 0, "not in the chain"},
		{"an older record again", exec(strings.Replace(insertAfter, "seq + 1", "11", 1), id(6)), 11, "changed"},
	}
	for _, column := range []string{
		"id", "addon_id", "staff_id", "portal_user", "action", "object", "customer_id", "request_id", "remote_ip", "detail", "record_key", "prev_hash", "hash",
	} {
		changes = append(changes, change{column, exec(`UPDATE audit SET `+column+` = 'x' WHERE biller_id = $1 AND id = $2`, id(5)), 5, "changed"})
	}
	onBoth(t, func(t *testing.T, w *world) {
		ids := filled(t, w)
		good := mustVerify(t, w, w.a.ID)
		if good.Break != nil || good.Records != 10 {
			t.Fatalf("%+v, %v", good, good.Break)
		}
		restore := snapshot(t, w)
		for _, c := range changes {
			c.do(t, w, ids)
			r := mustVerify(t, w, w.a.ID)
			if r.Break == nil || r.Break.Seq != c.at || !strings.Contains(r.Break.Problem, c.says) {
				t.Errorf("%s: %+v, want record %d, %q", c.name, r.Break, c.at, c.says)
			}
			mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "later.record"})
			if r := mustVerify(t, w, w.a.ID); r.Break == nil {
				t.Errorf("%s: a later record healed the chain", c.name)
			}
			if r := mustVerify(t, w, w.b.ID); r.Break != nil && c.name != "biller" {
				t.Errorf("%s: the other biller's chain: %v", c.name, r.Break)
			}
			restore()
			if r := mustVerify(t, w, w.a.ID); r.Break != nil {
				t.Fatalf("%s: not restored: %v", c.name, r.Break)
			}
		}
	})
}

// headOf returns what puts the head back as it is now, with its seal.
func headOf(tb testing.TB, w *world) (putBack func()) {
	tb.Helper()
	var h struct {
		Seq  int64  `db:"seq"`
		Hash string `db:"hash"`
		Mac  string `db:"mac"`
	}
	must(tb, w.db.R.Get(&h, `SELECT seq, hash, mac FROM audit_heads WHERE biller_id = $1`, w.a.ID))
	return func() {
		tb.Helper()
		_, err := w.db.W.Exec(`UPDATE audit_heads SET seq = $2, hash = $3, mac = $4 WHERE biller_id = $1`, w.a.ID, h.Seq, h.Hash, h.Mac)
		must(tb, err)
	}
}

const insertAfter = `
	INSERT INTO audit (
		biller_id, id, at, addon_id, staff_id, portal_user, action, object,
		customer_id, request_id, remote_ip, detail, record_key, seq, prev_hash, hash
	)
	SELECT
		biller_id, 'new', at, addon_id, staff_id, portal_user, action, object,
		customer_id, request_id, remote_ip, detail, '', seq + 1, hash, hash
	FROM audit
	WHERE biller_id = $1
		AND id = $2`

// snapshot returns what brings audit and heads back as they are now.
func snapshot(t *testing.T, w *world) func() {
	t.Helper()
	tables := []string{"audit", "audit_heads"}
	for _, table := range tables {
		if _, err := w.db.W.Exec(`CREATE TABLE ` + table + `_kept AS SELECT * FROM ` + table); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, table := range tables {
			mustExec(t, w, `DELETE FROM `+table)
			mustExec(t, w, `INSERT INTO `+table+` SELECT * FROM `+table+`_kept`)
		}
	}
}

func TestAuditHeadKeptElsewhereShowsWhatWasCutOff(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		filled(t, w)
		old := mustVerify(t, w, w.a.ID).Head
		restore := snapshot(t, w)
		mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "session.started"})
		head := mustVerify(t, w, w.a.ID, old).Head
		if r := mustVerify(t, w, w.a.ID, old, head); r.Break != nil {
			t.Errorf("grown chain: %v", r.Break)
		}
		restore() // as if from a backup: records and head go back together
		if r := mustVerify(t, w, w.a.ID); r.Break != nil {
			t.Errorf("without the kept head nobody can know: %v", r.Break)
		}
		if r := mustVerify(t, w, w.a.ID, head); r.Break == nil || r.Break.Seq != 11 {
			t.Errorf("chain cut off: %v", r.Break)
		}
		mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "session.ended"})
		if r := mustVerify(t, w, w.a.ID, old, head); r.Break == nil || r.Break.Seq != 11 {
			t.Errorf("chain cut off and grown: %v", r.Break)
		}
	})
}

func TestAuditWithAnotherKeyDoesNotHold(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		forged := store.New(w.db, w.clock, w.emit, []byte("somebody who writes to the table"))
		if r, err := forged.VerifyAudit(t.Context(), w.a.ID); err != nil || r.Break == nil || r.Break.Seq != 1 {
			t.Errorf("%+v, %v", r.Break, err)
		}
	})
}

// Records of programs from before the chain are chained by ChainAudit, in order,
// once, and a record says so.
func TestAuditTakesEarlierRecordsIntoTheChain(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ids := filled(t, w)
		mustExec(t, w, `DELETE FROM audit_heads`)
		mustExec(t, w, `UPDATE audit SET seq = NULL, prev_hash = '', hash = ''`)
		for range 2 {
			if err := w.ChainAudit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if r := mustVerify(t, w, w.a.ID); r.Break != nil || r.Records != 11 {
			t.Errorf("%+v, %v", r, r.Break)
		}
		var order []string
		if err := w.db.R.Select(&order, `SELECT id FROM audit WHERE biller_id = $1 ORDER BY seq LIMIT 10`, w.a.ID); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(ids[1:], order); diff != "" {
			t.Errorf("order (-want +got):\n%s", diff)
		}
		list, err := w.FindAudit(t.Context(), w.a.ID, books.AuditFilter{Action: books.AuditAdopted})
		if err != nil || len(list.Entries) != 1 || list.Entries[0].Detail["records"] != "10" {
			t.Errorf("%+v, %v", list, err)
		}
		// What a program from before writes now is told, until it is chained.
		mustExec(t, w, `INSERT INTO audit (biller_id, id, at, addon_id, staff_id, portal_user, action, object, customer_id, request_id, remote_ip, detail)
			SELECT biller_id, 'late', at, addon_id, staff_id, portal_user, action, object, customer_id, request_id, remote_ip, detail FROM audit WHERE biller_id = $1 AND seq = 1`, w.a.ID)
		if r := mustVerify(t, w, w.a.ID); r.Break == nil || r.Break.ID != "late" {
			t.Errorf("%v", r.Break)
		}
		if err := w.ChainAudit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := mustVerify(t, w, w.a.ID); r.Break != nil || r.Records != 13 {
			t.Errorf("%+v, %v", r, r.Break)
		}
	})
}

func TestStaffEventsAreRecorded(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := books.WithActor(t.Context(), books.Actor{StaffID: books.CommandLine, Name: "root", IP: "192.0.2.9", RequestID: "req"})
		p, err := w.AddStaff(ctx, books.Staff{BillerID: w.a.ID, Email: "dana@northwind.example", Name: "Dana", Role: books.Owner})
		if err != nil {
			t.Fatal(err)
		}
		link, err := w.NewStaffLink(ctx, w.a.ID, p.ID)
		if err != nil {
			t.Fatal(err)
		}
		session, err := w.SignIn(ctx, link)
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.SignIn(ctx, link)
		wantCode(t, "used link", err, apperr.NotFound)
		_, err = w.SignIn(ctx, "garbage")
		wantCode(t, "garbage", err, apperr.NotFound)
		for range 2 { // the second finds nothing to end
			if err := w.SignOut(ctx, session); err != nil {
				t.Fatal(err)
			}
		}
		for _, do := range []error{
			w.SetStaffRole(ctx, w.a.ID, p.ID, books.Viewer), w.DisableStaff(ctx, w.a.ID, p.ID, true), w.DisableStaff(ctx, w.a.ID, p.ID, false),
		} {
			if do != nil {
				t.Fatal(do)
			}
		}
		list, err := w.FindAudit(t.Context(), w.a.ID, books.AuditFilter{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range list.Entries {
			got = append(got, e.Action+" "+e.StaffName+e.Detail["by"]+" "+e.Detail["from"]+e.Detail["to"])
			for _, secret := range []string{link, session} {
				if strings.Contains(fmt.Sprintf("%+v", e), secret) {
					t.Errorf("a secret in %+v", e)
				}
			}
		}
		want := []string{
			"staff.enabled root ", "staff.disabled root ", "staff.role_changed root ownerviewer", "staff.signed_out Dana ",
			"staff.sign_in_refused root ", "staff.signed_in Dana ", "staff.link_made root ", "staff.added root ", "biller.added  ",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		if e := list.Entries[0]; e.RemoteIP != "192.0.2.9" || e.RequestID != "req" {
			t.Errorf("from where: %+v", e)
		}
	})
}

// Once a platform has its chains, a biller whose chain is gone as a whole gets
// no second first record.
func TestAuditThatWasWipedStaysBroken(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		if err := w.ChainAudit(t.Context()); err != nil {
			t.Fatal(err)
		}
		mustExec(t, w, `DELETE FROM audit WHERE biller_id = $1`, w.a.ID)
		mustExec(t, w, `DELETE FROM audit_heads WHERE biller_id = $1`, w.a.ID)
		mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "session.started"})
		if r := mustVerify(t, w, w.a.ID); r.Break == nil || r.Break.Seq != 1 {
			t.Errorf("%v", r.Break)
		}
		if r := mustVerify(t, w, w.b.ID); r.Break != nil {
			t.Errorf("the other biller: %v", r.Break)
		}
	})
}
