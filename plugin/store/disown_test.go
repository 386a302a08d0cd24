package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestDisowningAChangedPasswordShutsEverybodyOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), from(w.caller, "the thief's")
		knows := func() bool {
			known, err := w.Store.KnowsDevice(ctx, c.BillerID, "jane@acme.com", portal.Device{Hash: w.Keys.Hash(c.BillerID, "device "+c.Device)})
			must(t, err)
			return known
		}
		w.signedUp(t, "c1")
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		thief, err := w.ChangePassword(ctx, c, in.Session, goodPassword, newPassword)
		must(t, err)
		link := token(w.take(t))
		if a, err := w.OpenDisown(ctx, c, link); err != nil || a.Action != portal.ActionPasswordChanged {
			t.Errorf("OpenDisown = %+v, %v", a, err)
		}
		if err := w.disown(ctx, public(w.other), link); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller disowns: %v", err)
		}
		if !knows() {
			t.Error("the browser that signed in is not known")
		}
		wantOneWinner(t, race(func(int) error { return w.disown(ctx, c, link) }), portal.ErrLinkDead)
		if knows() {
			t.Error("the thief's browser is still one of the person's")
		}
		if _, err := w.Session(ctx, c, thief.Session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the thief is still signed in: %v", err)
		}
		if _, err := w.SignIn(ctx, c, "jane@acme.com", newPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the thief's password still works: %v", err)
		}
		m := w.take(t)
		if m.Ref.Kind != portal.MailReset || m.To != "Jane@Acme.com" {
			t.Fatalf("the person gets %+v", m)
		}
		_, err = w.ResetPassword(ctx, c, token(m), "another meadow lantern")
		must(t, err)
		_, err = w.SignIn(ctx, c, "jane@acme.com", "another meadow lantern")
		must(t, err)
		w.wantOther(t)
	})
}

func TestDisowningAnAskingChangesNothingElse(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		must(t, w.ForgotPassword(ctx, c, "jane@acme.com"))
		m := w.take(t)
		notMe := lastPart.FindString(m.NotMe)
		must(t, w.disown(ctx, c, notMe))
		if _, err := w.ResetPassword(ctx, c, token(m), newPassword); !errors.Is(err, portal.ErrResetGone) {
			t.Errorf("the link after it was disowned: %v", err)
		}
		_, err := w.Session(ctx, c, session)
		must(t, err)
		_, err = w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
	})
}

func TestNoticesRunOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		_, err = w.ChangePassword(ctx, c, in.Session, goodPassword, newPassword)
		must(t, err)
		link := token(w.take(t))
		w.clock.Add(portal.DisownLife)
		if err := w.disown(ctx, c, link); !errors.Is(err, portal.ErrLinkExpired) {
			t.Errorf("after three days: %v", err)
		}
		_, err = w.OpenDisown(ctx, c, "garbage")
		wantCode(t, err, apperr.NotFound)
	})
}

// TestUndoneAddressCannotBeTakenBack: a thief who changed the address twice was
// told of the second change, and that notice must not undo the owner's undo.
func TestUndoneAddressCannotBeTakenBack(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		in, err := w.ConfirmAddress(ctx, c, session, w.changing(t, session, "thief@one.example"))
		must(t, err)
		owners := w.take(t)
		w.clock.Add(time.Minute)
		_, err = w.ConfirmAddress(ctx, c, in.Session, w.changing(t, in.Session, "thief@two.example"))
		must(t, err)
		thiefs := w.take(t)
		if owners.To != "Jane@Acme.com" || thiefs.To != "thief@one.example" {
			t.Fatalf("the notices went to %s and %s", owners.To, thiefs.To)
		}
		must(t, w.disown(ctx, c, token(owners)))
		reset := w.take(t)
		if err := w.disown(ctx, c, token(thiefs)); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("the thief undoes the second change: %v", err)
		}
		_, err = w.ResetPassword(ctx, c, token(reset), newPassword)
		must(t, err)
		_, err = w.SignIn(ctx, c, "jane@acme.com", newPassword)
		must(t, err)
		w.wantOther(t)
	})
}

// TestDisowningAnAddressEndsThatChangeAlone: of the owner of the new address; a
// later change, and the sessions of who asked, stay.
func TestDisowningAnAddressEndsThatChangeAlone(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		asked := func(address string) string {
			must(t, w.ChangeAddress(ctx, c, session, goodPassword, address))
			return lastPart.FindString(w.take(t).NotMe)
		}
		early, link := asked("zoe@first.example"), asked("zoe@second.example")
		view, err := w.Session(ctx, c, session)
		must(t, err)
		must(t, w.disown(ctx, c, early))
		if pending, err := w.PendingAddress(ctx, c, view); err != nil || pending.Email != "zoe@second.example" {
			t.Errorf("after an earlier one was disowned: %+v, %v", pending, err)
		}
		if err := w.disown(ctx, public(w.other), link); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller disowns: %v", err)
		}
		wantOneWinner(t, race(func(int) error { return w.disown(ctx, c, link) }), portal.ErrLinkDead)
		if pending, err := w.PendingAddress(ctx, c, view); !errors.Is(err, portal.ErrNoAddressChange) {
			t.Errorf("after the change was disowned: %+v, %v", pending, err)
		}
		_, err = w.Session(ctx, c, session)
		must(t, err)
		w.wantOther(t)
	})
}
