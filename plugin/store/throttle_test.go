package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const wrongPassword = "wrong wrong wrong"

// at is the public caller at an IP address.
func at(c portal.Caller, ip string) portal.Caller {
	c = public(c)
	c.IP = netip.MustParseAddr(ip)
	return c
}

// elsewhere is the public caller at the n-th of many networks.
func elsewhere(c portal.Caller, n int) portal.Caller {
	return at(c, fmt.Sprintf("198.%d.%d.1", 18+n/256, n%256))
}

func (w *world) activities(tb testing.TB, biller string, action portal.Action) int {
	tb.Helper()
	var n int
	must(tb, w.db.R.Get(&n, `SELECT COUNT(*) FROM activity WHERE biller_id = $1 AND action = $2`, biller, string(action)))
	return n
}

func TestDelaysOfSignIn(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		w.mail = nil
		for _, address := range []string{"jane@acme.com", "nobody@acme.com", "no address"} {
			n := 0
			try := func(password string) error {
				n++
				_, err := w.SignIn(ctx, elsewhere(w.caller, n), address, password)
				return err
			}
			for range portal.SignInDelays().Free {
				if err := try(wrongPassword); !errors.Is(err, portal.ErrWrongSignIn) {
					t.Fatalf("%s: a free try: %v", address, err)
				}
			}
			for _, wait := range []time.Duration{30 * time.Second, time.Minute} {
				err := try(goodPassword)
				wantCode(t, err, apperr.TooManyRequests)
				if got := apperr.RetryAfterOf(err); got != wait {
					t.Errorf("%s: wait %v, want %v", address, got, wait)
				}
				w.clock.Add(wait)
				if err := try(wrongPassword); !errors.Is(err, portal.ErrWrongSignIn) {
					t.Fatalf("%s: after the wait: %v", address, err)
				}
			}
			wantCode(t, try(goodPassword), apperr.TooManyRequests)
		}
		_, err := w.SignIn(ctx, elsewhere(w.other, 1), "jane@acme.com", wrongPassword)
		if !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("at the other biller: %v", err)
		}

		must(t, w.ForgotPassword(ctx, elsewhere(w.caller, 99), "jane@acme.com"))
		m := w.takeKind(t, portal.MailReset)
		_, err = w.ResetPassword(ctx, elsewhere(w.caller, 99), token(m), newPassword)
		must(t, err)
		_, err = w.SignIn(ctx, elsewhere(w.caller, 99), "jane@acme.com", newPassword)
		must(t, err) // the reset has ended the delay
	})
}

func (w *world) takeKind(tb testing.TB, kind portal.MailKind) portal.Mail {
	tb.Helper()
	w.deliver(tb)
	for _, m := range w.mail {
		if m.Ref.Kind == kind {
			return m
		}
	}
	tb.Fatalf("there is no mail %q", kind)
	return portal.Mail{}
}

// TestGuessesDelayStrangersOnly: whoever guesses at an account makes browsers wait
// that its owner never signed in with; the owner's goes on, within its own tries.
func TestGuessesDelayStrangersOnly(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		own, theirs := public(w.caller), public(w.other)
		own.Device, theirs.Device = "laptop", "laptop"
		_, err := w.SignIn(ctx, own, "jane@acme.com", goodPassword)
		must(t, err)
		for n := range portal.SignInDelays().Free {
			_, err := w.SignIn(ctx, elsewhere(w.caller, n), "jane@acme.com", wrongPassword)
			wantCode(t, err, apperr.Unauthenticated)
		}
		for _, device := range []string{"", "phone"} {
			c := elsewhere(w.caller, 50)
			c.Device = device
			_, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
			wantCode(t, err, apperr.TooManyRequests)
		}
		for range 2 {
			_, err = w.SignIn(ctx, own, "jane@acme.com", goodPassword)
			must(t, err)
		}
		for range portal.SignInDelays().Free { // a stolen laptop may guess no more than others
			_, err := w.SignIn(ctx, own, "jane@acme.com", wrongPassword)
			wantCode(t, err, apperr.Unauthenticated)
		}
		_, err = w.SignIn(ctx, own, "jane@acme.com", goodPassword)
		wantCode(t, err, apperr.TooManyRequests)

		known, err := w.Store.KnowsDevice(ctx, theirs.BillerID, "jane@acme.com", portal.Device{Hash: w.Keys.Hash(own.BillerID, "device laptop")})
		must(t, err)
		if known {
			t.Error("the other biller knows the browser")
		}

		must(t, w.ForgotPassword(ctx, elsewhere(w.caller, 99), "jane@acme.com"))
		_, err = w.ResetPassword(ctx, elsewhere(w.caller, 99), token(w.takeKind(t, portal.MailReset)), newPassword)
		must(t, err)
		_, err = w.SignIn(ctx, own, "jane@acme.com", newPassword)
		must(t, err) // the reset has ended the delay of every browser
	})
}

