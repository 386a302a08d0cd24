package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestResume(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		handle := w.registered(t, link, "c1")
		view, err := w.Open(ctx, c, link, handle, "")
		must(t, err)
		if view.Outcome != portal.LinkResume || view.Step != portal.StepConfirm {
			t.Errorf("same browser = %+v", view)
		}
		w.wantLink(t, link, portal.LinkAskPassword)
		if _, err := w.ResumeWithPassword(ctx, c, link, "something else entirely"); !errors.Is(err, portal.ErrWrongPassword) {
			t.Errorf("wrong password = %v", err)
		}
		state, err := w.ResumeWithPassword(ctx, c, link, goodPassword)
		must(t, err)
		if state.Step != portal.StepConfirm || state.Handle == "" || state.Handle == handle {
			t.Errorf("resumed = %+v", state)
		}
		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the old browser = %v", err)
		}
	})
}

func TestGuessingAPasswordIsThrottled(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		w.registered(t, link, "c1")
		for range 5 {
			_, err := w.ResumeWithPassword(t.Context(), public(w.caller), link, "wrong wrong wrong")
			wantCode(t, err, apperr.Invalid)
		}
		_, err := w.ResumeWithPassword(t.Context(), public(w.caller), link, goodPassword)
		wantCode(t, err, apperr.TooManyRequests)
		w.clock.Add(10 * time.Minute)
		_, err = w.ResumeWithPassword(t.Context(), public(w.caller), link, goodPassword)
		must(t, err)
	})
}

func TestRestartVoids(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		old := w.registered(t, link, "c1")
		oldMail := w.take(t)
		state, err := w.Register(ctx, c, link, "jane@acme.com", "another tractor violin")
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusStarted)

		if _, err := w.Confirm(ctx, c, old, oldMail.Code); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the old handle = %v", err)
		}
		if _, err := w.Confirm(ctx, c, state.Handle, oldMail.Code); !errors.Is(err, portal.ErrWrongStep) {
			t.Errorf("the old code in the new sign-up, too early = %v", err)
		}
		if conf, err := w.OpenConfirmation(ctx, c, token(oldMail), old); err != nil || conf.Outcome != portal.ConfirmationDead {
			t.Errorf("the old link = %+v, %v", conf, err)
		}
		if _, err := w.ConfirmLink(ctx, c, token(oldMail), old, goodPassword); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("the old link = %v", err)
		}
		if _, err := w.ResumeWithPassword(ctx, c, link, goodPassword); !errors.Is(err, portal.ErrWrongPassword) {
			t.Errorf("the old password = %v", err)
		}
		if _, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("signing in with the old password = %v", err)
		}
		_, err = w.Choose(ctx, c, state.Handle, []string{"c1"})
		must(t, err)
		_, err = w.Confirm(ctx, c, state.Handle, w.take(t).Code)
		must(t, err)
	})
}

func TestStartingAgainSendsNoMoreMail(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		for range portal.ConfirmationsAHour {
			w.registered(t, link, "c1")
		}
		state, err := w.Register(ctx, c, link, "jane@acme.com", goodPassword)
		must(t, err)
		_, err = w.Choose(ctx, c, state.Handle, []string{"c1"})
		wantCode(t, err, apperr.TooManyRequests)
		w.clock.Add(time.Hour)
		_, err = w.Choose(ctx, c, state.Handle, []string{"c1"})
		must(t, err)
	})
}

// TestSignUpOutlivesItsInvitation: who began in time may finish.
func TestSignUpOutlivesItsInvitation(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		w.clock.Add(14*24*time.Hour - time.Minute)
		handle := w.registered(t, link, "c1")
		m := w.take(t)
		w.clock.Add(5 * time.Minute)
		w.sweep(t)
		w.wantStatus(t, "c1", portal.StatusAwaitingConfirmation)
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		_, err = w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusRegistered)
	})
}

