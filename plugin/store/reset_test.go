package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const newPassword = "lantern copper meadow drift"

// asked asks for a new password and returns the mail's token.
func (w *world) asked(tb testing.TB, address string) string {
	tb.Helper()
	must(tb, w.ForgotPassword(tb.Context(), public(w.caller), address))
	m := w.take(tb)
	if m.Ref.Kind != portal.MailReset {
		tb.Fatalf("the newest mail is %+v", m.Ref)
	}
	return token(m)
}

func TestResetSetsThePasswordOnce(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		older, newer := w.asked(t, "jane@acme.com"), w.asked(t, " JANE@acme.com")
		if _, err := w.OpenReset(ctx, public(w.other), newer); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller opens the link: %v", err)
		}
		if masked, err := w.OpenReset(ctx, c, newer); err != nil || masked != "J•••@Acme.com" && masked != "j•••@acme.com" {
			t.Errorf("OpenReset = %q, %v", masked, err)
		}
		_, err := w.ResetPassword(ctx, c, newer, "short")
		wantCode(t, err, apperr.Invalid)
		wantOneWinner(t, race(func(int) error {
			_, err := w.ResetPassword(ctx, c, newer, newPassword)
			return err
		}), portal.ErrResetGone)
		if _, err := w.ResetPassword(ctx, c, older, newPassword); !errors.Is(err, portal.ErrResetGone) {
			t.Errorf("the older link after the newer was used: %v", err)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("a session outlives the reset: %v", err)
		}
		if _, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the old password still works: %v", err)
		}
		if in, err := w.SignIn(ctx, c, "jane@acme.com", newPassword); err != nil || in.Session == "" {
			t.Errorf("the new password: %+v, %v", in, err)
		}
		if m := w.take(t); m.Ref.Kind != portal.MailNotice || m.To != "Jane@Acme.com" || m.Activity.Action != portal.ActionPasswordReset {
			t.Errorf("the person was told by %+v", m)
		}
		w.wantOther(t)
	})
}

func TestResetRunsOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		link := w.asked(t, "jane@acme.com")
		w.clock.Add(portal.ResetLife)
		if _, err := w.ResetPassword(t.Context(), public(w.caller), link, newPassword); !errors.Is(err, portal.ErrResetGone) {
			t.Errorf("after 20 minutes: %v", err)
		}
	})
}

// TestForgotSaysAndDoesTheSameForNobody: rows and jobs are as many, and only
// somebody gets a mail.
func TestForgotSaysAndDoesTheSameForNobody(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		counts := func() (n [4]int) {
			for i, query := range []string{
				`SELECT COUNT(*) FROM resets WHERE biller_id = 'north'`, `SELECT COUNT(*) FROM tokens WHERE biller_id = 'north'`,
				`SELECT COUNT(*) FROM activity WHERE biller_id = 'north'`, `SELECT COUNT(*) FROM jobs WHERE biller_id = 'north'`,
			} {
				must(t, w.db.R.Get(&n[i], query))
			}
			return n
		}
		grew := map[string][4]int{}
		for _, address := range []string{"jane@acme.com", "nobody@acme.com"} {
			before := counts()
			must(t, w.ForgotPassword(t.Context(), public(w.caller), address))
			after := counts()
			for i := range after {
				after[i] -= before[i]
			}
			grew[address] = after
		}
		if grew["jane@acme.com"] != grew["nobody@acme.com"] {
			t.Errorf("resets, tokens, activities and jobs grew by %v", grew)
		}
		w.mail = nil
		w.deliver(t)
		if len(w.mail) != 1 || w.mail[0].To != "Jane@Acme.com" {
			t.Errorf("mails: %+v", w.mail)
		}
		for range portal.ResetRequests().Limit {
			must(t, w.ForgotPassword(t.Context(), public(w.caller), "jane@acme.com"))
			must(t, w.ForgotPassword(t.Context(), public(w.other), "jane@acme.com"))
		}
		w.mail = nil
		w.deliver(t)
		if n := len(w.mail); n != portal.ResetRequests().Limit-1 {
			t.Errorf("%d more mails, want the rest of the %d an hour, and none of the other biller", n, portal.ResetRequests().Limit)
		}
		w.clock.Add(time.Hour)
		w.asked(t, "jane@acme.com")
	})
}

// TestCase26ResetConfirms: the link of a forgotten password proves the mailbox of
// a sign-up in progress, at each of its steps.
func TestCase26ResetConfirms(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.started(t, "c1") // at the code
		state, err := w.Register(ctx, c, w.invited(t, "c4"), "zoe@bücher.example", goodPassword)
		must(t, err)
		for customer, address := range map[string]string{"c1": "jane@acme.com", "c4": "zoe@bücher.example"} {
			link := w.asked(t, address)
			counts := race(func(int) error {
				st, err := w.ResetPassword(ctx, c, link, newPassword)
				if err == nil && (st.Step != portal.StepAccept || st.Handle == "") {
					t.Errorf("%s: after the reset: %+v", customer, st)
				}
				return err
			})
			if counts[""] != 1 {
				t.Errorf("%s: answers = %v, want one winner", customer, counts)
			}
			if m := w.take(t); m.Ref.Kind != portal.MailNotice {
				t.Errorf("%s: the person was told by %+v", customer, m.Ref)
			}
			w.wantStatus(t, customer, portal.StatusAwaitingAgreement)
			if in, err := w.SignIn(ctx, c, address, newPassword); err != nil || !in.AgreementPending {
				t.Errorf("%s: sign-in after the reset: %+v, %v", customer, in, err)
			}
		}
		if _, err := w.SignUp(ctx, c, state.Handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the earlier browser goes on: %v", err)
		}
		w.wantOther(t)
	})
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		a, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		b, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		link := w.asked(t, "jane@acme.com")
		if _, err := w.ChangePassword(ctx, c, a.Session, "wrong wrong wrong", newPassword); !errors.Is(err, portal.ErrWrongCurrent) {
			t.Errorf("with a wrong current password: %v", err)
		}
		_, err = w.ChangePassword(ctx, c, a.Session, goodPassword, "jane@acme.com")
		wantCode(t, err, apperr.Invalid)
		_, err = w.ChangePassword(ctx, public(w.other), a.Session, goodPassword, newPassword)
		wantCode(t, err, apperr.Unauthenticated)
		var fresh portal.SignedIn
		counts := race(func(int) error {
			in, err := w.ChangePassword(ctx, c, a.Session, goodPassword, newPassword)
			if err == nil {
				fresh = in
			}
			return err
		})
		if counts[""] != 1 {
			t.Errorf("answers = %v, want one winner", counts)
		}
		for name, session := range map[string]string{"this browser's old one": a.Session, "another browser's": b.Session} {
			if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
				t.Errorf("%s is still good: %v", name, err)
			}
		}
		if _, err := w.Session(ctx, c, fresh.Session); err != nil {
			t.Errorf("the new session: %v", err)
		}
		if _, err := w.ResetPassword(ctx, c, link, goodPassword); !errors.Is(err, portal.ErrResetGone) {
			t.Errorf("a reset link outlives the change: %v", err)
		}
	})
}
