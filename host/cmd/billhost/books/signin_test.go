package books_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

func TestTriesWaitLongerAndLonger(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 6, 9, 12, 0, 0, 0, time.UTC)
	var tries books.Tries
	next := func() time.Duration {
		var retryAt time.Time
		if tries, retryAt = tries.Next(now); retryAt.IsZero() {
			return 0
		}
		return retryAt.Sub(now)
	}
	for n := range books.FreeTries {
		if wait := next(); wait != 0 {
			t.Fatalf("try %d waits %v", n+1, wait)
		}
	}
	for _, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 32 * time.Minute, time.Hour, time.Hour} {
		if wait := next(); wait != want {
			t.Fatalf("wait %v, want %v", wait, want)
		}
		count := tries.Count
		now = now.Add(want)
		if wait := next(); wait != 0 || tries.Count != count+1 {
			t.Fatalf("after the wait: %v, %d tries", wait, tries.Count)
		}
	}
	now = now.Add(24 * time.Hour)
	if wait := next(); wait != 0 || tries.Count != 1 {
		t.Errorf("after a quiet day: wait %v, %d tries", wait, tries.Count)
	}
}

func TestBudgets(t *testing.T) {
	t.Parallel()
	for ip, want := range map[string][]string{
		"192.0.2.77":             {"guess from 192.0.2.0/24", "guess from 192.0.2.77"},
		"::ffff:192.0.2.77":      {"guess from 192.0.2.0/24", "guess from 192.0.2.77"},
		"2001:db8:1:2:3:4:5:6%a": {"guess from 2001:db8:1:2:3:4:5:6", "guess from 2001:db8:1:2::/64"},
	} {
		var got []string
		for _, b := range books.Budgets("guess", netip.MustParseAddr(ip)) {
			got = append(got, b.Name)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s:\n%s", ip, d)
		}
	}
	if got := books.Budgets("guess", netip.Addr{}); got != nil {
		t.Errorf("no address has budgets %v", got)
	}
}
