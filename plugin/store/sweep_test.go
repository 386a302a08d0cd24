package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/password"
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
