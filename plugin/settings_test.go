package main

import (
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// set changes one setting of a biller who has the defaults otherwise.
func (r *rig) set(biller, key string, value any) {
	r.tb.Helper()
	r.setAll(biller, map[string]any{key: value})
}

func (r *rig) setAll(biller string, changes map[string]any) {
	r.tb.Helper()
	values := sdktest.Defaults(sdktest.Manifest(r.tb, filepath.Join("..", manifest.FileName))).Values()
	maps.Copy(values, changes)
	r.Configure(biller, sdk.NewSettings(values, nil))
}

// TestSettingsOfInvitations: what a biller sets counts from the next invitation
// on, for this biller only.
func TestSettingsOfInvitations(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.invited("c1", elena)
		r.set(contoso, portal.SettingButtonText, "Not yours")
		r.set(northwind, portal.SettingButtonText, "Join us")
		r.clock.advance(2 * time.Minute)
		if _, err := r.staffInviter().Resend(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		if m := r.mail("invitation", elena, 1); !strings.Contains(m.Text, "Create your username and password") {
			t.Errorf("before:\n%s", m.Text)
		}
		if m := r.mail("invitation", elena, 2); !strings.Contains(m.Text, "Join us") || strings.Contains(m.Text, "Create your username") {
			t.Errorf("after:\n%s", m.Text)
		}
		r.set(northwind, portal.SettingInvitationDays, int64(2))
		link := r.invited("c3", "treasurer@harborview.example")
		r.clock.advance(47 * time.Hour)
		r.browser(northwind).open(link).wants(200, "Create your sign-in")
		r.clock.advance(2 * time.Hour)
		r.browser(northwind).open(link).wants(200, "This link has expired")
		r.eventually("an earlier invitation is sent, for 14 days", func() bool { return r.status("c1") == "Sent" })
	})
}

// TestCheckSettings refuses what the manifest's rules let through.
func TestCheckSettings(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	call := r.StaffCall(northwind, portal.AbilityConfigure)
	for label, ok := range map[string]bool{
		"": true, "Join us": true, "Zum Portal »": true,
		"See https://evil.example": false, "www.evil.example": false, "two\nlines": false, "turned \u202eround": false,
	} {
		err := r.CheckSettings(t.Context(), call, sdk.NewSettings(map[string]any{portal.SettingButtonText: label}, nil))
		if ok && err != nil || !ok && apperr.FieldsOf(err)[portal.SettingButtonText] == "" {
			t.Errorf("%q: %v", label, err)
		}
	}
}

var nextReminder = regexp.MustCompile(`Next reminder\s+(\w+ \d+, \d+)`)

// TestReminders: who does not sign up is reminded, with the link of the invitation,
// after the biller's quiet hours; another biller wants no reminders and has none.
func TestReminders(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.setAll(contoso, map[string]any{portal.SettingFirstReminder: int64(0), portal.SettingSecondReminder: int64(0)})
		link := r.invited("c1", elena)
		if _, err := r.Invite(r.StaffCall(contoso, portal.AbilityInvite)).Send(t.Context(), "x1"); err != nil {
			t.Fatal(err)
		}
		newYork, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		quiet := r.clock.now().In(newYork).Hour()
		// An hour earlier too: the clock may be put back within the days that follow.
		r.setAll(northwind, map[string]any{portal.SettingQuietFrom: int64((quiet + 23) % 24), portal.SettingQuietTo: int64((quiet + 2) % 24)})
		tab := r.staff(wire.Slot, portal.AbilityInvite)
		next := func() string { return nextReminder.FindString(tab.open("/customer?customer=c1").text()) }
		r.eventually("a reminder will come", func() bool { return next() != "" })
		first := next()
		r.refreshAfter(3 * 24 * time.Hour)
		r.eventually("the first one is written down", func() bool { return next() != first })
		r.invited("c3", "treasurer@harborview.example")
		if n := r.reminders(northwind); n != 0 {
			t.Errorf("%d reminders at a quiet hour", n)
		}
		r.clock.advance(3 * time.Hour)
		m := r.mail("reminder", elena, 1)
		if linkOf(t, m) != link || m.CustomerID != "c1" || !strings.Contains(m.Text, "A while ago Northwind Utilities invited you") {
			t.Errorf("reminder, want the link %s:\n%s", link, m.Text)
		}
		r.eventually("the history tells", func() bool {
			return strings.Contains(tab.open("/customer?customer=c1").text(), "Reminder sent")
		})
		r.browser(northwind).open(link).wants(200, "Create your sign-in")
		r.refreshAfter(4 * 24 * time.Hour)
		r.mail("reminder", elena, 2)
		r.mail("reminder", "treasurer@harborview.example", 1)
		tab.open("/customer?customer=c1").wants(200, "Opened").lacks("Next reminder")
		r.browser(northwind).open(link).wants(200, "Create your sign-in")
		if n := r.reminders(contoso); n != 0 {
			t.Errorf("%d reminders of the other biller", n)
		}
	})
}

// refreshAfter lets time pass, and the hourly job run: one under way may have put
// the next off by an hour of the time after.
func (r *rig) refreshAfter(d time.Duration) {
	r.tb.Helper()
	r.clock.advance(d)
	r.Enable(northwind)
}

// TestRemindersToOthers: somebody with a sign-in is asked to sign in and add the
// customer, somebody whom staff let in is called by the name they gave.
func TestRemindersToOthers(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.setAll(northwind, map[string]any{portal.SettingQuietFrom: int64(0), portal.SettingQuietTo: int64(0)})
		r.registered("c1", elena)
		if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
			t.Fatal(err)
		}
		r.eventually("the offer is sent", func() bool { return r.status("c2") == "Sent" })
		r.asks(r.invited("c3", treasurer))
		tab, staff := r.office()
		staff.press(tab.open(tabOf+"c3"), "Approve", "right", "payer").landed(tab, "c3").wants(200, "is on its way")
		first := r.mail("access", jo, 1)
		r.refreshAfter(3 * 24 * time.Hour)
		if m := r.mail("add_reminder", elena, 1); linkOf(t, m) != "/sign-in" || !strings.Contains(m.Text, "press Add") {
			t.Errorf("to a person with a sign-in:\n%s", m.Text)
		}
		if m := r.mail("access", jo, 2); !strings.Contains(m.Text, "Hello Jo Doe") || linkOf(t, m) != linkOf(t, first) {
			t.Errorf("to who was let in:\n%s", m.Text)
		}
	})
}

func (r *rig) reminders(biller string) (n int) {
	for _, m := range r.Host.Mails() {
		if m.Kind == "reminder" && m.Biller == biller {
			n++
		}
	}
	return n
}

// TestSettingsOfReminders: a second one that would not be the second is refused.
func TestSettingsOfReminders(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	call := r.StaffCall(northwind, portal.AbilityConfigure)
	err := r.CheckSettings(t.Context(), call, sdk.NewSettings(map[string]any{portal.SettingFirstReminder: int64(5), portal.SettingSecondReminder: int64(5)}, nil))
	if apperr.FieldsOf(err)[portal.SettingSecondReminder] == "" {
		t.Errorf("both on the fifth day: %v", err)
	}
}
