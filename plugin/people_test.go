package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const jo = "jo@acme.example"

// office is staff who may do everything, on our pages and on the customer's tab.
func (r *rig) office() (tab, staff *browser) {
	r.tb.Helper()
	all := []string{portal.AbilityInvite, portal.AbilityConfigure, portal.AbilityReport}
	return r.staff(wire.Slot, all...), r.staff(wire.Staff, all...)
}

const tabOf = "/customer?customer="

// landed opens the customer's tab where a redirect of staff leads.
func (p *page) landed(tab *browser, customerID string) *page {
	p.tb.Helper()
	p.wants(303)
	u, err := url.Parse(p.location)
	if err != nil || u.Path != "/admin/customers/"+customerID {
		p.tb.Fatalf("leads to %q", p.location)
	}
	return tab.open(tabOf + customerID + "&" + u.RawQuery)
}

// asks has jo ask for access with elena's link, and returns the page.
func (r *rig) asks(link string) *page {
	r.tb.Helper()
	b := r.browser(northwind)
	p := b.press(b.open(link), "Sign Up", "email", jo, "password", secret).wants(422, "This invitation was sent to")
	for n := range p.doc.Descendants() {
		if n.Data == "a" && strings.HasPrefix(textOf(n), "Ask Northwind Utilities for access") {
			p = b.open(strings.TrimPrefix(attr(n, "href"), b.call.BasePath)).wants(200, "This invitation was sent to", "•••@").lacks(elena, treasurer)
			return b.press(p, "Send the request", "name", "Jo Doe", "email", jo, "message", "I <b>pay</b>")
		}
	}
	r.tb.Fatalf("no way to ask in %s", p.text())
	return nil
}

func TestCase2ForwardedToAColleague(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		r.asks(link).wants(200, "We have asked Northwind Utilities", jo)
		r.asks(link).wants(409, "Somebody has already asked with this link", "Northwind Utilities decides", "yours was not sent").lacks("We have asked", "an invitation goes to", "Jo Doe", jo)
		tab, staff := r.office()
		staff.open("/").wants(200, "1 request for access")
		staff.open("/requests").wants(200, "Jo Doe", jo, "I <b>pay</b>", "Rivera Family").lacks("<b>pay")
		p := tab.open(tabOf+"c1").wants(200, "Requests for access", "Jo Doe", "Access asked for", "Payer: Sees invoices and may pay. Viewer: Sees invoices, and is not offered to pay.")
		p = staff.press(p, "Approve", "right", "viewer").landed(tab, "c1").wants(200, "The invitation to the person who asked is on its way.", "Invited on request").lacks("Jo Doe")
		if n := strings.Count(p.text(), "Send Invitation"); n != 1 {
			t.Errorf("%d buttons to send an invitation", n)
		}
		m := r.mail("access", jo, 1)
		if m.CustomerID != "c1" || m.Permit == "" {
			t.Errorf("mail = %+v", m)
		}
		if m.Subject != "Your request to Northwind Utilities" || !strings.Contains(m.Text, "Hello Jo Doe,") ||
			!strings.Contains(m.Text, "You asked Northwind Utilities for access") || strings.Contains(m.Text, "Rivera") {
			t.Errorf("%s\n%s", m.Subject, m.Text)
		}
		b := r.browser(northwind)
		p = b.press(b.open(linkOf(t, m)), "Sign Up", "email", jo, "password", secret)
		p = b.press(p, "Continue")
		if m := r.mail("confirmation", jo, 1); m.CustomerID != "" {
			t.Errorf("the platform would refuse a confirmation about %s to another address", m.CustomerID)
		}
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", jo, 1)))
		b.press(p, "I Accept").wants(200, "You owe", "To pay, ask Northwind Utilities")

		b = r.browser(northwind) // the customer's own invitation still works
		p = b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
		p = b.press(p, "Continue")
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
		b.press(p, "I Accept").wants(200, "You owe").lacks("To pay, ask")
		tab.open(tabOf+"c1").wants(200, elena, jo, "Viewer").lacks("Sign-in differs from profile")
	})
}

