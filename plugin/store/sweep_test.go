package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/plugin/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

func TestSweep(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		link := w.invited(t, "c4")
		handle := w.registered(t, link, "c4")
		m := w.take(t)
		for range 3 {
			if _, err := w.SignIn(ctx, c, "nobody@acme.com", "wrong wrong wrong"); !errors.Is(err, portal.ErrWrongSignIn) {
				t.Error(err)
			}
		}
		w.sweep(t)
		if _, err := w.Session(ctx, c, session); err != nil {
			t.Errorf("a session in use is swept away: %v", err)
		}
		if state, err := w.SignUp(ctx, c, handle); err != nil || state.Step != portal.StepConfirm {
			t.Errorf("a sign-up in progress is swept away: %+v, %v", state, err)
		}
		w.wantRows(t, map[string]int{"sessions": 1, "throttles": 8, "tokens": 6})

		w.clock.Add(portal.SignUpLife)
		w.sweep(t)
		w.wantRows(t, map[string]int{"sessions": 0, "throttles": 0, "tokens": 6, "signups": 2})
		var secrets int
		must(t, w.db.R.GetContext(ctx, &secrets, `
			SELECT COUNT(*)
			FROM signups
			WHERE biller_id = $1 AND (password_hash <> '' OR code_hash <> '' OR handle_hash <> '')`, "north"))
		if secrets != 0 {
			t.Errorf("%d dead sign-ups keep secrets", secrets)
		}
		if view, err := w.OpenConfirmation(ctx, c, token(m), handle); err != nil || view.Outcome != portal.ConfirmationExpired {
			t.Errorf("the link of a swept sign-up = %+v, %v", view, err)
		}
		w.wantLink(t, link, portal.LinkFresh)
		w.clock.Add(2 * 365 * 24 * time.Hour)
		w.sweep(t)
		w.wantRows(t, map[string]int{"tokens": 0})
	})
}

func (w *world) sweep(t *testing.T) {
	t.Helper()
	more, err := w.RefreshDue(t.Context(), w.caller)
	if err != nil || more {
		t.Errorf("RefreshDue = %v, %v", more, err)
	}
}

func (w *world) wantRows(t *testing.T, want map[string]int) {
	t.Helper()
	for table, n := range want {
		var got int
		must(t, w.db.R.GetContext(t.Context(), &got, `SELECT COUNT(*) FROM `+table+` WHERE biller_id = $1`, "north"))
		if got != n {
			t.Errorf("%s has %d rows, want %d", table, got, n)
		}
	}
}

func TestSignInRaisesTheCost(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		var before, after string
		read := func(hash *string) {
			must(t, w.db.R.GetContext(t.Context(), hash, `SELECT password_hash FROM users WHERE biller_id = $1`, "north"))
		}
		read(&before)
		costly := password.New(password.Config{Params: password.Params{MemoryKiB: 128, Passes: 2, Threads: 1}})
		w.Passwords = costly
		for range 2 {
			_, err := w.SignIn(t.Context(), public(w.caller), "jane@acme.com", goodPassword)
			must(t, err)
		}
		read(&after)
		if before == after || costly.Outdated(after) {
			t.Errorf("hash before %q, after %q", before, after)
		}
	})
}

func (w *world) countWhere(t *testing.T, rows string) (n int) {
	t.Helper()
	must(t, w.db.R.Get(&n, `SELECT COUNT(*) FROM `+rows))
	return n
}

