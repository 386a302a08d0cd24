package portal_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestRemindersDue: each state, each number of days, and what was missed.
func TestRemindersDue(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	r := portal.Reminders{Days: [2]int{3, 7}}
	day := func(n int) time.Time { return sent.AddDate(0, 0, n) }
	tests := []struct {
		name     string
		r        portal.Reminders
		state    portal.InvitationState
		reminded int
		life     int
		now      time.Time
		due      int
		next     time.Time
	}{
		{name: "just sent", r: r, state: portal.InvitationSent, now: sent, next: day(3)},
		{name: "a moment before", r: r, state: portal.InvitationSent, now: day(3).Add(-time.Microsecond), next: day(3)},
		{name: "the third day", r: r, state: portal.InvitationSent, now: day(3), due: 1, next: day(3)},
		{name: "was", r: r, state: portal.InvitationSent, reminded: 1, now: day(3), next: day(7)},
		{name: "the seventh day", r: r, state: portal.InvitationOpened, reminded: 1, now: day(7), due: 2, next: day(7)},
		{name: "never a third", r: r, state: portal.InvitationOpened, reminded: 2, now: day(13)},
		{name: "the first was missed", r: r, state: portal.InvitationStarted, now: day(8), due: 2, next: day(7)},
		{name: "no first", r: portal.Reminders{Days: [2]int{0, 7}}, state: portal.InvitationSent, now: day(6), next: day(7)},
		{name: "no second", r: portal.Reminders{Days: [2]int{3, 0}}, state: portal.InvitationSent, reminded: 1, now: day(12)},
		{name: "none", state: portal.InvitationSent, now: day(12)},
		{name: "ends before the second", r: r, life: 7, state: portal.InvitationSent, reminded: 1, now: day(4)},
		{name: "expired meanwhile", r: r, state: portal.InvitationSent, now: day(14)},
		{name: "delivered", r: r, state: portal.InvitationDelivered, now: day(3), due: 1, next: day(3)},
		{name: "not sent yet", r: r, state: portal.InvitationQueued, now: day(3)},
		{name: "bounced", r: r, state: portal.InvitationBounced, now: day(3)},
		{name: "complained", r: r, state: portal.InvitationComplained, now: day(3)},
		{name: "failed", r: r, state: portal.InvitationFailed, now: day(3)},
		{name: "accepted", r: r, state: portal.InvitationAccepted, now: day(3)},
		{name: "revoked", r: r, state: portal.InvitationRevoked, now: day(3)},
		{name: "expired", r: r, state: portal.InvitationExpired, now: day(3)},
	}
	for _, tt := range tests {
		inv := portal.Invitation{State: tt.state, Reminded: tt.reminded, QueuedAt: sent, ExpiresAt: day(14)}
		if tt.life > 0 {
			inv.ExpiresAt = day(tt.life)
		}
		if due, next := tt.r.Due(inv, tt.now), tt.r.Next(inv, tt.now); due != tt.due || !next.Equal(tt.next) {
			t.Errorf("%s: due %d, next %v; want %d, %v", tt.name, due, next, tt.due, tt.next)
		}
	}
}

// TestQuietHours: by the clock on the biller's wall, over midnight and over the
// days on which it is changed.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(month time.Month, day, hour, minute int) time.Time {
		return time.Date(2026, month, day, hour, minute, 0, 0, newYork)
	}
	tests := []struct {
		from, to   int
		now, until time.Time
	}{
		{20, 8, at(11, 2, 19, 59), time.Time{}},
		{20, 8, at(11, 2, 20, 0), at(11, 3, 8, 0)},
		{20, 8, at(11, 30, 23, 59), at(12, 1, 8, 0)},
		{20, 8, at(11, 3, 0, 0), at(11, 3, 8, 0)},
		{20, 8, at(11, 3, 7, 59), at(11, 3, 8, 0)},
		{20, 8, at(11, 3, 8, 0), time.Time{}},
		{12, 14, at(11, 3, 12, 30), at(11, 3, 14, 0)},
		{12, 14, at(11, 3, 14, 0), time.Time{}},
		{12, 14, at(11, 3, 11, 59), time.Time{}},
		{0, 8, at(11, 3, 3, 0), at(11, 3, 8, 0)},
		{22, 0, at(11, 3, 23, 0), at(11, 4, 0, 0)},
		{9, 9, at(11, 3, 9, 0), time.Time{}},
		{0, 0, at(11, 3, 0, 0), time.Time{}},
		{20, 8, at(3, 7, 21, 0), at(3, 8, 8, 0)},    // the night that is an hour short
		{20, 8, at(10, 31, 21, 0), at(11, 1, 8, 0)}, // and the one that is longer
	}
	for _, tt := range tests {
		if got := (portal.Reminders{QuietFrom: tt.from, QuietTo: tt.to}).QuietUntil(tt.now); !got.Equal(tt.until) {
			t.Errorf("%d to %d at %v: until %v, want %v", tt.from, tt.to, tt.now, got, tt.until)
		}
	}
	gap := portal.Reminders{QuietFrom: 1, QuietTo: 2}
	if until := gap.QuietUntil(at(3, 8, 1, 59)); !until.After(at(3, 8, 1, 59)) || until.Sub(at(3, 8, 1, 59)) > time.Hour {
		t.Errorf("an end that the clock jumps over: %v", until)
	}
}

func TestCheckReminders(t *testing.T) {
	t.Parallel()
	for days, ok := range map[[2]int]bool{{3, 7}: true, {3, 0}: true, {0, 7}: true, {0, 0}: true, {7, 7}: false, {7, 3}: false} {
		err := portal.Reminders{Days: days}.Check()
		if ok && err != nil || !ok && apperr.FieldsOf(err)[portal.SettingSecondReminder] == "" {
			t.Errorf("%v: %v", days, err)
		}
	}
}
