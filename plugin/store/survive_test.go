package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
)

// confirmed signs Jane up as far as the agreement, in a browser that is left there.
func (w *world) confirmed(tb testing.TB) (handle string) {
	tb.Helper()
	handle, m := w.started(tb, "c1")
	_, err := w.Confirm(tb.Context(), public(w.caller), handle, m.Code)
	must(tb, err)
	return handle
}

// TestNoBrowserGoesOnWithASignUpAfter: a sign-up that waits for the agreement leads to
// a session without a password, so it ends with what ends all sessions.
func TestNoBrowserGoesOnWithASignUpAfter(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, w *world){
		"a reset password": func(t *testing.T, w *world) {
			_, err := w.ResetPassword(t.Context(), public(w.caller), w.asked(t, "jane@acme.com"), newPassword)
			must(t, err)
		},
		"staff who sign a person out": func(t *testing.T, w *world) {
			_, err := w.SignOutPerson(t.Context(), w.caller, "c1", w.person(t, "c1").UserID)
			must(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, w *world) {
				handle := w.confirmed(t)
				end(t, w)
				if _, err := w.Accept(t.Context(), public(w.caller), portal.Holder{Handle: handle}, portal.DefaultAgreementVersion); !errors.Is(err, portal.ErrSignUpEnded) {
					t.Errorf("accepting in the browser that was left: %v", err)
				}
				w.wantOther(t)
			})
		})
	}
}

// TestPendingAddressEndsWithThePassword: whoever knew the password may have asked for
// the change.
func TestPendingAddressEndsWithThePassword(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		gone := func(session string) {
			t.Helper()
			view, err := w.Session(ctx, c, session)
			must(t, err)
			if ch, err := w.PendingAddress(ctx, c, view); !errors.Is(err, portal.ErrNoAddressChange) {
				t.Errorf("the pending address: %+v, %v", ch, err)
			}
		}
		w.changing(t, session, "thief@new.example")
		in, err := w.ChangePassword(ctx, c, session, goodPassword, newPassword)
		must(t, err)
		gone(in.Session)
		must(t, w.ChangeAddress(ctx, c, in.Session, newPassword, "thief@new.example"))
		w.deliver(t)
		_, err = w.ResetPassword(ctx, c, w.asked(t, "jane@acme.com"), goodPassword)
		must(t, err)
		gone(w.reopened(t))
	})
}

// TestAcceptingAVersionProlongsNoSession: thirty days are the most without a password.
func TestAcceptingAVersionProlongsNoSession(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		session := w.reopened(t)
		before, err := w.Session(ctx, c, session)
		must(t, err)
		w.clock.Add(time.Hour)
		w.mustPublish(t, 1, 0, "The second version.")
		in, err := w.Accept(ctx, c, portal.Holder{Session: session}, "2")
		must(t, err)
		after, err := w.Session(ctx, c, in.Session)
		must(t, err)
		if !in.ExpiresAt.Equal(before.ExpiresAt) || !after.ExpiresAt.Equal(before.ExpiresAt) {
			t.Errorf("it ended %s, now %s, the cookie %s", before.ExpiresAt, after.ExpiresAt, in.ExpiresAt)
		}
		if after.Typed != before.Typed {
			t.Errorf("the password was typed at %+v, now %+v", before.Typed, after.Typed)
		}
	})
}

// noNotes keeps no note that stands alone.
type noNotes struct{ portal.Store }

func (noNotes) Note(context.Context, string, portal.Activity) error {
	return errors.New("the database is gone")
}