// TestSweepIsBounded: what anybody can ask for goes in batches, after its time, and
// at no other biller.
func TestSweepIsBounded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c4")
		for i := range 9 {
			c.IP = netip.AddrFrom4([4]byte{10, 1, byte(i), 1})
			_, err := w.StartProof(ctx, c, fmt.Sprintf("stranger%d@else.example", i))
			must(t, err)
			must(t, w.ForgotPassword(ctx, c, fmt.Sprintf("stranger%d@else.example", i)))
			w.registered(t, link, "c4")
			w.clock.Add(time.Hour) // so many confirmations go to one person
		}
		theirs := public(w.other)
		_, err := w.StartProof(ctx, theirs, "stranger@else.example")
		must(t, err)
		must(t, w.ForgotPassword(ctx, theirs, "stranger@else.example"))
		foreign := w.rowsOf(t, w.other.BillerID)
		w.wantRows(t, map[string]int{"proofs": 9, "resets": 9, "signups": 9, "signup_customers": 9})
		invitations := w.countWhere(t, `tokens WHERE biller_id = 'north' AND purpose = 'invitation'`)

		w.clock.Add(11*24*time.Hour + portal.SignUpLife)
		var batches []int
		for n := 4; n == 4; {
			n, err = w.Store.Sweep(ctx, "north", w.clock.Now(), 4)
			must(t, err)
			batches = append(batches, n)
			if n > 4 || len(batches) > 99 {
				t.Fatalf("batches of %v rows, want 4 at most", batches)
			}
		}
		if len(batches) < 9 {
			t.Errorf("batches = %v", batches)
		}
		w.wantRows(t, map[string]int{"proofs": 0, "resets": 0, "signups": 0, "signup_customers": 0, "throttles": 0, "tokens": invitations})
		if n := w.countWhere(t, `activity WHERE biller_id = 'north' AND user_id = '' AND customer_id = '' AND staff_id = ''`); n == 0 {
			t.Error("what strangers did is forgotten in two weeks")
		}
		w.clock.Add(21 * 24 * time.Hour)
		w.sweep(t)
		if n := w.countWhere(t, `activity WHERE biller_id = 'north' AND user_id = '' AND customer_id = '' AND staff_id = ''`); n != 0 {
			t.Errorf("%d things that strangers did are kept", n)
		}
		if diff := cmp.Diff(foreign, w.rowsOf(t, w.other.BillerID)); diff != "" {
			t.Errorf("the other biller's rows (-want +got):\n%s", diff)
		}
	})
}

// TestAsksFromEverywhereAreBounded: addresses without end make no rows without end.
func TestAsksFromEverywhereAreBounded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		everyone := portal.GuardProof.Limits().Everyone
		budget := []portal.Budget{{Name: "ask from everywhere", Attempts: everyone}}
		for range everyone.Limit {
			_, err := w.Store.TakeTry(t.Context(), "north", portal.Try{Budgets: budget}, w.clock.Now())
			must(t, err)
		}
		for i, ask := range []func(portal.Caller) error{
			func(c portal.Caller) error { _, err := w.StartProof(t.Context(), c, "one@else.example"); return err },
			func(c portal.Caller) error { return w.ForgotPassword(t.Context(), c, "one@else.example") },
		} {
			c := public(w.caller)
			c.IP = netip.AddrFrom4([4]byte{10, 2, byte(i), 1})
			wantCode(t, ask(c), apperr.TooManyRequests)
			c.BillerID, c.BillerName = w.other.BillerID, w.other.BillerName
			must(t, ask(c))
		}
		w.wantRows(t, map[string]int{"proofs": 0, "resets": 0})
	})
}

// TestSweepMeetsAnErasure: a sign-up that somebody erases while the sweep is about to
// end it fails nothing.
func TestSweepMeetsAnErasure(t *testing.T) {
	t.Parallel()
	db := dbtest.MustOpen(t, dbtest.Postgres(t, store.Migrations()...))
	w := mustWorld(t, db)
	w.started(t, "c1")
	w.started(t, "c4")
	w.clock.Add(portal.SignUpLife + time.Second)
	tx, err := db.W.Beginx()
	must(t, err)
	defer tx.Rollback()
	for _, q := range []string{
		`SELECT id FROM customers WHERE biller_id = 'north' AND id = 'c1' FOR UPDATE`,
		`DELETE FROM signup_customers WHERE biller_id = 'north' AND customer_id = 'c1'`,
		`DELETE FROM signups WHERE biller_id = 'north' AND email_norm = 'jane@acme.com'`,
	} {
		_, err := tx.Exec(q)
		must(t, err)
	}
	swept := make(chan error, 1)
	go func() {
		_, err := w.Store.Sweep(context.WithoutCancel(t.Context()), "north", w.clock.Now(), 500)
		swept <- err
	}()
	for waiting := 0; waiting == 0 && len(swept) == 0; {
		must(t, w.db.R.Get(&waiting, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`))
	}
	must(t, tx.Commit())
	must(t, <-swept)
	if n := w.countWhere(t, `signups WHERE biller_id = 'north' AND step <> 'void'`); n != 0 {
		t.Errorf("%d sign-ups go on", n)
	}
	w.wantOther(t)
}