// TestARightTryForgetsWrongOnes: people who find their password in time start
// anew, and their tries do not count against their network.
func TestARightTryForgetsWrongOnes(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		for range 3 {
			for range portal.SignInDelays().Free - 1 {
				_, err := w.SignIn(ctx, c, "jane@acme.com", wrongPassword)
				wantCode(t, err, apperr.Unauthenticated)
			}
			_, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
			must(t, err)
		}
		for range 2 * portal.GuardSignIn.Limits().Address.Limit {
			_, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
			must(t, err)
		}
		var tries int
		must(t, w.db.R.Get(&tries, `SELECT SUM(tries) FROM throttles WHERE biller_id = $1 AND name LIKE 'guess from 203.0.113.7'`, w.caller.BillerID))
		if tries != 12 {
			t.Errorf("%d tries count against the address, want the 12 wrong ones", tries)
		}
	})
}

// TestParallelGuesses: sixteen at once are no more than the free ones.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		session := w.signedUp(t, "c1")
		w.started(t, "c4")
		compared := func(name string, f func(n int) error) {
			counts, made := race(f), 0
			for answer, n := range counts {
				if answer == told(portal.ErrWrongSignIn) || answer == told(portal.ErrWrongCurrent) {
					made += n
				}
			}
			if made != portal.SignInDelays().Free {
				t.Errorf("%s: %v, want %d comparisons", name, counts, portal.SignInDelays().Free)
			}
		}
		for _, address := range []string{"jane@acme.com", "zoe@bücher.example", "nobody@acme.com"} {
			compared(address, func(n int) error {
				_, err := w.SignIn(ctx, elsewhere(w.caller, n), address, wrongPassword)
				return err
			})
		}
		compared("reauthentication", func(n int) error {
			_, err := w.Service.ChangePassword(ctx, elsewhere(w.caller, n), session, wrongPassword, newPassword)
			return err
		})
	})
}

func TestBudgetsOfAddressesAndNetworks(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		limits := portal.GuardSignIn.Limits()
		n := 0
		guess := func(c portal.Caller) error {
			n++
			_, err := w.SignIn(ctx, c, fmt.Sprintf("nobody%d@acme.com", n), wrongPassword)
			return err
		}
		for range limits.Address.Limit {
			wantCode(t, guess(at(w.caller, "192.0.2.1")), apperr.Unauthenticated)
		}
		err := guess(at(w.caller, "192.0.2.1"))
		wantCode(t, err, apperr.TooManyRequests)
		if apperr.RetryAfterOf(err) != limits.Address.Window {
			t.Errorf("wait %v", apperr.RetryAfterOf(err))
		}
		wantCode(t, guess(at(w.caller, "::ffff:192.0.2.1")), apperr.TooManyRequests) // the same address
		var rows int
		must(t, w.db.R.Get(&rows, `SELECT COUNT(*) FROM throttles WHERE biller_id = $1 AND name LIKE 'signin:%'`, w.caller.BillerID))
		if rows != limits.Address.Limit {
			t.Errorf("%d accounts are counted: a refused try left a row", rows)
		}
		wantCode(t, guess(at(w.other, "192.0.2.1")), apperr.Unauthenticated)
		for i := range limits.Network.Limit - limits.Address.Limit - 2 {
			wantCode(t, guess(at(w.caller, fmt.Sprintf("192.0.2.%d", 2+i%3))), apperr.Unauthenticated)
		}
		wantCode(t, guess(at(w.caller, "192.0.2.77")), apperr.TooManyRequests)
		wantCode(t, guess(at(w.caller, "192.0.3.77")), apperr.Unauthenticated)

		for i := range limits.Network.Limit {
			wantCode(t, guess(at(w.caller, fmt.Sprintf("2001:db8:1:2::%x", i+1))), apperr.Unauthenticated)
		}
		wantCode(t, guess(at(w.caller, "2001:db8:1:2:ffff::1")), apperr.TooManyRequests)
		wantCode(t, guess(at(w.caller, "2001:db8:1:3::1")), apperr.Unauthenticated)
		w.clock.Add(limits.Network.Window)
		wantCode(t, guess(at(w.caller, "192.0.2.1")), apperr.Unauthenticated)
	})
}