// TestConfirmingIsKeptWithItsActivity: no confirmation without its line in the audit
// log, whatever happens after it.
func TestConfirmingIsKeptWithItsActivity(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		kept := w.Store
		handle, m := w.started(t, "c1")
		byLink, linked := w.started(t, "c4")
		w.Store = noNotes{kept}
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		_, err = w.ConfirmLink(ctx, c, token(linked), byLink, "")
		must(t, err)
		for _, id := range []string{"c1", "c4"} {
			list, err := w.Store.RecentActivity(ctx, c.BillerID, w.person(t, id).UserID, 5)
			must(t, err)
			if len(list) != 1 || list[0].Action != portal.ActionSignUpConfirmed || list[0].CustomerID != id || list[0].IP != "203.0.113.7" {
				t.Errorf("activities of the person of %s: %+v", id, list)
			}
		}
	})
}

// raising does something else while it hashes a password anew.
type raising struct {
	portal.Passwords
	meanwhile func()
}

func (r *raising) Hash(ctx context.Context, password string) (string, error) {
	if do := r.meanwhile; do != nil {
		r.meanwhile = nil
		do()
	}
	return r.Passwords.Hash(ctx, password)
}

// TestTwoSignInsRaiseOneHash: a button that was pressed twice is no wrong password.
func TestTwoSignInsRaiseOneHash(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		r := &raising{Passwords: password.New(password.Config{Params: password.Params{MemoryKiB: 128, Passes: 1, Threads: 1}, Slots: 16, Wait: time.Minute})}
		w.Passwords = r
		r.meanwhile = func() { w.reopened(t) }
		w.reopened(t)
		session := w.reopened(t)
		w.clock.Add(time.Second)
		w.Passwords = password.New(password.Config{Params: password.Params{MemoryKiB: 256, Passes: 1, Threads: 1}, Slots: 16, Wait: time.Minute})
		r = &raising{Passwords: w.Passwords}
		r.meanwhile = func() {
			_, err := w.ChangePassword(ctx, c, session, goodPassword, newPassword)
			must(t, err)
		}
		w.Passwords = r
		if _, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the password was changed meanwhile: %v", err)
		}
	})
}

// TestInvitedAddressIsNotGuessed: who holds a forwarded link sees "J•••@Acme.com" and may
// not try out the rest of it.
func TestInvitedAddressIsNotGuessed(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		if err := w.AskAccess(ctx, c, link, "", "jane@acme.com", ""); !errors.Is(err, portal.ErrAccessName) {
			t.Errorf("asking for access without a name: %v", err)
		}
		for range portal.GuardRegister.Limits().Address.Limit {
			if _, err := w.Register(ctx, c, link, "june@acme.com", goodPassword); !errors.Is(err, portal.ErrOtherEmail) {
				t.Fatalf("another address: %v", err)
			}
		}
		_, err := w.Register(ctx, c, link, "jane@acme.com", goodPassword)
		wantCode(t, err, apperr.TooManyRequests)
	})
}

// TestMailsGoToTheAddressThatIsCompared: however much space stands around it.
func TestMailsGoToTheAddressThatIsCompared(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c4")
		// 254 bytes end within the address: a thief's "jane@acme.co" would prove "jane@acme.com".
		padded := strings.Repeat(" ", 242) + "jane@acme.com "
		_, err := w.StartProof(ctx, c, padded)
		must(t, err)
		if m := w.takeKind(t, portal.MailProof); m.To != "jane@acme.com" {
			t.Errorf("the code of a sign-up goes to %q", m.To)
		}
		must(t, w.ChangeAddress(ctx, c, session, goodPassword, padded))
		if m := w.takeKind(t, portal.MailAddress); m.To != "jane@acme.com" {
			t.Errorf("the code of a change goes to %q", m.To)
		}
		link := w.invited(t, "c2")
		must(t, w.AskAccess(ctx, c, link, "Sam", strings.Repeat(" ", 240)+colleague, ""))
		list, err := w.AccessRequests(ctx, w.caller, "c2")
		must(t, err)
		if len(list) != 1 || list[0].Email != colleague {
			t.Errorf("requests: %+v", list)
		}
	})
}

