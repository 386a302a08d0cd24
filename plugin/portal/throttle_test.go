package portal_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

func TestDelaysGrow(t *testing.T) {
	t.Parallel()
	d := portal.SignInDelays()
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	var tries portal.Tries
	next := func() time.Time {
		var retryAt time.Time
		tries, retryAt = d.Next(tries, now)
		return retryAt
	}
	for n := range d.Free {
		if at := next(); !at.IsZero() {
			t.Fatalf("try %d waits until %v", n+1, at)
		}
	}
	for _, want := range []time.Duration{
		30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute,
		time.Hour, time.Hour, time.Hour,
	} {
		count := tries.Count
		for range 3 {
			if at := next(); at.Sub(now) != want || tries.Count != count {
				t.Fatalf("after %d wrong tries: wait %v, want %v; %d tries are counted", count, at.Sub(now), want, tries.Count)
			}
		}
		if tries.Refused != 3 {
			t.Errorf("%d refused tries are counted, want 3", tries.Refused)
		}
		now = now.Add(want - time.Microsecond)
		if at := next(); at.IsZero() {
			t.Fatalf("a try a microsecond early is made after %d wrong ones", count)
		}
		now = now.Add(time.Microsecond)
		if at := next(); !at.IsZero() {
			t.Fatalf("after a wait of %v: wait until %v", want, at)
		}
	}
	now = now.Add(d.Quiet)
	if at := next(); !at.IsZero() || tries.Count != 1 {
		t.Errorf("after a quiet day: %v, %d tries", at, tries.Count)
	}
}

func TestEveryGuardHasLimits(t *testing.T) {
	t.Parallel()
	for _, g := range []portal.Guard{
		portal.GuardSignIn, portal.GuardResume, portal.GuardReauth, portal.GuardForgot, portal.GuardNewLink,
		portal.GuardAccess, portal.GuardRegister, portal.GuardCode,
	} {
		l := g.Limits()
		if l.Pool == "" || l.Address.Limit < 1 || l.Network.Limit < l.Address.Limit || l.Address.Window <= 0 || l.Network.Window <= 0 {
			t.Errorf("%s: %+v", g, l)
		}
		guesses := g == portal.GuardSignIn || g == portal.GuardResume || g == portal.GuardReauth
		if guesses != (l.Delays == portal.SignInDelays()) {
			t.Errorf("%s: delays %+v", g, l.Delays)
		}
	}
}