func TestCase2Declined(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.asks(r.invited("c1", elena))
	tab, staff := r.office()
	p := tab.open(tabOf + "c1")
	staff.press(p, "Decline").landed(tab, "c1").wants(200, "The request was declined").lacks("Jo Doe")
	m := r.mail("access", jo, 1)
	if strings.Contains(m.Text, "Rivera") || !strings.Contains(m.Text, "has decided not to give it") {
		t.Errorf("mail: %s", m.Text)
	}
	staff.press(p, "Approve", "right", "payer").landed(tab, "c1").wants(200, "This request was decided already")
	r.browser(northwind).do(http.MethodGet, "/welcome/garbage/access", nil).wants(404)
	if n := len(r.Host.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestCase14EmailEditedWhileInvited(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		c := customers()[0]
		c.Email = "new@riverafamily.example"
		r.changed(c)
		r.browser(northwind).open(link).wants(200, "This link is no longer valid").lacks("Email me a new link")
		tab, staff := r.office()
		r.clock.advance(2 * time.Minute)
		p := tab.open(tabOf+"c1").wants(200, "Revoked", "Send a new invitation", "the link to "+elena+" was ended. Do you want to send a new invitation, to new@riverafamily.example?")
		staff.press(p, "Send Invitation").landed(tab, "c1").wants(200, "The invitation to new@riverafamily.example is on its way.")
		r.browser(northwind).open(linkOf(t, r.mail("invitation", "new@riverafamily.example", 1))).wants(200, "Hello, Rivera Family")
	})
}

// linkTo is the path of a link on the staff's pages.
func linkTo(tb testing.TB, p *page, label string, b *browser) string {
	tb.Helper()
	for n := range p.doc.Descendants() {
		if n.Data == "a" && strings.HasPrefix(textOf(n), label) {
			path, ok := strings.CutPrefix(attr(n, "href"), b.call.BasePath)
			if !ok {
				tb.Fatalf("%q leads to %q", label, attr(n, "href"))
			}
			return path
		}
	}
	tb.Fatalf("no link %q in %s", label, p.text())
	return ""
}

func TestCase18DisabledCustomerIsOmitted(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
			t.Fatal(err)
		}
		b.press(b.open("/"), "Add").wants(200, "Rivera Rentals LLC")
		c := customers()[1]
		c.Archived = true
		r.changed(c)
		b.open("/").wants(200, "You owe").lacks("Rivera Rentals")
		b.do(http.MethodGet, "/invoices/inv4", nil).wants(404)
		b.do(http.MethodPost, "/profile", url.Values{"customer": {"c2"}}).wants(404)
		c.Archived, c.Version = false, 2
		r.changed(c)
		b.open("/").wants(200)
		if p := b.open("/"); !strings.Contains(p.body, "Rivera Rentals LLC") {
			t.Error("the customer did not come back")
		}
	})
}

func TestCase19OneEmailSeveralCustomers(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		c := customers()[2]
		c.Email = elena
		r.changed(c)
		for _, id := range []string{"c2", "c3"} {
			if _, err := r.staffInviter().Send(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}
		p := b.open("/").wants(200, "Northwind Utilities added Rivera Rentals LLC to your portal.", "Add all")
		p = b.press(p, "Add all").wants(200, "2 customers were added to your portal. The menu at the top switches between them.", "You owe", "June weekly service").lacks("Add all", "Harbor only")
		p = b.press(b.press(p, "Sign out"), "Sign in", "email", elena, "password", secret).wants(200, "June weekly service") // still the first one
		b.press(p, "Rivera Rentals LLC").wants(200, "Rentals only").lacks("June weekly service")
		b.do(http.MethodPost, "/offers/all", url.Values{}).wants(303) // nothing is left to add
	})
}

func TestCase20ArchivedSuspendedUninstalled(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		c := customers()[0]
		c.Archived = true
		r.changed(c)
		b.open("/").wants(403, "The portal is not available", "+1 555 0100").lacks("You owe")
		b.do(http.MethodGet, "/invoices/inv1", nil).wants(404)
		c.Archived, c.Version = false, 2
		r.changed(c)
		b.open("/").wants(200, "You owe")
		if err := r.Disable(t.Context(), northwind); err != nil {
			t.Fatal(err)
		}
		if p := b.do(http.MethodGet, "/", nil); p.status == http.StatusOK {
			t.Error("a page opened while the biller is suspended")
		}
		r.Enable(northwind)
		fresh := r.browser(northwind)
		fresh.press(fresh.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	})
}