// TestStaffAreToldThatNoResetGoesOut: what was not mailed is not in the audit log.
func TestStaffAreToldThatNoResetGoesOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		trail := &written{}
		w.Trail = trail
		for range portal.ResetRequests().Limit {
			must(t, w.ResetPerson(ctx, w.caller, "c1", u))
		}
		w.deliver(t)
		w.mail = nil
		if err := w.ResetPerson(ctx, w.caller, "c1", u); !errors.Is(err, portal.ErrResetsSent) {
			t.Errorf("one link too many: %v", err)
		}
		if n := len(trail.actions); n != portal.ResetRequests().Limit {
			t.Errorf("the audit log has %v", trail.actions)
		}
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("mails: %+v", w.mail)
		}
	})
}

// written is an audit log in memory.
type written struct{ actions []portal.Action }

func (t *written) Write(_ context.Context, _ portal.Caller, a portal.Activity) error {
	t.actions = append(t.actions, a.Action)
	return nil
}

// TestAcceptingInANewBrowserIsTold: a session that begins with the agreement begins like
// any other.
func TestAcceptingInANewBrowserIsTold(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		handle := w.confirmed(t)
		_, err := w.SignIn(ctx, from(w.caller, "laptop"), "jane@acme.com", goodPassword)
		must(t, err)
		_, err = w.Accept(ctx, from(w.caller, "phone"), portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		if m := w.takeKind(t, portal.MailNotice); m.Activity.Action != portal.ActionNewDevice || m.To != "Jane@Acme.com" {
			t.Errorf("the owner is told by %+v", m)
		}
		list, err := w.Store.RecentActivity(ctx, w.caller.BillerID, w.person(t, "c1").UserID, 9)
		must(t, err)
		if !slices.ContainsFunc(list, func(a portal.Activity) bool { return a.Action == portal.ActionNewDevice && a.Agent == "Test/1.0" }) {
			t.Errorf("activities: %+v", list)
		}
	})
}

// TestWrongPasswordsOfASignUpAreKept: as those of a sign-in are.
func TestWrongPasswordsOfASignUpAreKept(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		link := w.invited(t, "c1")
		w.registered(t, link, "c1")
		m := w.take(t)
		for n := range portal.SignInDelays().Free {
			if _, err := w.ConfirmLink(ctx, elsewhere(w.caller, n), token(m), "", wrongPassword); !errors.Is(err, portal.ErrWrongPassword) {
				t.Fatalf("a free try: %v", err)
			}
		}
		_, err := w.ResumeWithPassword(ctx, elsewhere(w.caller, 99), link, wrongPassword)
		wantCode(t, err, apperr.TooManyRequests)
		for action, want := range map[portal.Action]int{portal.ActionSignInRefused: portal.SignInDelays().Free, portal.ActionSignInBlocked: 1} {
			if got := w.activities(t, w.caller.BillerID, action); got != want {
				t.Errorf("%d of %s are kept, want %d", got, action, want)
			}
		}
		w.mail = nil
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("mails: %+v", w.mail)
		}
	})
}

// TestSigningOutIsKeptOnce: with the end of the session, whoever presses twice.
func TestSigningOutIsKeptOnce(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		session := w.reopened(t)
		w.Store = noNotes{w.Store}
		must(t, w.SignOut(ctx, public(w.other), session))
		if _, err := w.Session(ctx, c, session); err != nil {
			t.Errorf("the other biller signs out: %v", err)
		}
		if counts := race(func(int) error { return w.SignOut(ctx, c, session) }); counts[""] != 16 {
			t.Errorf("answers = %v", counts)
		}
		if got := w.activities(t, c.BillerID, portal.ActionSignedOut); got != 1 {
			t.Errorf("signing out is kept %d times", got)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the session: %v", err)
		}
		late := w.reopened(t)
		w.clock.Add(portal.SessionIdle)
		must(t, w.SignOut(ctx, c, late))
		if got := w.activities(t, c.BillerID, portal.ActionSignedOut); got != 1 {
			t.Errorf("a session that was over is kept as signed out: %d", got)
		}
	})
}
