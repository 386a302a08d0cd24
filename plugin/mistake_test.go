package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestMistakeLinksThatOpenThePortal: every link ends, and until then leads to one
// step, never to somebody's invoices.
func TestMistakeLinksThatOpenThePortal(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c3", treasurer)
	b := r.browser(northwind)
	invitation := r.invited("c1", elena)
	b.press(b.press(b.open(invitation), "Sign Up", "email", elena, "password", secret), "Continue")
	b.press(b.open("/forgot"), "Send me a link", "email", treasurer)
	reset := r.mail("security", treasurer, 1)
	links := []string{invitation, linkOf(t, r.mail("confirmation", elena, 1)), linkOf(t, reset), linkOf(t, r.mail("invitation", treasurer, 1)), linkOf(t, r.mail("confirmation", treasurer, 1))}
	for _, link := range links {
		other := r.browser(northwind)
		other.open(link).wants(200).lacks("Harbor only", "June weekly service")
		other.open("/").wants(200, "Sign in").lacks("You owe")
	}
	r.clock.advance(91 * 24 * time.Hour)
	for _, link := range links {
		p := r.browser(northwind).open(link).wants(200)
		if text := p.text(); !strings.Contains(text, "expired") && !strings.Contains(text, "no longer valid") && !strings.Contains(text, "already registered") {
			t.Errorf("%s still does something: %s", link, text)
		}
	}
}

func TestMistakePasswordThroughAnInvitation(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
		t.Fatal(err)
	}
	r.mail("add", elena, 1)
	link, err := r.staffInviter().Link(t.Context(), "c2")
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, r.PublicCall(northwind).PortalURL)
	b := r.browser(northwind)
	b.do(http.MethodPost, path, url.Values{"email": {elena}, "password": {newSecret}}).wants(200, "You already have a sign-in")
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(401)
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
}

// TestMistakeResetTokens: once, and at one biller; the store's tests look for
// secrets in the tables.
func TestMistakeResetTokens(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	b := r.browser(northwind)
	b.press(b.open("/forgot"), "Send me a link", "email", elena)
	link := linkOf(t, r.mail("security", elena, 1))
	foreign := r.browser(contoso)
	foreign.open(link).wants(404)
	foreign.do(http.MethodPost, link, url.Values{"password": {newSecret}}).wants(404)
	p := b.open(link)
	b.press(p, "Save new password", "password", newSecret).wants(200, "Your new password is saved")
	b.press(p, "Save new password", "password", "someone else's meadow").wants(200, "This link is no longer valid")
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(200, "You owe")
}

func TestMistakeEmailNotFound(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	said := func(email string) string {
		b := r.browser(northwind)
		p := b.press(b.open("/forgot"), "Send me a link", "email", email).wants(200)
		return strings.ReplaceAll(p.body, email, "(email)")
	}
	if known, unknown := said(elena), said("nobody@acme.example"); known != unknown {
		t.Errorf("somebody:\n%s\nnobody:\n%s", known, unknown)
	}
}

func TestMistakeOpenRedirect(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	for _, next := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "javascript:alert(1)", "/portal/contoso/", "%2F%2Fevil.example", "/portal/northwind/../../x"} {
		b := r.browser(northwind)
		p := b.do(http.MethodPost, "/sign-in?next="+url.QueryEscape(next), url.Values{"email": {elena}, "password": {secret}, "next": {next}}).wants(303)
		if to, err := url.Parse(p.location); err != nil || to.Host != "" || to.Scheme != "" || !strings.HasPrefix(to.Path, b.call.BasePath+"/") || strings.Contains(p.location, "..") {
			t.Errorf("next=%s leads to %q", next, p.location)
		}
	}
}