func TestCase25LostMailbox(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		const fresh = "elena.rivera@new.example"
		c := customers()[0]
		c.Email = fresh
		r.Host.AddCustomer(northwind, c)
		r.changed(c)
		r.clock.advance(2 * time.Minute)
		tab, staff := r.office()
		p := tab.open(tabOf + "c1")
		p = staff.open(linkTo(t, p, "Invite new address", staff)).wants(200, "Invite "+fresh+" instead of "+elena+"?", "password and all sessions")
		staff.press(p, "Invite new address").landed(tab, "c1").wants(200, "The invitation to "+fresh+" is on its way.", "Nobody yet")
		if p := b.do(http.MethodGet, "/", nil); p.location != b.call.BasePath+"/sign-in" {
			t.Errorf("the old session opens %d %q", p.status, p.location)
		}
		old := r.browser(northwind)
		old.press(old.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(401, "Email or password is wrong.")
		if m := r.mail("security", elena, 1); !strings.Contains(m.Text, "has invited another address instead of yours") {
			t.Errorf("mail: %s", m.Text)
		}
		b = r.browser(northwind)
		p = b.press(b.open(linkOf(t, r.mail("invitation", fresh, 1))), "Sign Up", "email", fresh, "password", second)
		p = b.press(p, "Continue")
		p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", fresh, 1)))
		b.press(p, "I Accept").wants(200, "You owe")
	})
}

func TestStaffManageAPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		tab, staff := r.office()
		path := linkTo(t, tab.open(tabOf+"c1"), "Manage", staff)
		p := staff.open(path).wants(200, elena, "Payer", "Sign out everywhere", "Send password reset", "Disable", "Remove access", "Erase")
		b.open("/").lacks("To pay, ask")
		p = staff.press(p, "Save", "right", "viewer").wants(200, "The right was changed.")
		b.open("/").wants(200, "To pay, ask Northwind Utilities")
		p = staff.press(p, "Send password reset").wants(200, "A link to choose a new password is on its way.")
		r.mail("security", elena, 1)
		for range portal.ResetRequests().Limit - 1 {
			p = staff.press(p, "Send password reset").wants(200, "A link to choose a new password is on its way.")
		}
		staff.press(p, "Send password reset").landed(tab, "c1").wants(200, "Not sent: three links to a new password")
		p = staff.press(p, "Sign out everywhere").wants(200, "The person was signed out everywhere.")
		b.do(http.MethodGet, "/", nil).wants(303)
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")

		ask := staff.open(linkTo(t, p, "Disable", staff)).wants(200, "Disable the sign-in of "+elena+"?")
		p = staff.press(ask, "Disable").wants(200, "This sign-in is disabled.", "The sign-in is disabled.").lacks("Send password reset")
		staff.press(ask, "Disable").wants(200, "This sign-in is disabled.") // the second tab
		b.do(http.MethodGet, "/", nil).wants(303)
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(401, "Email or password is wrong.")
		tab.open(tabOf+"c1").wants(200, "Disabled").lacks("Send Invitation")
		staff.press(p, "Enable").wants(200, "The sign-in is enabled.")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	})
}

func TestStaffWithoutConfigureEraseNobody(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	staff := r.staff(wire.Staff, portal.AbilityInvite)
	path := linkTo(t, r.staff(wire.Slot, portal.AbilityInvite).open(tabOf+"c1"), "Manage", staff)
	staff.open(path).wants(200).lacks("Erase")
	staff.do(http.MethodGet, path+"/erase", nil).wants(404)
	staff.do(http.MethodPost, path+"/erase", url.Values{}).wants(403)
	staff.do(http.MethodPost, path+"/nonsense", url.Values{}).wants(404)
	staff.do(http.MethodGet, path+"/enable", nil).wants(404)
	r.staff(wire.Staff, portal.AbilityReport).do(http.MethodPost, path+"/disable", url.Values{}).wants(403)
	if got := r.status("c1"); got != "Registered" {
		t.Errorf("status %s", got)
	}
}

func TestErasureOverPages(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		b.open("/security").wants(200, "Erase my sign-in")
		p := b.open("/security/erase").wants(200, "It cannot be undone")
		p = b.press(p, "Erase my sign-in for good", "current", "wrong wrong wrong").wants(422, "That is not your current password.")
		b.press(p, "Erase my sign-in for good", "current", secret).wants(200, "Your sign-in is erased")
		if b.cookies["session"] != "" || b.cookies["device"] != "" {
			t.Errorf("cookies = %v", b.cookies)
		}
		r.mail("security", elena, 1)
		tab, _ := r.office()
		tab.open(tabOf+"c1").wants(200, "Sign-in erased", "Nobody yet", "an erased person", "Nobody has access to this customer any more").lacks("has changed", "taken back")

		r.clock.advance(2 * time.Minute)
		if _, err := r.staffInviter().Send(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		b = r.browser(northwind)
		p = b.press(b.open(linkOf(t, r.mail("invitation", elena, 2))), "Sign Up", "email", elena, "password", second)
		b.press(p, "Continue").wants(200, "Check your mail")
	})
}