func TestConfirmInAnotherBrowser(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		for who, want := range map[string]portal.ConfirmationOutcome{
			handle: portal.ConfirmationSameBrowser, "": portal.ConfirmationAskPassword, "x": portal.ConfirmationAskPassword,
		} {
			view, err := w.OpenConfirmation(ctx, c, token(m), who)
			if err != nil || view.Outcome != want {
				t.Errorf("OpenConfirmation = %+v, %v, want %q", view, err, want)
			}
		}
		if _, err := w.ConfirmLink(ctx, c, token(m), "", ""); !errors.Is(err, portal.ErrWrongPassword) {
			t.Errorf("without a password = %v", err)
		}
		w.wantStatus(t, "c1", portal.StatusAwaitingConfirmation)
		state, err := w.ConfirmLink(ctx, c, token(m), "", goodPassword)
		must(t, err)
		if state.Step != portal.StepAccept || state.Handle == "" {
			t.Errorf("confirmed = %+v", state)
		}
		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the first browser = %v", err)
		}
		if view, err := w.OpenConfirmation(ctx, c, token(m), state.Handle); err != nil || view.Outcome != portal.ConfirmationAgreement {
			t.Errorf("the link again = %+v, %v", view, err)
		}
		_, err = w.Accept(ctx, c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
	})
}

func TestConfirmInTheSameBrowser(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		handle, m := w.started(t, "c1")
		state, err := w.ConfirmLink(t.Context(), public(w.caller), token(m), handle, "")
		must(t, err)
		if state.Step != portal.StepAccept || state.Handle != "" {
			t.Errorf("confirmed = %+v", state)
		}
		if _, err := w.ConfirmLink(t.Context(), public(w.caller), token(m), handle, ""); !errors.Is(err, portal.ErrRegistered) {
			t.Errorf("a second time = %v", err)
		}
	})
}

func TestResendConfirmation(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, first := w.started(t, "c1")
		wantCode(t, w.ResendConfirmation(ctx, c, handle), apperr.TooManyRequests)
		for range 4 {
			w.clock.Add(time.Minute)
			must(t, w.ResendConfirmation(ctx, c, handle))
		}
		w.clock.Add(time.Minute)
		wantCode(t, w.ResendConfirmation(ctx, c, handle), apperr.TooManyRequests)
		newest := w.take(t)
		if len(w.mail) != 0 || newest.Ref.Seq != 5 {
			t.Errorf("newest = %+v and %d more, want only the fifth", newest, len(w.mail))
		}
		if first.Code != newest.Code {
			if _, err := w.Confirm(ctx, c, handle, first.Code); !errors.Is(err, portal.ErrWrongCode) {
				t.Errorf("an older code = %v", err)
			}
		}
		if view, err := w.OpenConfirmation(ctx, c, token(first), handle); err != nil || view.Outcome != portal.ConfirmationSameBrowser {
			t.Errorf("an older link = %+v, %v", view, err)
		}
		_, err := w.Confirm(ctx, c, handle, newest.Code)
		must(t, err)
	})
}

func TestCodesAndLinksRunOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		w.clock.Add(portal.CodeLife)
		if _, err := w.Confirm(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrCodeDead) {
			t.Errorf("an old code = %v", err)
		}
		if state, err := w.SignUp(ctx, c, handle); err != nil || !state.CodeDead {
			t.Errorf("state = %+v, %v", state, err)
		}
		w.clock.Add(portal.SignUpLife)
		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("an old sign-up = %v", err)
		}
		if _, err := w.ConfirmLink(ctx, c, token(m), handle, ""); !errors.Is(err, portal.ErrLinkExpired) {
			t.Errorf("an old link = %v", err)
		}
		w.wantStatus(t, "c1", portal.StatusStarted)
	})
}

func TestFiveWrongCodes(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		wrong := "000000"
		if m.Code == wrong {
			wrong = "000001"
		}
		counts := race(func(int) error {
			_, err := w.Confirm(ctx, c, handle, wrong)
			return err
		})
		// The fifth comparison answers that the code is dead, as all later guesses do.
		want := map[string]int{
			"invalid: " + portal.ErrWrongCode.Error(): 4,
			"conflict: " + portal.ErrCodeDead.Error(): 12,
		}
		if diff := cmp.Diff(want, counts); diff != "" {
			t.Errorf("answers (-want +got):\n%s", diff)
		}
		if _, err := w.Confirm(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrCodeDead) {
			t.Errorf("the right code too late = %v", err)
		}
		w.clock.Add(time.Minute)
		must(t, w.ResendConfirmation(ctx, c, handle))
		_, err := w.Confirm(ctx, c, handle, w.take(t).Code)
		must(t, err)
	})
}