// TestMistakeJoiningProfiles: two customers share an address; access to one is none
// to the other until the person takes it.
func TestMistakeJoiningProfiles(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	b.open("/").wants(200, "June weekly service", "has another customer profile with your address: Rivera Rentals LLC").lacks("Rentals only")
	b.do(http.MethodGet, "/invoices/inv4", nil).wants(404)
	b.do(http.MethodPost, "/profile", url.Values{"customer": {"c2"}}).wants(404)
	if got := r.status("c2"); got != "Not invited" {
		t.Errorf("status %s", got)
	}
}

// TestMistakeBooksWriteTheSignIn: no form and no record of the biller's changes the
// address somebody signs in with.
func TestMistakeBooksWriteTheSignIn(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	c := customers()[0]
	c.Email, c.Version = "thief@acme.example", 9
	if err := r.Handle(t.Context(), northwind, sdk.Event{ID: "e1", Kind: sdk.CustomerUpdated, At: time.Now(), Customer: c}); err != nil {
		t.Fatal(err)
	}
	b.open("/security").wants(200, elena)
	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", "thief@acme.example", "password", secret).wants(401)
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
}

// TestMistakeGetWithSideEffects opens every address that a POST answers, and every
// link of the mails, as a mail scanner does.
func TestMistakeGetWithSideEffects(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c3", treasurer)
	welcome := r.invited("c1", elena)
	b2 := r.browser(northwind)
	p := b2.press(b2.press(b2.open(welcome), "Sign Up", "email", elena, "password", secret), "Continue")
	confirmation := r.mail("confirmation", elena, 1)
	b.press(b.open("/forgot"), "Send me a link", "email", treasurer)
	reset := r.mail("security", treasurer, 1)
	mails := len(r.Host.Mails())
	for _, path := range []string{
		welcome, welcome + "/new-link", welcome + "/switch", linkOf(t, confirmation), linkOf(t, confirmation) + "/new-link",
		after(t, confirmation.Text, northwind, "I didn't do this: "), after(t, reset.Text, northwind, "This wasn't me: "), linkOf(t, reset),
		"/sign-out", "/sign-up", "/sign-up/resend", "/sign-up/code/resend", "/sign-up/decline", "/profile?customer=c1", "/offers/all",
		"/security/sessions/end", "/security/others", "/forgot?email=" + elena, "/sign-in?email=" + elena + "&password=" + url.QueryEscape(secret),
	} {
		b.do(http.MethodGet, path, nil)
		r.browser(northwind).do(http.MethodGet, path, nil)
	}
	staff := r.staff(wire.Staff, portal.AbilityInvite)
	for _, what := range []string{"invite", "link", "revoke"} {
		staff.do(http.MethodGet, "/customers/c1/"+what, nil).wants(404)
	}
	b.open("/").wants(200, "Harbor only")
	if n := len(r.Host.Mails()); n != mails {
		t.Errorf("%d mails were sent", n-mails)
	}
	if got := r.status("c1"); got != "Awaiting confirmation" {
		t.Errorf("status %s", got)
	}
	b2.press(p, "Confirm my email", "code", codeOf(t, confirmation)).wants(200, "Customer Portal User Agreement")
	r.browser(northwind).open(linkOf(t, reset)).wants(200, "Choose a new password")
}

func TestMistakeExpiredVanish(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.invited("c1", elena)
	r.clock.advance(400 * 24 * time.Hour)
	r.staff(wire.Staff, portal.AbilityReport).open("/registrations?status=Expired").wants(200, "Rivera Family", "Expired")
	r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, "Expired", "Send Invitation")
}

// TestMistakeReminderKillsTheLink: what is sent or made without a new generation, a
// link for staff to pass on, leaves the link in the mail alone.
func TestMistakeReminderKillsTheLink(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	mailed := r.invited("c1", elena)
	again, err := r.staffInviter().Link(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range []string{mailed, strings.TrimPrefix(again, r.PublicCall(northwind).PortalURL)} {
		r.browser(northwind).open(link).wants(200, "Hello, Rivera Family")
	}
}
