package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"

// zoned is a moment with its zone.
var zoned = regexp.MustCompile(`\d:\d\d [AP]M [A-Z]{3,4}\b`)

func TestSecurityPage(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		here := r.registered("c1", elena)
		there := r.browser(northwind)
		there.call.UserAgent = firefox
		there.press(there.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
		m := r.mail("security", elena, 1)
		if from := "Firefox on Linux, " + there.call.RemoteIP.String() + "."; m.Subject != "New sign-in to your account" || !strings.Contains(m.Text, from) || !zoned.MatchString(m.Text) {
			t.Errorf("mail %q names no browser, network or zone:\n%s", m.Subject, m.Text)
		}
		p := here.open("/security").wants(200, "Where you are signed in", "This browser", "Firefox on Linux", "Recent activity", "Signed in with a new browser", "The user agreement was accepted")
		p = here.press(p, "Sign out Firefox").wants(200, "Type your password again").lacks("is wrong", "Type your current password")
		there.open("/").wants(200, "You owe")
		for typed, says := range map[string]string{"": "Type your current password.", "wrong wrong wrong": "That is not your current password."} {
			p = here.press(p, "Sign out Firefox", "current", typed).wants(422, says)
		}
		there.open("/").wants(200, "You owe")
		here.press(p, "Sign out Firefox", "current", secret).wants(200, "That browser is signed out").lacks("Firefox on Linux</b>")
		there.open("/").wants(200, "Sign in").lacks("You owe")
		there.press(there.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
		here.press(here.open("/security"), "Sign out everywhere else").wants(200, "1 other browser is signed out")
		there.open("/").wants(200, "Sign in")
		here.open("/").wants(200, "You owe")
		r.clock.advance(portal.TypedLife)
		p = here.press(r.twice(here), "Sign out everywhere else").wants(200, "Type your password again")
		here.press(p, "Sign out everywhere else", "current", secret).wants(200, "1 other browser is signed out")
		there.press(there.open("/sign-in"), "Sign in", "email", elena, "password", "wrong wrong wrong").wants(401)
		here.open("/security").wants(200, "A wrong password was entered")
		r.browser(northwind).open("/security").wants(200, "Sign in").lacks("Recent activity")
	})
}

// twice signs elena in with one more browser and opens the security page.
func (r *rig) twice(b *browser) *page {
	r.tb.Helper()
	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	return b.open("/security")
}

func TestChangeOfAddressPages(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	const next = "elena@new.example"
	p := b.open("/security/email").wants(200, "Change your email", elena)
	b.press(p, "Send a code", "email", "", "current", secret).wants(422, "Type your email address")
	if bad := b.press(p, "Send a code", "email", "no address", "current", secret).wants(422); attr(bad.input("email"), "aria-invalid") != "true" {
		t.Errorf("a bad address is not told at its field: %s", bad.body)
	}
	wrong := b.press(p, "Send a code", "email", next, "current", "wrong wrong wrong").wants(422, "That is not your current password")
	if attr(wrong.input("email"), "value") != next {
		t.Error("the address that was typed is lost")
	}
	p = b.press(p, "Send a code", "email", next, "current", secret).wants(200, "We sent a six-digit code to "+next)
	b.open("/security").wants(200, next+" waits for its code", "Enter the code")
	m := r.mail("security", next, 1)
	code := codeOf(t, m)
	b.press(p, "Confirm my email", "code", "12345").wants(422, "six digits")
	b.press(p, "Confirm my email", "code", code).wants(200, "You sign in with "+next+" from now on")
	told := r.mail("security", elena, 1)
	if told.Subject != "Your sign-in address was changed" {
		t.Errorf("notice %q", told.Subject)
	}
	undo := b.open(linkOf(t, told)).wants(200, "Was this not you?", "The email address was changed")
	b.press(undo, "This wasn't me").wants(200, "that is taken care of")
	if back := r.mail("security", elena, 2); !strings.Contains(back.Text, "/reset/") {
		t.Errorf("after the undo:\n%s", back.Text)
	}
}
