package store_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// from is the caller with a browser of its own.
func from(c portal.Caller, device string) portal.Caller {
	c = public(c)
	c.Device = device
	return c
}

func TestNewBrowsersAreTold(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.caller.Device = "laptop"
		w.signedUp(t, "c1")
		w.caller.Device = ""
		w.mail = nil
		signIn := func(device string) {
			t.Helper()
			_, err := w.SignIn(ctx, from(w.caller, device), "jane@acme.com", goodPassword)
			must(t, err)
		}
		signIn("laptop")
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("a known browser is told of: %+v", w.mail)
		}
		signIn("phone")
		if m := w.take(t); m.Ref.Kind != portal.MailNotice || m.Activity.Action != portal.ActionNewDevice {
			t.Errorf("a new browser: %+v", m)
		}
		signIn("phone")
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("the second sign-in of a browser is told of: %+v", w.mail)
		}
		var theirs int
		must(t, w.db.R.Get(&theirs, `SELECT COUNT(*) FROM devices WHERE biller_id = $1`, w.other.BillerID))
		if theirs != 0 {
			t.Errorf("the other biller knows %d browsers", theirs)
		}
	})
}

func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		first := w.signedUp(t, "c1")
		var sessions []string
		for range 3 {
			w.clock.Add(time.Second)
			in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
			must(t, err)
			sessions = append(sessions, in.Session)
		}
		w.signedUp(t, "c4") // somebody else
		list, err := w.SignedInBrowsers(ctx, c, sessions[2])
		must(t, err)
		if len(list) != 4 || !list[0].Current || list[1].Current || list[0].Agent != "Test/1.0" || list[0].IP != "203.0.113.7" {
			t.Fatalf("browsers = %+v", list)
		}
		if _, err := w.SignedInBrowsers(ctx, public(w.other), sessions[2]); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the other biller lists: %v", err)
		}
		must(t, w.EndSession(ctx, c, sessions[2], "", list[3].ID))
		if _, err := w.Session(ctx, c, first); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the ended session: %v", err)
		}
		wantCode(t, w.EndSession(ctx, c, sessions[2], "", list[3].ID), apperr.NotFound)
		wantCode(t, w.EndSession(ctx, c, sessions[2], "", ""), apperr.NotFound)
		var ended atomic.Int64
		counts := race(func(int) error {
			n, err := w.EndOtherSessions(ctx, c, sessions[2], "")
			ended.Add(int64(n))
			return err
		})
		if counts[""] != 16 || ended.Load() != 2 {
			t.Errorf("answers %v, %d sessions ended, want 2", counts, ended.Load())
		}
		if _, err := w.Session(ctx, c, sessions[2]); err != nil {
			t.Errorf("this browser's session: %v", err)
		}
	})
}

// TestSignInUnderWayEndsWithThePassword: a password was right when it was compared,
// and changed before the session began.
func TestSignInUnderWayEndsWithThePassword(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		view, err := w.Session(ctx, c, session)
		must(t, err)
		before, err := w.Store.Account(ctx, c.BillerID, "jane@acme.com", w.clock.Now())
		must(t, err)
		start := func(biller, hash string) error {
			now := w.clock.Now()
			id := portal.NewSecret()
			_, err := w.Store.CreateSession(ctx, biller, hash,
				portal.Session{TokenHash: id, UserID: view.UserID, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)},
				portal.Activity{ID: id, Action: portal.ActionSessionStarted, UserID: view.UserID, At: now})
			return err
		}
		must(t, start(c.BillerID, before.User.PasswordHash))
		_, err = w.ChangePassword(ctx, c, session, goodPassword, newPassword)
		must(t, err)
		for _, hash := range []string{before.User.PasswordHash, ""} {
			if err := start(c.BillerID, hash); !errors.Is(err, portal.ErrWrongSignIn) {
				t.Errorf("a session with a password that was changed: %v", err)
			}
		}
		after, err := w.Store.Account(ctx, c.BillerID, "jane@acme.com", w.clock.Now())
		must(t, err)
		if err := start(w.other.BillerID, after.User.PasswordHash); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("a session at the other biller: %v", err)
		}
		must(t, start(c.BillerID, after.User.PasswordHash))
	})
}

// told is how race counts an error.
func told(err error) string { return fmt.Sprintf("%s: %v", apperr.CodeOf(err), err) }

// changing asks for a new address and returns the code that is mailed to it.
func (w *world) changing(tb testing.TB, session, address string) string {
	tb.Helper()
	must(tb, w.ChangeAddress(tb.Context(), public(w.caller), session, goodPassword, address))
	m := w.take(tb)
	if m.Ref.Kind != portal.MailAddress || m.To != address {
		tb.Fatalf("the newest mail is %+v", m)
	}
	return m.Code
}

