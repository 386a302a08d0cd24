package main

import (
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestFinishedSignUpIsDisowned: page, answer, mails and staff's mail say what is done
// about a sign-up that is finished, also where it was finished after the page was
// drawn; and the password that ended cannot be chosen again.
func TestFinishedSignUpIsDisowned(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.browser(northwind)
		p := b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
		m := r.mail("confirmation", elena, 1)
		notMe := after(t, m.Text, northwind, "I didn't do this: ")
		owner := r.browser(northwind)
		early := owner.open(notMe).wants(200, "With the button the sign-up ends, and the invitation is open again")
		p = b.press(p, "Confirm my email", "code", codeOf(t, m))
		b.press(p, "I Accept").wants(200, "You owe")
		owner.open(notMe).wants(200, "is finished, so somebody else may have its password", "we sign everybody out, end the password").lacks("Nothing else changes", "the invitation is open again")
		owner.press(early, "I didn't do this").wants(200, "Everybody is signed out, and the password no longer works").lacks("The sign-up has ended", "invitation")
		b.open("/").wants(200, "Sign in").lacks("You owe")
		if got := r.status("c1"); got != "Registered" {
			t.Errorf("status %s", got)
		}
		n := r.notices(northwind, 1)[0]
		if n.Kind != "signedup" || strings.Contains(n.Text, "invitation") || !strings.Contains(n.Text, "stays registered") {
			t.Errorf("staff read %+v", n)
		}
		reset := r.told(elena, "has ended, because you told us")
		if strings.Contains(reset.Text, "Somebody asked") || strings.Contains(reset.Text, "stays as it is") || strings.Contains(reset.Text, "/not-me/") {
			t.Errorf("the mail says\n%s", reset.Text)
		}
		r.choosesAnother(owner, linkOf(t, reset))
		owner.open("/security").wants(200, "The password was ended, and a link to a new one mailed").lacks("A new password was asked for")
		r.eventually("the audit log knows", func() bool {
			ended := false
			for _, a := range r.Host.Audits() {
				if a.Action == "password.reset_asked" {
					t.Error("the audit log says that somebody asked")
				}
				ended = ended || a.Action == "password.ended" && a.Biller == northwind
			}
			r.clock.advance(portal.StaffEvery / 60)
			return ended
		})
	})
}

// choosesAnother fails unless the link refuses the password that ended, takes
// another and lets it be the old one no longer.
func (r *rig) choosesAnother(owner *browser, link string) {
	r.tb.Helper()
	p := owner.open(link).wants(200, "Choose a new password")
	p = owner.press(p, "Save new password", "password", secret).wants(422, "This is the password that somebody may know. Choose another one.")
	if !strings.Contains(p.body, `id="password-error"`) {
		r.tb.Error("the error is not at the field")
	}
	owner.press(p, "Save new password", "password", newSecret).wants(200, "Your new password is saved")
	owner.press(owner.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(200, "You owe")
}

// TestOpenSignUpIsDisowned: one from the portal link has no invitation, under way or
// finished.
func TestOpenSignUpIsDisowned(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.browser(northwind)
		b.begun(treasurer)
		m := r.mail("security", treasurer, 1)
		notMe := after(t, m.Text, northwind, "I didn't do this: ")
		owner := r.browser(northwind)
		p := owner.open(notMe).wants(200, "from the portal link. With the button the sign-up ends. Nothing else changes.").lacks("invitation")
		owner.press(p, "I didn't do this").wants(200, "No sign-in was made of it").lacks("invitation")
		if n := r.notices(northwind, 1)[0]; n.Kind != "open" || strings.Contains(n.Text, "invitation") {
			t.Errorf("staff read %+v", n)
		}

		b = r.browser(northwind)
		b.begun(treasurer)
		m = r.mail("security", treasurer, 2)
		notMe = after(t, m.Text, northwind, "I didn't do this: ")
		p = b.press(b.press(b.open(linkOf(t, m)), "Confirm my email"), "Sign Up", "password", secret).wants(200, "Customer Portal User Agreement")
		owner.press(owner.open(notMe).wants(200, "is finished"), "I didn't do this").wants(200, "Everybody is signed out").lacks("invitation")
		b.press(p, "I Accept").lacks("You owe")
		if n := r.notices(northwind, 2)[1]; n.Kind != "signedup" || strings.Contains(n.Text, "invitation") {
			t.Errorf("staff read %+v", n)
		}
	})
}

// TestAddressInUseIsDisowned: once the code was typed its mail's link ends nothing,
// says so, and tells staff; the old mailbox's link says that it puts the address back.
func TestAddressInUseIsDisowned(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const theirs = "zoe@elsewhere.example"
		b := r.registered("c1", elena)
		p := b.press(b.open("/security/email"), "Send a code", "email", theirs, "current", secret)
		m := r.mail("security", theirs, 1)
		link := after(t, m.Text, northwind, "I didn't do this: ")
		zoe := r.browser(northwind)
		early := zoe.open(link).wants(200, "the code that we mailed stops working")
		b.press(p, "Confirm my email", "code", codeOf(t, m)).wants(200, "You sign in with "+theirs)
		zoe.open(link).wants(200, "The code was typed").lacks("stops working", elena)
		zoe.press(early, "I didn't do this").wants(200, "can read what you told us").lacks("code no longer works")
		b.open("/").wants(200, "You owe")
		if n := r.notices(northwind, 1)[0]; n.Kind != "address" || !strings.Contains(n.Text, "Customer: Rivera Family") {
			t.Errorf("staff read %+v", n)
		}
		r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, "The owner of "+theirs+" says")

		told := r.told(elena, "uses another email address")
		if !strings.Contains(told.Text, "we put this address back") {
			t.Errorf("the mail says\n%s", told.Text)
		}
		elenas := r.browser(northwind)
		p = elenas.open(linkOf(t, told)).wants(200, "With the button we put your email address back")
		elenas.press(p, "This wasn't me").wants(200, "Your email address is put back")
	})
}