func TestBegin(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		state, err := w.Begin(ctx, c, link)
		must(t, err)
		if state.Step != portal.StepRegister || state.MaskedEmail != "J•••@Acme.com" || state.CustomerName != "Doe Residence" {
			t.Errorf("Begin = %+v", state)
		}
		w.wantStatus(t, "c1", portal.StatusOpened)
		state, err = w.Register(ctx, c, state.Handle, "jane@acme.com", goodPassword)
		must(t, err)
		if state.Step != portal.StepProfile {
			t.Errorf("Register = %+v", state)
		}
		for _, c := range []portal.Caller{public(w.other), c} {
			_, err = w.Begin(ctx, c, map[bool]string{true: link, false: "garbage"}[c.BillerID == "south"])
			wantCode(t, err, apperr.NotFound)
		}
	})
}

// TestEachConfirmationLivesADay: a link sent late in a sign-up works as long as
// the mail says.
func TestEachConfirmationLivesADay(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, _ := w.started(t, "c1")
		w.clock.Add(portal.SignUpLife - time.Minute)
		must(t, w.ResendConfirmation(ctx, c, handle))
		m := w.take(t)
		if want := w.clock.Now().Add(portal.ConfirmationLife); !m.ExpiresAt.Equal(want) {
			t.Errorf("the mail says %v, want %v", m.ExpiresAt, want)
		}
		w.clock.Add(portal.ConfirmationLife - time.Minute)
		w.sweep(t)
		w.wantStatus(t, "c1", portal.StatusAwaitingConfirmation)
		_, err := w.ConfirmLink(ctx, c, token(m), handle, "")
		must(t, err)
	})
}

// TestGuessesOfAllCodesAreCounted: new codes and new sign-ups do not buy a
// forwarded link's holder more guesses; the mailbox's owner has the link.
func TestGuessesOfAllCodesAreCounted(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		var handle string
		var m portal.Mail
		newCode := func() {
			handle = w.registered(t, link, "c1")
			m = w.take(t)
		}
		for n := range portal.CodeGuesses().Limit {
			if n%4 == 0 {
				newCode()
			}
			wrong := "000000"
			if m.Code == wrong {
				wrong = "000001"
			}
			if _, err := w.Confirm(ctx, c, handle, wrong); !errors.Is(err, portal.ErrWrongCode) {
				t.Fatalf("guess %d = %v", n, err)
			}
		}
		if _, err := w.Confirm(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrCodesUsedUp) {
			t.Errorf("a right code after %d wrong ones = %v", portal.CodeGuesses().Limit, err)
		}
		_, err := w.ConfirmLink(ctx, c, token(m), handle, "")
		must(t, err)
		w.wantOther(t)
	})
}

// TestHistoryIsNotFilledByStartingAgain: whoever has a link begins as often as the
// network lets them; staff still find what else happened.
func TestHistoryIsNotFilledByStartingAgain(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		restarts := func(times int) {
			t.Helper()
			for n := range times {
				_, err := w.Register(t.Context(), elsewhere(w.caller, n), link, jane, goodPassword)
				must(t, err)
			}
		}
		restarts(25)
		if n := w.histories(t, "c1", portal.HistoryRestarted); n != 10 {
			t.Errorf("%d entries", n)
		}
		w.clock.Add(24 * time.Hour)
		restarts(2) // the first begins anew, as the earlier one ran out
		if started, n := w.histories(t, "c1", portal.HistoryStarted), w.histories(t, "c1", portal.HistoryRestarted); started != 2 || n != 11 {
			t.Errorf("a day later: %d and %d entries", started, n)
		}
		w.wantTrueStatuses(t)
		w.wantOther(t)
	})
}
