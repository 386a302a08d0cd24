package main

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// focused is the name, or the role, of what has the focus on the page; the empty
// text if it is nothing, or more than one thing.
func (p *page) focused() string {
	found := ""
	for n := range p.doc.Descendants() {
		if n.Type != html.ElementNode || !has(n, "autofocus") {
			continue
		}
		if found != "" {
			return ""
		}
		found = attr(n, "name") + attr(n, "role")
	}
	return found
}

func (p *page) title() string {
	for n := range p.doc.Descendants() {
		if n.Data == "title" {
			return textOf(n)
		}
	}
	return ""
}

// TestWrongFormsSayWhereToLook: the title of a form with something wrong says so
// first, and the focus is where the mistake is told.
func TestWrongFormsSayWhereToLook(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c3", treasurer)
	chooser := r.browser(northwind)
	p := chooser.begun(elena)
	p = chooser.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", elena, 1)))
	if p = chooser.press(p, "Sign Up", "password", secret).wants(422, "Choose the profile"); p.focused() != "profile" {
		t.Errorf("the focus is on %q", p.focused())
	}
	member := r.registered("c1", elena)
	b, proof := r.browser(northwind), r.browser(northwind)
	code := proof.begun(treasurer)
	for _, tt := range []struct {
		b       *browser
		p       *page
		button  string
		typed   []string
		focused string
	}{
		{proof, code, "Resend", nil, "alert"}, // too early
		{b, b.open("/sign-in"), "Sign in", []string{"email", ""}, "email"},
		{b, b.open("/sign-in"), "Sign in", []string{"email", elena}, "password"},
		{b, b.open("/sign-in"), "Sign in", []string{"email", elena, "password", "wrong wrong wrong"}, "alert"},
		{b, b.open("/forgot"), "Send me a link", []string{"email", ""}, "email"},
		{b, b.open("/sign-up"), "Continue", []string{"email", "nothing"}, "email"},
		{b, b.open(link), "Sign Up", []string{"email", treasurer, "password", "short"}, "password"},
		{b, b.open(link + "/access"), "Send the request", []string{"name", "", "email", jo}, "name"},
		{proof, code, "Confirm my email", []string{"code", "000000"}, "code"},
		{member, member.open("/security/password"), "Change password", []string{"current", "x", "password", secret}, "current"},
		{member, member.open("/security/email"), "Send a code", []string{"email", elena, "current", secret}, "email"},
		{member, member.open("/security/erase"), "Erase", []string{"current", "x"}, "current"},
	} {
		before := tt.p.title()
		if strings.HasPrefix(before, "Error: ") || tt.p.focused() != "" {
			t.Errorf("%s begins with title %q, focus %q", tt.p.path, before, tt.p.focused())
		}
		p := tt.b.press(tt.p, tt.button, tt.typed...)
		if got := p.title(); got != "Error: "+before || p.focused() != tt.focused {
			t.Errorf("%s, %v: title %q, focus %q, want %q, %q", p.path, tt.typed, got, p.focused(), "Error: "+before, tt.focused)
		}
	}
	p = b.open(link)
	b.press(p, "Sign Up", "email", "", "password", secret).wants(422, "Type your email address.").lacks("for access")
	b.press(p, "Sign Up", "email", jo, "password", secret).wants(422, "Ask Northwind Utilities for access")
}

// TestAddPressedTwice: who presses **Add** twice is told the same again.
func TestAddPressedTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
			t.Fatal(err)
		}
		p := b.open("/").wants(200, "Northwind Utilities added Rivera Rentals LLC to your portal.")
		for range 2 {
			b.press(p, "Add").wants(200, "Rivera Rentals LLC was added to your portal.")
		}
		stranger := r.registered("c3", treasurer)
		stranger.press(p, "Add").wants(409, "This offer is no longer open.")
	})
}

// TestAgreementInTwoTabs: who signs up in one tab and signs in in another is the same
// person.
func TestAgreementInTwoTabs(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.browser(northwind)
		p := b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1))).wants(200, "Customer Portal User Agreement")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "Customer Portal User Agreement")
		b.press(p, "I Accept").wants(200, "You owe")
	})
}

// TestAgreementOfSomebodyElse: a page that was left open accepts and declines nothing
// for whoever uses the browser now, signing up or signed in.
func TestAgreementOfSomebodyElse(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.browser(northwind)
		agreement := func(customerID, email string) *page {
			p := b.press(b.press(b.open(r.invited(customerID, email)), "Sign Up", "email", email, "password", secret), "Continue")
			return b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", email, 1))).wants(200, "Customer Portal User Agreement")
		}
		elenas := agreement("c1", elena)
		agreement("c3", treasurer)
		for _, button := range []string{"I Accept", "I do not accept"} {
			b.press(elenas, button).wants(409, "Somebody else signed in or up in this browser")
		}
		b.press(b.press(elenas, "I Accept"), "I Accept").wants(200, "Harbor only")
		if got := r.status("c1"); got != "Awaiting agreement" {
			t.Errorf("status %s", got)
		}
		member := r.browser(northwind)
		p := member.press(member.open("/sign-in"), "Sign in", "email", elena, "password", secret)
		member.press(p, "I Accept").wants(200, "You owe")

		r.published("# Terms\n\nNew terms.")
		harbors := b.open("/").wants(200, "What is new in version 2")
		b.press(b.open("/sign-in"), "I do not accept")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "What is new in version 2")
		b.press(harbors, "I Accept").wants(409, "Somebody else signed in or up in this browser").lacks("Harbor only")
		b.open("/").wants(200, "What is new in version 2")
	})
}