// TestCase16ChangeOfAddress: the old one works until the new one is proven; its
// owner can undo the change for three days.
func TestCase16ChangeOfAddress(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		if err := w.ChangeAddress(ctx, c, session, "wrong wrong wrong", "jane@new.example"); !errors.Is(err, portal.ErrWrongCurrent) {
			t.Errorf("with a wrong password: %v", err)
		}
		if err := w.ChangeAddress(ctx, c, session, goodPassword, " JANE@acme.com"); !errors.Is(err, portal.ErrSameAddress) {
			t.Errorf("the same address: %v", err)
		}
		wantCode(t, w.ChangeAddress(ctx, c, session, goodPassword, "no address"), apperr.Invalid)
		code := w.changing(t, session, "jane@new.example")
		_, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		if _, err := w.SignIn(ctx, c, "jane@new.example", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the new address before it is proven: %v", err)
		}
		var fresh portal.SignedIn
		wantOneWinner(t, race(func(int) error {
			in, err := w.ConfirmAddress(ctx, c, session, code)
			if err == nil {
				fresh = in
			}
			if errors.Is(err, portal.ErrSignedOut) {
				return portal.ErrNoAddressChange // it came after the winner had ended the session
			}
			return err
		}), portal.ErrNoAddressChange)
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the old session: %v", err)
		}
		view, err := w.Session(ctx, c, fresh.Session)
		must(t, err)
		if view.Email != "jane@new.example" {
			t.Errorf("signed in as %s", view.Email)
		}
		if _, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the old address after it was replaced: %v", err)
		}
		notice := w.take(t)
		if notice.To != "Jane@Acme.com" || notice.Activity.Action != portal.ActionAddressChanged {
			t.Fatalf("the old address is told by %+v", notice)
		}
		must(t, w.disown(ctx, c, token(notice)))
		m := w.take(t)
		if m.Ref.Kind != portal.MailReset || m.To != "Jane@Acme.com" {
			t.Fatalf("after the undo: %+v", m)
		}
		_, err = w.ResetPassword(ctx, c, token(m), newPassword)
		must(t, err)
		_, err = w.SignIn(ctx, c, "jane@acme.com", newPassword)
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusRegistered)
		w.wantOther(t)
	})
}

func TestCodesOfAddressesDie(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		code := w.changing(t, session, "jane@new.example")
		wrong := "000000"
		if wrong == code {
			wrong = "000001"
		}
		counts := race(func(int) error {
			_, err := w.ConfirmAddress(ctx, c, session, wrong)
			return err
		})
		if n := counts[told(portal.ErrWrongCode)]; n != portal.CodeTries-1 || counts[told(portal.ErrCodeDead)] != 1 {
			t.Errorf("16 guesses: %v, want %d comparisons", counts, portal.CodeTries)
		}
		if _, err := w.ConfirmAddress(ctx, c, session, code); !errors.Is(err, portal.ErrNoAddressChange) {
			t.Errorf("the right code after five wrong ones: %v", err)
		}
		code = w.changing(t, session, "jane@other.example")
		w.clock.Add(portal.AddressChangeLife)
		if _, err := w.ConfirmAddress(ctx, c, session, code); !errors.Is(err, portal.ErrNoAddressChange) {
			t.Errorf("the code after its hour: %v", err)
		}
		for range portal.AddressChanges().Limit {
			must(t, w.ChangeAddress(ctx, c, session, goodPassword, "jane@new.example"))
		}
		wantCode(t, w.ChangeAddress(ctx, c, session, goodPassword, "jane@new.example"), apperr.TooManyRequests)
	})
}

// TestTakenAddressesAreNotTold: whoever does not own the mailbox learns nothing,
// and its owner is left alone.
func TestTakenAddressesAreNotTold(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		w.signedUp(t, "c4")
		w.mail = nil
		must(t, w.ChangeAddress(ctx, c, session, goodPassword, "zoe@bücher.example"))
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("mails: %+v", w.mail)
		}
		// The address is free while the code goes out, and taken when it is typed.
		code := w.changing(t, session, "free@acme.com")
		_, err := w.db.W.Exec(`UPDATE users SET email = 'free@acme.com', email_norm = 'free@acme.com' WHERE biller_id = 'north' AND email_norm <> 'jane@acme.com'`)
		must(t, err)
		if _, err := w.ConfirmAddress(ctx, c, session, code); !errors.Is(err, portal.ErrAddressTaken) {
			t.Errorf("a proven address that is taken: %v", err)
		}
	})
}
