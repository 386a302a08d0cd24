package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestDisownedSignUpFreesTheInvitation: the sign-up dies, the invited person goes on
// with the same link, and staff read of it.
func TestDisownedSignUpFreesTheInvitation(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		handle := w.registered(t, link, "c1")
		m := w.take(t)
		notMe := lastPart.FindString(m.NotMe)
		if a, err := w.OpenDisown(ctx, c, notMe); err != nil || a.Action != portal.ActionSignUpStarted {
			t.Fatalf("%+v, %v", a, err)
		}
		w.wantStatus(t, "c1", portal.StatusAwaitingConfirmation)
		if err := w.disown(ctx, public(w.other), notMe); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller: %v", err)
		}
		wantOneWinner(t, race(func(int) error { return w.disown(ctx, c, notMe) }), portal.ErrLinkDead)
		w.wantStatus(t, "c1", portal.StatusOpened)
		if _, err := w.Confirm(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the code still works: %v", err)
		}
		if _, err := w.ConfirmLink(ctx, c, token(m), handle, ""); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("the link still works: %v", err)
		}
		staff, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		if staff.History[0].Kind != portal.HistoryDisowned {
			t.Errorf("history %+v", staff.History[0])
		}
		w.clock.Add(time.Hour)
		own := w.registered(t, link, "c1")
		_, err = w.Confirm(ctx, c, own, w.take(t).Code)
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusAwaitingAgreement)
		w.wantOther(t)
	})
}

// TestDisownedAfterConfirming shuts everybody out but the owner of the mailbox.
func TestDisownedAfterConfirming(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		must(t, w.disown(ctx, c, lastPart.FindString(m.NotMe)))
		if _, err := w.Session(ctx, c, in.Session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("still signed in: %v", err)
		}
		if _, err := w.SignIn(ctx, c, jane, goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the password still works: %v", err)
		}
		if reset := w.take(t); reset.Ref.Kind != portal.MailReset {
			t.Errorf("the person gets %+v", reset)
		}
	})
}

// TestDisownedOfADisabledPerson: the address goes back to the mailbox that was told,
// and nobody is told of another sign-in; the person stays disabled.
func TestDisownedOfADisabledPerson(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		_, err = w.ConfirmAddress(ctx, c, in.Session, w.changing(t, in.Session, "thief@one.example"))
		must(t, err)
		must(t, w.SetPersonState(ctx, w.caller, "c1", in.UserID, portal.UserDisabled))
		must(t, w.disown(ctx, c, lastPart.FindString(m.NotMe)))
		u, err := w.Store.User(ctx, c.BillerID, in.UserID)
		must(t, err)
		if u.EmailNorm != jane || u.State != portal.UserDisabled || u.PasswordHash != "" {
			t.Errorf("the person is %+v", u)
		}
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		told := false
		for _, e := range view.History {
			if strings.Contains(e.Detail, "Another sign-in has that address") {
				t.Errorf("the history says %q", e.Detail)
			}
			told = told || e.Kind == portal.HistoryAddress && strings.Contains(e.Detail, "again")
		}
		if !told {
			t.Errorf("the history does not tell of the undo: %+v", view.History)
		}
		w.wantOther(t)
	})
}

func TestDisownedProof(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.askedProof(t, jane)
		must(t, w.disown(ctx, c, lastPart.FindString(m.NotMe)))
		if err := w.Prove(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrProofEnded) {
			t.Errorf("the code still works: %v", err)
		}
		handle, m = w.askedProof(t, jane)
		must(t, w.Prove(ctx, c, handle, m.Code))
		_, err := w.FinishProof(ctx, c, handle, goodPassword, []string{"c1"})
		must(t, err)
		must(t, w.disown(ctx, c, lastPart.FindString(m.NotMe)))
		if _, err := w.SignIn(ctx, c, jane, goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the password still works: %v", err)
		}
		w.wantOther(t)
	})
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		if err := w.Revoke(ctx, w.caller, "c1"); !errors.Is(err, portal.ErrNoneOpen) {
			t.Errorf("nothing to revoke: %v", err)
		}
		link := w.invited(t, "c1")
		handle := w.registered(t, link, "c1")
		if err := w.Revoke(ctx, public(w.caller), "c1"); err == nil {
			t.Error("a customer revokes")
		}
		wantOneWinner(t, race(func(int) error { return w.Revoke(ctx, w.caller, "c1") }), portal.ErrNoneOpen)
		w.wantStatus(t, "c1", portal.StatusRevoked)
		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the sign-up goes on: %v", err)
		}
		view, err := w.Open(ctx, c, link, "", "")
		if err != nil || view.Outcome != portal.LinkRevoked {
			t.Errorf("%+v, %v", view, err)
		}
		w.clock.Add(2 * time.Minute)
		_, err = w.Invite(ctx, w.caller, "c1")
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusQueued)
		w.wantOther(t)
	})
}
