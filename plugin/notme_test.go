package main

import (
	"strings"
	"testing"
)

// TestChangeToSomebodyElsesAddress: whoever owns the new address ends the change,
// learns nothing of who asked, and touches nothing else.
func TestChangeToSomebodyElsesAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const theirs = "zoe@elsewhere.example"
		b := r.registered("c1", elena)
		p := b.press(b.open("/security/email"), "Send a code", "email", theirs, "current", secret).wants(200, theirs)
		m := r.mail("security", theirs, 1)
		link := after(t, m.Text, northwind, "I didn't do this: ")
		stranger := r.browser(northwind)
		form := stranger.open(link).wants(200, "Somebody wants to sign in at Northwind Utilities with your email address", "A new email address was entered").lacks(elena, b.call.RemoteIP.String())
		if !strings.Contains(form.body, `<dl class="facts"><dt>`) { // a row for each, whose width two would share
			t.Error("the facts do not stand below each other")
		}
		b.open("/security").wants(200, theirs+" waits for its code")
		stranger.press(form, "I didn't do this").wants(200, "The code no longer works.")
		stranger.open(link).wants(200, "This link is no longer valid")
		b.press(p, "Confirm my email", "code", codeOf(t, m)).wants(409)
		b.open("/security").wants(200, elena, "Reported as not done by you").lacks("waits for its code")
		other := r.browser(northwind)
		other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
		r.browser(contoso).open(link).wants(404)
	})
}
