package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestPasswordIsAskedAgain: what ends sessions asks for the password, unless it was
// typed within 15 minutes in the same network and browser.
func TestPasswordIsAskedAgain(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		first := w.signedUp(t, "c1")
		others := func(c portal.Caller, session, password string) error {
			_, err := w.EndOtherSessions(ctx, c, session, password)
			return err
		}
		if err := others(c, first, ""); !errors.Is(err, portal.ErrAgain) {
			t.Errorf("a session that began with the agreement: %v", err)
		}
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		for name, tt := range map[string]struct {
			caller portal.Caller
			want   error
		}{
			"here":             {c, nil},
			"the same network": {at(w.caller, "203.0.113.99"), nil},
			"another network":  {at(w.caller, "203.0.114.7"), portal.ErrAgain},
			"another browser":  {portal.Caller{BillerID: c.BillerID, IP: c.IP, Agent: "Test/2.0"}, portal.ErrAgain},
			"the other biller": {public(w.other), portal.ErrSignedOut},
		} {
			if err := others(tt.caller, in.Session, ""); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		w.clock.Add(portal.TypedLife - time.Microsecond)
		must(t, others(c, in.Session, ""))
		w.clock.Add(time.Microsecond)
		for range 2 {
			if err := others(c, in.Session, ""); !errors.Is(err, portal.ErrAgain) {
				t.Errorf("after %v: %v", portal.TypedLife, err)
			}
		}
		if err := w.EndSession(ctx, c, in.Session, "", "x"); !errors.Is(err, portal.ErrAgain) {
			t.Errorf("one session: %v", err)
		}
		if err := others(c, in.Session, wrongPassword); !errors.Is(err, portal.ErrWrongCurrent) {
			t.Errorf("a wrong password: %v", err)
		}
		must(t, others(c, in.Session, goodPassword))
		must(t, others(c, in.Session, ""))
		must(t, w.Store.KeepTyped(ctx, w.other.BillerID, w.Keys.Hash(c.BillerID, in.Session), portal.Typed{}))
		must(t, others(c, in.Session, ""))
	})
}

// TestAskedAgainIsGuardedLikeASignIn: wrong passwords of who is signed in wait as
// long, are kept, and are told to the owner.
func TestAskedAgainIsGuardedLikeASignIn(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		session := w.signedUp(t, "c1")
		w.mail = nil
		asking := map[string]func(c portal.Caller, password string) error{
			"one session": func(c portal.Caller, password string) error { return w.EndSession(ctx, c, session, password, "x") },
			"others": func(c portal.Caller, password string) error {
				_, err := w.EndOtherSessions(ctx, c, session, password)
				return err
			},
			"password": func(c portal.Caller, password string) error {
				_, err := w.ChangePassword(ctx, c, session, password, newPassword)
				return err
			},
			"address": func(c portal.Caller, password string) error {
				return w.ChangeAddress(ctx, c, session, password, "j@new.example")
			},
			"erasure": func(c portal.Caller, password string) error { return w.EraseMyself(ctx, c, session, password) },
		}
		n, refused := 0, 0
		for name, ask := range asking {
			for range portal.SignInDelays().Free {
				n++
				refused++
				if err := ask(elsewhere(w.caller, n), wrongPassword); !errors.Is(err, portal.ErrWrongCurrent) {
					t.Fatalf("%s: a free try: %v", name, err)
				}
			}
			for other, also := range asking {
				n++
				err := also(elsewhere(w.caller, n), goodPassword)
				if wantCode(t, err, apperr.TooManyRequests); apperr.RetryAfterOf(err) != portal.SignInDelays().First {
					t.Errorf("%s after %s: wait %v", other, name, apperr.RetryAfterOf(err))
				}
			}
			w.clock.Add(portal.SignInDelays().Quiet)
			session = w.reopened(t)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInRefused); got != refused {
			t.Errorf("%d wrong passwords are kept, want %d", got, refused)
		}
		w.deliver(t)
		if len(w.mail) == 0 || w.mail[0].Activity.Action != portal.ActionSignInBlocked || w.mail[0].To != "Jane@Acme.com" {
			t.Errorf("the owner is told: %+v", w.mail)
		}
	})
}

// reopened signs Jane in anew.
func (w *world) reopened(tb testing.TB) (session string) {
	tb.Helper()
	in, err := w.SignIn(tb.Context(), public(w.caller), "jane@acme.com", goodPassword)
	must(tb, err)
	return in.Session
}
