package store_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestRaceInvite(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		counts := race(func(int) error {
			_, err := w.Invite(t.Context(), w.caller, "c1")
			return err
		})
		wantOneWinner(t, counts, portal.CheckSend([]time.Time{w.clock.Now()}, w.clock.Now()))
		w.deliver(t)
		if len(w.mail) != 1 {
			t.Errorf("%d mails, want 1", len(w.mail))
		}
		w.wantOther(t)
	})
}

func TestRaceRegister(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		handles := make([]string, 16)
		counts := race(func(n int) error {
			state, err := w.Register(ctx, c, link, "jane@acme.com", goodPassword)
			handles[n] = state.Handle
			return err
		})
		if counts[""] != 16 {
			t.Errorf("answers = %v, want all to register", counts)
		}
		live := 0
		for _, h := range handles {
			switch _, err := w.SignUp(ctx, c, h); {
			case err == nil:
				live++
			case !errors.Is(err, portal.ErrSignUpEnded):
				t.Error(err)
			}
		}
		if live != 1 {
			t.Errorf("%d sign-ups live, want the latest only", live)
		}
		w.wantOther(t)
	})
}

func TestRaceConfirmCode(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		handle, m := w.started(t, "c1")
		counts := race(func(int) error {
			_, err := w.Confirm(t.Context(), public(w.caller), handle, m.Code)
			return err
		})
		wantOneWinner(t, counts, portal.ErrWrongStep)
		w.wantPeople(t, "c1", 1)
	})
}

func (w *world) wantPeople(t *testing.T, customerID string, want int) {
	t.Helper()
	view, err := w.Service.Customer(t.Context(), w.caller, customerID)
	must(t, err)
	if len(view.People) != want {
		t.Errorf("people = %+v, want %d", view.People, want)
	}
	w.wantOther(t)
}

func TestRaceConfirmLink(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		handle, m := w.started(t, "c1")
		counts := race(func(int) error {
			_, err := w.ConfirmLink(t.Context(), public(w.caller), token(m), handle, "")
			if errors.Is(err, portal.ErrNotAccepted) {
				err = portal.ErrRegistered // which one depends on when the link was read
			}
			return err
		})
		wantOneWinner(t, counts, portal.ErrRegistered)
		w.wantPeople(t, "c1", 1)
	})
}

func TestRaceAccept(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		counts := race(func(int) error {
			_, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
			return err
		})
		wantOneWinner(t, counts, portal.ErrSignUpEnded)
		w.wantStatus(t, "c1", portal.StatusRegistered)
		w.wantOther(t)
	})
}

func TestRaceAcceptWithSession(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		counts := race(func(int) error {
			_, err := w.Accept(ctx, c, portal.Holder{Session: in.Session}, portal.DefaultAgreementVersion)
			return err
		})
		wantOneWinner(t, counts, portal.ErrSignedOut)
	})
}

func TestRaceAdd(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		w.invited(t, "c2")
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		counts := race(func(int) error {
			_, err := w.Add(ctx, c, session, offers[0].InvitationID)
			return err
		})
		wantOneWinner(t, counts, portal.ErrOfferGone)
		w.wantPeople(t, "c2", 1)
	})
}

// TestRaceSameEmail is case 17: two customers with one address sign up at once.
func TestRaceSameEmail(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		var handles, codes []string
		for _, id := range []string{"c1", "c2"} {
			handle, m := w.started(t, id)
			handles, codes = append(handles, handle), append(codes, m.Code)
		}
		counts := race(func(n int) error {
			_, err := w.Confirm(ctx, c, handles[n%2], codes[n%2])
			return err
		})
		if counts[""] != 1 || counts["conflict: "+portal.ErrHasAccount.Error()] != 1 {
			t.Errorf("answers = %v, want one user, one ErrHasAccount, the rest too late", counts)
		}
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		done, err := w.Accept(ctx, c, portal.Holder{Session: in.Session}, portal.DefaultAgreementVersion)
		must(t, err)
		offers, err := w.Offers(ctx, c, done.Session)
		must(t, err)
		if len(offers) != 1 {
			t.Errorf("offers = %+v, want the other customer", offers)
		}
		w.wantOther(t)
	})
}

func TestRaceResend(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		handle, _ := w.started(t, "c1")
		w.clock.Add(time.Minute)
		counts := race(func(int) error {
			return w.ResendConfirmation(t.Context(), public(w.caller), handle)
		})
		wantOneWinner(t, counts, portal.CheckResend([]time.Time{w.clock.Now()}, w.clock.Now()))
	})
}

func TestRaceSignInNeverPassesTheLimit(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		for _, address := range []string{"jane@acme.com", "nobody@acme.com"} {
			compared := map[apperr.Code]int{}
			for text, n := range race(func(int) error {
				_, err := w.SignIn(t.Context(), public(w.caller), address, "wrong wrong wrong")
				return err
			}) {
				if text == "unauthenticated: "+portal.ErrWrongSignIn.Error() {
					compared[apperr.Unauthenticated] += n
				} else {
					compared[apperr.TooManyRequests] += n
				}
			}
			if compared[apperr.Unauthenticated] != 5 || compared[apperr.TooManyRequests] != 11 {
				t.Errorf("%s: %v, want five comparisons", address, compared)
			}
		}
		// The same address at the other biller has its own count.
		_, err := w.SignIn(t.Context(), public(w.other), "jane@acme.com", "wrong wrong wrong")
		wantCode(t, err, apperr.Unauthenticated)
	})
}

// TestRaceRegisterWhileInviting would deadlock if the two did not lock in one order.
func TestRaceRegisterWhileInviting(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		w.clock.Add(time.Hour)
		changed := customers()
		for text := range race(func(n int) error {
			var err error
			switch n % 4 {
			case 0:
				_, err = w.Invite(ctx, w.caller, "c1")
			case 1:
				_, err = w.Register(ctx, c, link, "jane@acme.com", goodPassword)
			case 2:
				_, err = w.Open(ctx, c, link, "", "")
			case 3:
				err = w.ApplyCustomers(ctx, w.caller, changed)
			}
			if apperr.Is(err, apperr.Internal) {
				return err
			}
			return nil
		}) {
			if text != "" {
				t.Error(text)
			}
		}
	})
}

// TestRaceResumeAndConfirm: whoever resumes with the password ends the first
// browser's handle, even if that browser confirms at the same moment.
func TestRaceResumeAndConfirm(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		first := w.registered(t, link, "c1")
		code := w.take(t).Code
		var resumed atomic.Bool
		counts := race(func(n int) error {
			if n%4 == 0 {
				_, err := w.Confirm(ctx, c, first, code)
				return err
			}
			_, err := w.ResumeWithPassword(ctx, c, link, goodPassword)
			if err == nil {
				resumed.Store(true)
			}
			return err
		})
		if counts[""] == 0 {
			t.Errorf("answers = %v, want a winner", counts)
		}
		_, err := w.SignUp(ctx, c, first)
		if ended := errors.Is(err, portal.ErrSignUpEnded); ended != resumed.Load() {
			t.Errorf("resumed %v, and the first browser's handle: %v", resumed.Load(), err)
		}
		w.wantOther(t)
	})
}
