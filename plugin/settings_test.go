package main

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// set changes one setting of a biller who has the defaults otherwise.
func (r *rig) set(biller, key string, value any) {
	r.tb.Helper()
	values := sdktest.Defaults(sdktest.Manifest(r.tb, filepath.Join("..", manifest.FileName))).Values()
	values[key] = value
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