// TestEverythingIsThrottled: whoever has no account to guess at is held by
// address and network.
func TestEverythingIsThrottled(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), at(w.caller, "192.0.2.9")
		link := w.invited(t, "c1")
		handle, _ := w.started(t, "c4")
		w.clock.Add(15 * 24 * time.Hour) // the link is one to ask a new one for
		for name, guarded := range map[portal.Guard]func() error{
			portal.GuardForgot:  func() error { return w.ForgotPassword(ctx, c, "jane@acme.com") },
			portal.GuardNewLink: func() error { return w.RequestNewLink(ctx, c, link) },
			portal.GuardCode: func() error {
				_, err := w.Confirm(ctx, c, handle, "000000")
				return err
			},
		} {
			for range name.Limits().Address.Limit {
				if err := guarded(); apperr.Is(err, apperr.TooManyRequests) && name == portal.GuardCode {
					t.Fatalf("%s: %v too early", name, err)
				}
			}
			wantCode(t, guarded(), apperr.TooManyRequests)
		}
	})
}

// TestAskingForAccessIsThrottled: by address and network too, so that nobody with
// many links fills the list of staff.
func TestAskingForAccessIsThrottled(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		one, other := w.invited(t, "c1"), w.invited(t, "c4")
		ask := func(ip, link string) error {
			return w.AskAccess(t.Context(), at(w.caller, ip), link, "Sam Lee", "sam@elsewhere.example", "")
		}
		limits := portal.GuardAccess.Limits()
		for i := range limits.Address.Limit {
			if err := ask("192.0.2.9", one); i < portal.AccessAsks().Limit && err != nil && !errors.Is(err, portal.ErrAccessOpen) {
				t.Fatal(err)
			}
		}
		refused := func(ip string, throttled bool) {
			t.Helper()
			err := w.AskAccess(t.Context(), at(w.caller, ip), other, "Kim", "kim"+ip+"@elsewhere.example", "")
			if throttled != apperr.Is(err, apperr.TooManyRequests) {
				t.Errorf("from %s: %v", ip, err)
			}
		}
		refused("192.0.2.9", true)
		refused("192.0.2.8", false)
		for i := range limits.Network.Limit - limits.Address.Limit - 1 {
			_ = ask(fmt.Sprintf("192.0.2.%d", 100+i), one) // only counts
		}
		refused("192.0.2.7", true)
		refused("198.51.100.7", false)
	})
}

// TestRegistersAreThrottled: each costs a hash.
func TestRegistersAreThrottled(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		register := func(c portal.Caller) error {
			_, err := w.Register(t.Context(), c, link, "jane@acme.com", goodPassword)
			return err
		}
		for range portal.GuardRegister.Limits().Address.Limit {
			must(t, register(public(w.caller)))
		}
		wantCode(t, register(public(w.caller)), apperr.TooManyRequests)
		must(t, register(elsewhere(w.caller, 1)))
	})
}

