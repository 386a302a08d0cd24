package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// differs changes the address of c1, whose person signs in with elena, and opens
// the tab; the report flags the person until staff decided.
func (r *rig) differs(email string, version int64) (p *page, tab, staff *browser) {
	r.tb.Helper()
	c := customers()[0]
	c.Email, c.Version = email, version
	r.Host.AddCustomer(northwind, c)
	r.changed(c)
	tab, staff = r.office()
	r.flags(staff, true)
	return tab.open(tabOf+"c1").wants(200, "Sign-in differs from profile", "Keep", "Invite new address", "Remove access").lacks("Send Invitation"), tab, staff
}

// flags fails unless the report, and its download, flag that elena is not the
// address of c1, or flag nothing.
func (r *rig) flags(staff *browser, want bool) {
	r.tb.Helper()
	p := staff.open("/registrations").wants(200, "Rivera Family")
	rows := staff.open("/registrations/download").table()
	i := slices.IndexFunc(rows, func(row []string) bool { return row[0] == "Rivera Family" })
	if got := strings.Contains(p.text(), "Sign-in differs from profile: "+elena); got != want || (rows[i][9] == elena) != want {
		r.tb.Errorf("the report flags %v, the download %q, want %v", got, rows[i][9], want)
	}
}

func TestCase15Keep(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		_, staff := r.office()
		r.flags(staff, false)
		p, tab, staff := r.differs("books@riverafamily.example", 1)
		b.open("/").wants(200, "You owe")
		staff.press(p, "Keep").landed(tab, "c1").wants(200, "The sign-in stays as it is.").lacks("Sign-in differs from profile")
		r.flags(staff, false)
		staff.press(p, "Keep").landed(tab, "c1") // from another tab: nothing happens again
		b.open("/").wants(200, "You owe")
		fresh := r.browser(northwind)
		fresh.press(fresh.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
		r.differs("third@riverafamily.example", 2) // another address is decided anew
	})
}

func TestCase15RemoveAccess(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		p, tab, staff := r.differs("books@riverafamily.example", 1)
		p = staff.open(linkTo(t, p, "Remove access", staff)).wants(200, "Remove access to Rivera Family?")
		b.open("/").wants(200, "You owe") // a page alone decides nothing
		staff.press(p, "Remove access").landed(tab, "c1").wants(200, "The access was removed.", "Nobody yet")
		r.flags(staff, false)
		b.open("/").wants(403, "The portal is not available", "Contact Northwind Utilities")
		b.do(http.MethodGet, "/invoices/inv1", nil).wants(404)
		m := r.mail("security", elena, 1)
		if !strings.Contains(m.Text, "has removed your access") || strings.Contains(m.Text, "/not-me/") {
			t.Errorf("mail: %s", m.Text)
		}
	})
}

func TestCase15InviteNewAddress(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const fresh = "books@riverafamily.example"
		b := r.registered("c1", elena)
		r.clock.advance(2 * time.Minute)
		p, tab, staff := r.differs(fresh, 1)
		p = staff.open(linkTo(t, p, "Invite new address", staff)).wants(200, "Invite "+fresh+" instead of "+elena+"?")
		b.open("/").wants(200, "You owe")
		staff.press(p, "Invite new address").landed(tab, "c1").wants(200, "The invitation to "+fresh+" is on its way.", "Nobody yet")
		r.flags(staff, false)
		b.do(http.MethodGet, "/", nil).wants(303)
		b = r.browser(northwind)
		p = b.press(b.open(linkOf(t, r.mail("invitation", fresh, 1))), "Sign Up", "email", fresh, "password", second)
		p = b.press(p, "Continue")
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", fresh, 1)))
		b.press(p, "I Accept").wants(200, "You owe")
		r.flags(staff, false)
		tab.open(tabOf+"c1").wants(200, fresh, "Registered").lacks("Sign-in differs from profile")
	})
}

// TestCase18DisabledInTheList: of two customers with one address, whose people are
// all disabled on one, only the other is in the list of a sign-up, and among offers.
func TestCase18DisabledInTheList(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.asks(r.invited("c1", elena))
		tab, staff := r.office()
		staff.press(tab.open(tabOf+"c1"), "Approve", "right", "payer").landed(tab, "c1")
		jos := r.browser(northwind)
		p := jos.press(jos.open(linkOf(t, r.mail("access", jo, 1))), "Sign Up", "email", jo, "password", secret)
		p = jos.press(jos.press(p, "Continue"), "Confirm my email", "code", codeOf(t, r.mail("confirmation", jo, 1)))
		jos.press(p, "I Accept").wants(200, "June weekly service")
		staff.do(http.MethodPost, "/customers/c1/revoke", url.Values{})

		b := r.browser(northwind)
		p = b.begun(elena)
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", elena, 1)))
		p.wants(200, "Rivera Family", "Rivera Rentals LLC")

		manage := staff.open(linkTo(t, tab.open(tabOf+"c1"), "Manage", staff))
		staff.press(staff.open(linkTo(t, manage, "Disable", staff)), "Disable").wants(200, "This sign-in is disabled.")
		if got := r.status("c1"); got != "Disabled" {
			t.Fatalf("status %s", got)
		}
		b.press(p, "Sign Up", "password", secret, "profile", "c1").wants(422).lacks("Family", "isabled")
		p = b.open("/sign-up/choose").wants(200, "Rivera Rentals").lacks("Family", "NW-1042", "isabled")
		p = b.press(p, "Sign Up", "password", secret, "profile", "c2").wants(200, "Customer Portal User Agreement")
		b.press(p, "I Accept").wants(200, "Rentals only").lacks("Family", "another customer profile")
		b.do(http.MethodPost, "/matches/c1/add", url.Values{}).wants(409, "This offer is no longer open.")
	})
}
