package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

const second = "walnut ferry copper moon"

// startedBoth has two customers with one address sign up, each in its own
// browser and with its own password, up to the code.
func (r *rig) startedBoth() (a, b *browser, pa, pb *page) {
	r.tb.Helper()
	start := func(customerID, password string, n int) (*browser, *page) {
		if _, err := r.staffInviter().Send(r.tb.Context(), customerID); err != nil {
			r.tb.Fatal(err)
		}
		b := r.browser(northwind)
		p := b.press(b.open(linkOf(r.tb, r.mail("invitation", elena, n))), "Sign Up", "email", elena, "password", password)
		p = b.press(p, "Continue").wants(200, "Check your mail")
		r.mail("confirmation", elena, n)
		return b, p
	}
	a, pa = start("c1", secret, 1)
	b, pb = start("c2", second, 2)
	return a, b, pa, pb
}

// TestCase8WhileSigningUp: another sign-up made the account meanwhile. The person
// signs in with that one's password, and this customer is offered.
func TestCase8WhileSigningUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		a, b, pa, pb := r.startedBoth()
		other := r.browser(northwind)
		pa = a.press(pa, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
		a.press(pa, "I Accept").wants(200, "You owe")

		mail := r.mail("confirmation", elena, 2)
		existing := []string{"You already have a sign-in", "Rivera Rentals LLC can be added", "The password chosen here is not needed."}
		other.open(linkOf(t, mail)).wants(200, existing...).lacks("done its work", elena)
		b.press(pb, "Confirm my email", "code", codeOf(t, mail)).wants(409, existing...).lacks("done its work", elena)
		b.open(linkOf(t, mail)).wants(200, existing...)

		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", second).wants(401)
		p := b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "Northwind Utilities added Rivera Rentals LLC to your portal.")
		b.press(p, "Add").wants(200, "Rivera Rentals LLC was added")
		b.open("/security").wants(200, "The customer profile Rivera Rentals LLC was added")
		if got := r.status("c2"); got != "Registered" {
			t.Errorf("status %s", got)
		}
	})
}

// TestSignInTriesEachPendingSignUp: the password of either leads to its own code.
func TestSignInTriesEachPendingSignUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.startedBoth()
		for n, password := range []string{secret, second} {
			b := r.browser(northwind)
			p := b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", password).wants(200, "Confirm your email to continue")
			if n == 1 {
				b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 2))).wants(200, "Customer Portal User Agreement")
			}
		}
		if got := r.status("c2"); got != "Awaiting agreement" {
			t.Errorf("status %s", got)
		}
	})
}

// TestLinksAfterDeclining: nobody who did not accept is called registered.
func TestLinksAfterDeclining(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	link := r.invited("c1", elena)
	p := b.press(b.press(b.open(link), "Sign Up", "email", elena, "password", secret), "Continue")
	m := r.mail("confirmation", elena, 1)
	p = b.press(p, "Confirm my email", "code", codeOf(t, m))
	b.press(p, "I do not accept")
	for _, path := range []string{link, linkOf(t, m)} {
		b.open(path).wants(200, "The user agreement is still to be accepted. Sign in to read and accept it.", "Sign in").lacks("already registered")
	}
	p = b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret)
	b.press(p, "I Accept").wants(200, "You owe")
	r.browser(northwind).open(link).wants(200, "You're already registered")
}

// TestOvertakenTabIsTold: two tabs of one browser at step 2; the last password
// wins, and the tab that typed another one hears of it at its next step.
func TestOvertakenTabIsTold(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	link := r.invited("c1", elena)
	tab1, tab2 := b.open(link), b.open(link)
	tab1 = b.press(tab1, "Sign Up", "email", elena, "password", secret).wants(200, "Choose your customer profile")
	tab2 = b.press(tab2, "Sign Up", "email", elena, "password", second).wants(200, "Choose your customer profile")

	b.press(tab1, "Continue").wants(409, "Sign-up was started again", "in another window")
	if got := r.status("c1"); got != "Started" {
		t.Fatalf("the overtaken tab went on: %s", got)
	}
	b.open("/sign-up/profile").wants(200, "Choose your customer profile")
	tab2 = b.press(tab2, "Continue").wants(200, "Check your mail")

	third := b.do(http.MethodPost, link, url.Values{"email": {elena}, "password": {secret}})
	b.press(b.follow(third), "Continue").wants(200, "Check your mail")
	b.press(tab2, "Confirm my email", "code", "123456").wants(409, "Sign-up was started again")
	b.press(tab2, "Resend").wants(409, "Sign-up was started again")
	r.staff(wire.Slot, "staff:invite").open("/customer?customer=c1").wants(200, "Sign-up started again")
}
