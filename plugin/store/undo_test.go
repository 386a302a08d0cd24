package store_test

import (
	"errors"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestEndedPasswordIsRefusedOnce: until the next password is chosen, of that biller's
// person alone; the page and the act tell the same.
func TestEndedPasswordIsRefusedOnce(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		link := lastPart.FindString(m.NotMe)
		n, err := w.OpenDisown(ctx, c, link)
		if err != nil || n.Does != portal.UndoSecure {
			t.Fatalf("the page: %+v, %v", n, err)
		}
		if n, err = w.Disown(ctx, c, link); err != nil || n.Does != portal.UndoSecure {
			t.Fatalf("the act: %+v, %v", n, err)
		}
		reset := w.take(t)
		if !reset.Ended || reset.NotMe != "" {
			t.Errorf("the mail %+v", reset)
		}
		for _, reused := range []string{goodPassword, goodPassword} {
			if _, err := w.ResetPassword(ctx, c, token(reset), reused); !errors.Is(err, portal.ErrEndedPassword) {
				t.Errorf("the password that ended: %v", err)
			}
		}
		_, err = w.ResetPassword(ctx, c, token(reset), newPassword)
		must(t, err)
		u, err := w.Store.User(ctx, c.BillerID, in.UserID)
		if err != nil || u.EndedHash != "" || u.PasswordHash == "" {
			t.Errorf("the person is %+v, %v", u, err)
		}
		if got := w.activities(t, c.BillerID, portal.ActionPasswordEnded); got != 1 {
			t.Errorf("%d passwords ended", got)
		}
		if got := w.activities(t, w.other.BillerID, portal.ActionPasswordEnded); got != 0 {
			t.Errorf("the other biller has %d", got)
		}
		w.wantOther(t)
	})
}

// TestRaceDisownAndAccept: whoever signed up with somebody else's address and has the
// agreement open gets no session once the owner of the mailbox said so.
func TestRaceDisownAndAccept(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		sessions := make(chan string, 16)
		race(func(n int) error {
			if n == 7 {
				return w.disown(ctx, c, lastPart.FindString(m.NotMe))
			}
			in, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
			if err == nil {
				sessions <- in.Session
			}
			return err
		})
		close(sessions)
		for session := range sessions {
			if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
				t.Errorf("still signed in: %v", err)
			}
		}
		if _, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion); err == nil {
			t.Error("the agreement is accepted after all")
		}
		w.wantOther(t)
	})
}
