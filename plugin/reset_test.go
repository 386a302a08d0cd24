package main

import (
	"strings"
	"testing"
	"time"
)

const newSecret = "lantern copper meadow drift"

// TestForgottenPassword goes from "Forgot password?" to the new password.
func TestForgottenPassword(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		other := r.registered("c1", elena)
		b := r.browser(northwind)
		b.open("/sign-in").wants(200, "Forgot password?")
		known := b.press(b.open("/forgot"), "Send me a link", "email", elena)
		known.wants(200, "Check your mail", "If "+elena+" belongs to a sign-in")
		unknown := b.press(b.open("/forgot"), "Send me a link", "email", "nobody@riverafamily.example")
		if strings.ReplaceAll(unknown.text(), "nobody@riverafamily.example", elena) != known.text() {
			t.Errorf("somebody: %s\nnobody: %s", known.text(), unknown.text())
		}
		b.press(b.open("/forgot"), "Send me a link", "email", "no address").wants(422)
		m := r.mail("security", elena, 1)
		if m.Subject != "Choose a new password" || !strings.Contains(m.Text, "/not-me/") {
			t.Errorf("mail %q:\n%s", m.Subject, m.Text)
		}
		p := b.open(linkOf(t, m)).wants(200, "Choose a new password", "e•••@riverafamily.example")
		b.press(p, "Save new password", "password", "too short").wants(422, "Use at least 12 characters")
		b.press(p, "Show", "password", newSecret).wants(200)
		b.press(p, "Save new password", "password", newSecret).wants(200, "Your new password is saved", "Sign in")
		b.open(linkOf(t, m)).wants(200, "This link is no longer valid", "Send me a new link")
		r.browser(contoso).open(linkOf(t, m)).wants(404)
		other.open("/").wants(200, "Sign in").lacks("You owe")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(200, "You owe")
		told := r.told(elena, "A new password was chosen")
		if told.Subject != "Your password was reset" || !strings.Contains(told.Text, "This wasn't me") {
			t.Errorf("notice %q:\n%s", told.Subject, told.Text)
		}
		p = b.open(linkOf(t, told)).wants(200, "Was this not you?", "The password was reset", "From")
		b.press(p, "This wasn't me").wants(200, "that is taken care of")
		b.open(linkOf(t, told)).wants(200, "This link is no longer valid")
		b.open("/").wants(200, "Sign in").lacks("You owe")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(401)
		r.told(elena, "has ended, because you told us")
		r.clock.advance(time.Minute)
		r.eventually("the audit log knows", func() bool {
			for _, a := range r.Host.Audits() {
				if a.Action == "password.reset" && a.Biller == northwind && a.PortalUser != "" {
					return true
				}
			}
			return false
		})
	})
}

func TestChangePasswordPage(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	r.browser(northwind).open("/security/password").wants(200, "Sign in")
	p := b.open("/security/password").wants(200, "Change your password")
	b.press(p, "Change password", "current", "", "password", newSecret).wants(422, "Type your current password")
	b.press(p, "Change password", "current", "wrong wrong wrong", "password", newSecret).wants(422, "That is not your current password")
	b.press(p, "Change password", "current", secret, "password", "1qaz2wsx3edc").wants(422, "on lists that attackers try first")
	b.press(p, "Change password", "current", secret, "password", secret).wants(422, "This is the password you have already")
	shown := b.press(p, "Show", "current", secret, "password", newSecret)
	if attr(shown.input("current"), "value") != secret || attr(shown.input("password"), "value") != newSecret {
		t.Error("Show loses what was typed")
	}
	b.press(shown, "Change password").wants(200, "Your password is changed")
	b.open("/").wants(200, "You owe")
}
