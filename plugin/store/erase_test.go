package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// wantNowhere looks for a text in every row of a biller but those that stay.
func (w *world) wantNowhere(t *testing.T, biller, text string) {
	t.Helper()
	for table := range w.rowsOf(t, biller) {
		switch table {
		case "customers", "customer_terms", // the books
			"jobs",      // ids alone, for as long as a job is remembered
			"throttles": // network addresses, for an hour at most
			continue
		}
		for _, row := range w.tableOf(t, biller, table) {
			for column, value := range row {
				if b, ok := value.([]byte); ok {
					value = string(b)
				}
				if strings.Contains(strings.ToLower(fmt.Sprint(value)), strings.ToLower(text)) {
					t.Errorf("%s.%s of %s still says %v", table, column, biller, value)
				}
			}
		}
	}
}

// tableOf reads all of a biller's rows in a table.
func (w *world) tableOf(t *testing.T, biller, table string) (out []map[string]any) {
	t.Helper()
	rows, err := w.db.R.QueryContext(t.Context(), `SELECT * FROM `+table+` WHERE biller_id = $1`, biller)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		must(t, rows.Scan(into...))
		row := map[string]any{}
		for i, c := range columns {
			row[c] = values[i]
		}
		out = append(out, row)
	}
	must(t, rows.Err())
	return out
}

func TestErasedPersonLeavesNoTrace(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.caller.Device = "laptop"
		w.signedUp(t, "c1")
		w.caller.Device = ""
		c.IP, c.Agent = netip.MustParseAddr("198.51.100.9"), "Phone/2.0"
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		session := in.Session
		must(t, w.ForgotPassword(ctx, c, "jane@acme.com"))
		reset := token(w.take(t))
		must(t, w.ChangeAddress(ctx, c, session, goodPassword, "moving@acme.com"))
		w.deliver(t)
		foreign := w.rowsOf(t, w.other.BillerID)
		u := w.person(t, "c1").UserID

		if err := w.EraseMyself(ctx, c, session, "wrong wrong wrong"); !errors.Is(err, portal.ErrWrongCurrent) {
			t.Errorf("a wrong password: %v", err)
		}
		must(t, w.EraseMyself(ctx, c, session, goodPassword))
		m := w.told(t)
		if !strings.EqualFold(m.To, "jane@acme.com") || m.Activity.Action != portal.ActionUserErased {
			t.Errorf("notice = %+v", m)
		}
		for _, text := range []string{"jane@acme", "moving@acme", u, "198.51.100.9", "Phone/2.0"} {
			w.wantNowhere(t, w.caller.BillerID, text)
		}
		w.wantStatus(t, "c1", portal.StatusRevoked)
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("session: %v", err)
		}
		if _, err := w.OpenReset(ctx, c, reset); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("reset: %v", err)
		}
		var kept []struct{ Person, Version, Text_hash string }
		must(t, w.db.R.Select(&kept, `SELECT person, version, text_hash FROM erased_acceptances WHERE biller_id = $1`, w.caller.BillerID))
		if len(kept) != 1 || kept[0].Version != portal.DefaultAgreementVersion || len(kept[0].Text_hash) != 64 || !strings.HasPrefix(kept[0].Person, "erased-") {
			t.Errorf("kept = %+v", kept)
		}
		if kinds, text := mustExport(t, w, w.caller.BillerID); !slices.Contains(kinds, "erased_agreements_accepted") || !strings.Contains(text, kept[0].Person) {
			t.Errorf("export: %v", kinds)
		}
		if diff := cmp.Diff(foreign, w.rowsOf(t, w.other.BillerID)); diff != "" {
			t.Errorf("the other biller's rows (-want +got):\n%s", diff)
		}
		w.clock.Add(portal.SendGap)
		w.signedUp(t, "c1") // the same address may come again
		w.wantStatus(t, "c1", portal.StatusRegistered)
	})
}

func TestErasedByStaffWithRequestAndSharedName(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		zoe := w.signedUp(t, "c4")
		link := w.invited(t, "c1")
		r := w.requested(t, link, "zoe@bücher.example")
		_, err := w.Approve(ctx, w.caller, r.ID, portal.RightPayer)
		must(t, err)
		offers, err := w.Offers(ctx, c, zoe)
		must(t, err)
		_, err = w.Add(ctx, c, zoe, offers[0].InvitationID)
		must(t, err)
		if _, err = w.db.W.Exec(`UPDATE history SET detail = $1 WHERE biller_id = $2 AND customer_id = 'c1' AND kind = 'opened'`,
			"Mail of Xzoe@bücher.example and zoe@bücher.example.au. ZOE@bücher.example.", w.caller.BillerID); err != nil {
			t.Fatal(err)
		}
		_, err = w.Open(ctx, c, link, "", "")
		must(t, err)
		must(t, w.ErasePerson(ctx, w.caller, "c1", w.person(t, "c1").UserID))
		w.deliver(t)
		w.wantPeople(t, "c1", 0)
		w.wantPeople(t, "c4", 0)
		w.wantStatus(t, "c4", portal.StatusRevoked)
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		if view.History[0].Kind != portal.HistoryErased || view.History[0].By != "Dana Whitfield" {
			t.Errorf("newest entry = %+v", view.History[0])
		}
	})
}

func TestRaceErase(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		session := w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		counts := race(func(n int) error {
			var err error
			if n < 5 { // as many as may type a password at once
				err = w.EraseMyself(ctx, public(w.caller), session, goodPassword)
			} else {
				err = w.ErasePerson(ctx, w.caller, "c1", u)
			}
			if apperr.Is(err, apperr.NotFound) || errors.Is(err, portal.ErrSignedOut) {
				err = portal.ErrNoPerson // which one depends on who asks
			}
			return err
		})
		wantOneWinner(t, counts, portal.ErrNoPerson)
		var acceptances int
		must(t, w.db.R.Get(&acceptances, `SELECT COUNT(*) FROM erased_acceptances WHERE biller_id = $1`, w.caller.BillerID))
		if acceptances != 1 {
			t.Errorf("%d proofs kept", acceptances)
		}
		w.wantOther(t)
	})
}

// TestErasureKnowsEveryTable fails for a new table with people in it that nobody
// decided about.
func TestErasureKnowsEveryTable(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		query := `SELECT m.name FROM sqlite_master m JOIN pragma_table_info(m.name) c ON c.name IN ('user_id', 'email', 'email_norm', 'ip') WHERE m.type = 'table' GROUP BY m.name ORDER BY m.name`
		if w.db.Dialect() == sqldb.Postgres {
			query = `SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() AND column_name IN ('user_id', 'email', 'email_norm', 'ip') GROUP BY table_name ORDER BY table_name`
		}
		var tables []string
		must(t, w.db.R.Select(&tables, query))
		want := []string{
			"acceptances", "access_requests", "activity", "address_changes", "customers", "devices", "grants", "invitations",
			"proofs", "resets", "sessions", "signups", "users",
		}
		if diff := cmp.Diff(want, tables); diff != "" {
			t.Errorf("tables about people (-known +there):\n%s", diff)
		}
	})
}