// TestTheOwnerIsTold: once when the delays begin, at most once a day; a notice
// about nobody's address goes nowhere.
func TestTheOwnerIsTold(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		w.mail = nil
		n := 0
		guess := func(address, password string) {
			n++
			_, _ = w.SignIn(ctx, elsewhere(w.caller, n), address, password) // only counts
		}
		for range portal.SignInDelays().Free + 3 {
			guess("jane@acme.com", wrongPassword)
			guess("nobody@acme.com", wrongPassword)
		}
		w.deliver(t)
		if len(w.mail) != 1 || w.mail[0].To != "Jane@Acme.com" || w.mail[0].Activity.Action != portal.ActionSignInBlocked {
			t.Fatalf("mails: %+v", w.mail)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInBlocked); got != 2 {
			t.Errorf("%d notices are kept, want one for each address", got)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInRefused); got != 10 {
			t.Errorf("%d wrong tries are kept, want 10: those that had to wait are only counted", got)
		}
		if got := w.activities(t, w.other.BillerID, portal.ActionSignInRefused); got != 0 {
			t.Errorf("%d wrong tries at the other biller", got)
		}
		w.clock.Add(time.Minute)
		guess("jane@acme.com", goodPassword) // the delays begin anew, the same day
		for range portal.SignInDelays().Free {
			guess("jane@acme.com", wrongPassword)
		}
		w.deliver(t)
		if len(w.mail) != 1 {
			t.Errorf("the owner is told %d times in a day", len(w.mail))
		}
		must(t, w.disown(ctx, public(w.caller), token(w.mail[0])))
		if m := w.take(t); m.Ref.Kind != portal.MailReset {
			t.Errorf("after \"This wasn't me\": %+v", m)
		}
	})
}

// TestAFloodHidesNoWarning: whoever guesses everywhere keeps no owner from being told.
func TestAFloodHidesNoWarning(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		w.deliver(t)
		w.mail = nil
		flood := func(name string) {
			_, err := w.db.W.Exec(`INSERT INTO throttles (biller_id, name, tries, ends_at) VALUES ($1, $2, $3, $4)
				ON CONFLICT (biller_id, name) DO UPDATE SET tries = excluded.tries`,
				w.caller.BillerID, name, portal.Recorded().Limit, w.clock.Now().Add(time.Hour).UnixMicro())
			must(t, err)
		}
		flood("refused")
		for n := range portal.SignInDelays().Free {
			_, err := w.SignIn(t.Context(), elsewhere(w.caller, n), "jane@acme.com", wrongPassword)
			wantCode(t, err, apperr.Unauthenticated)
		}
		if m := w.takeKind(t, portal.MailNotice); m.Activity.Action != portal.ActionSignInBlocked || m.To != "Jane@Acme.com" {
			t.Errorf("the owner is told by %+v", m)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInRefused); got != 0 {
			t.Errorf("%d wrong tries are kept, want 0", got)
		}
		flood("blocked")
		for n := range portal.SignInDelays().Free {
			_, err := w.SignIn(t.Context(), elsewhere(w.caller, n), "nobody@acme.com", wrongPassword)
			wantCode(t, err, apperr.Unauthenticated)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInBlocked); got != 1 {
			t.Errorf("%d addresses that wait are kept, want 1", got)
		}
	})
}

// TestAFloodIsOnlyCounted: beyond so many an hour, wrong tries leave no rows.
func TestAFloodIsOnlyCounted(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		limit := portal.Recorded().Limit
		_, err := w.db.W.Exec(`INSERT INTO throttles (biller_id, name, tries, ends_at) VALUES ($1, 'refused', $2, $3)`,
			w.caller.BillerID, limit-2, w.clock.Now().Add(time.Hour).UnixMicro())
		must(t, err)
		for n := range 6 {
			_, err := w.SignIn(t.Context(), elsewhere(w.caller, n), fmt.Sprintf("nobody%d@acme.com", n), wrongPassword)
			wantCode(t, err, apperr.Unauthenticated)
		}
		if got := w.activities(t, w.caller.BillerID, portal.ActionSignInRefused); got != 2 {
			t.Errorf("%d wrong tries are kept, want 2", got)
		}
	})
}
