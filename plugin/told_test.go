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

// changed tells the portal of customer c, in a newer version.
func (r *rig) changed(c sdk.Customer) {
	r.tb.Helper()
	c.Version++
	event := sdk.Event{ID: c.ID + "-" + c.Email, Kind: sdk.CustomerUpdated, At: time.Now(), Customer: c}
	if err := r.Handle(r.tb.Context(), northwind, event); err != nil {
		r.tb.Fatal(err)
	}
}

// TestOnlyOpenInvoicesArePromised: the portal lists no others.
func TestOnlyOpenInvoicesArePromised(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	r.mail("invitation", elena, 1)
	b := r.browser(northwind)
	for _, body := range []string{r.mail("invitation", elena, 1).Text, b.open(link).body, b.open("/sign-in").body} {
		if !strings.Contains(body, "view your open invoices") || strings.Contains(body, "every invoice") {
			t.Errorf("%s", body)
		}
	}
}

// TestContactOncePerPage: a page names the biller's contact in one sentence.
func TestContactOncePerPage(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	for _, p := range []*page{r.browser(northwind).open("/sign-in").wants(200, "Trouble signing in? Call"), b.open("/invoices/inv1").wants(200, "Questions about this invoice?")} {
		if n := strings.Count(p.body, "mailto:"); n != 1 {
			t.Errorf("%s: %d contacts", p.path, n)
		}
		p.lacks("Questions? ")
	}
}

func TestCodesArePastedInAnyShape(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	if in := p.input("code"); has(in, "pattern") || attr(in, "maxlength") == "7" {
		t.Errorf("the browser refuses codes by itself: %v", in.Attr)
	}
	code := codeOf(t, r.mail("confirmation", elena, 1))
	for range portal.CodeTries + 1 {
		for _, typed := range []string{"12345", "1234567", "abcdef", "१२३४५६"} {
			b.press(p, "Confirm my email", "code", typed).wants(422, "The code has six digits.")
		}
	}
	b.press(p, "Confirm my email", "code", " "+code[:3]+"\u2011"+code[3:]+"\u00a0").wants(200, "Customer Portal User Agreement")
}

func TestConfirmationLinkElsewhereNamesTheWaysOut(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
	link := linkOf(t, r.mail("confirmation", elena, 1))
	p := r.browser(northwind).open(link).wants(200, "Type the six-digit code of the mail in the window where you signed up.", "open your newest invitation and start over", "+1 555 0100")
	if n := strings.Count(p.body, "tel:"); n != 1 {
		t.Errorf("%d contacts", n)
	}
	b.open(link).wants(200).lacks("newest invitation")
}

func TestOneProfileIsNotCalledOneOfThese(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret).wants(200, "Not your profile?").lacks("Is one of these")
}

func TestAgreementNamesWhatIsRecorded(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
	b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1))).wants(200,
		"we record the version of the agreement, the date and time, your network address and your browser")
}

func TestAddingIsConfirmed(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
		t.Fatal(err)
	}
	b.open("/?added=c2").wants(200).lacks("was added")
	b.press(b.open("/"), "Add").wants(200, "Rivera Rentals LLC was added to your portal.")
	r.clock.advance(3 * time.Minute)
	b.open("/?added=c2").wants(200).lacks("was added")
}

// TestNoticeNeedsASend: an address alone does not make the page say that
// something was sent.
func TestNoticeNeedsASend(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	tab := r.staff(wire.Slot, portal.AbilityInvite)
	tab.open("/customer?customer=c1&notice=sent").wants(200).lacks("is on its way")
	r.invited("c1", elena)
	tab.open("/customer?customer=c1&notice=sent").wants(200, "is on its way")
	r.clock.advance(3 * time.Minute)
	tab.open("/customer?customer=c1&notice=sent").wants(200).lacks("is on its way")
}

func TestTabOfAnArchivedCustomer(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	tab := r.staff(wire.Slot, portal.AbilityInvite)
	tab.open("/customer?customer=c1").wants(200, "Never").lacks("Times sent")
	r.invited("c1", elena)
	c := customers()[0]
	c.Archived = true
	r.changed(c)
	tab.open("/customer?customer=c1").wants(200, "Revoked", "The customer was archived.", "Times sent").lacks("Send it again", "Why is it stuck?", "Send Invitation")
}

// TestTabTellsOfChangedAddresses: also when no invitation was open.
func TestTabTellsOfChangedAddresses(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	c := customers()[0]
	c.Email = "new@riverafamily.example"
	r.changed(c)
	tab := r.staff(wire.Slot, portal.AbilityInvite)
	tab.open("/customer?customer=c1").wants(200, elena+" Signs in with this address. Access since", "Not the address in the profile", "Email changed", "From "+elena+" to new@riverafamily.example.")
	c = customers()[1]
	c.Email = " "
	r.changed(c)
	tab.open("/customer?customer=c2").wants(200, "Email changed", "to no address.")
	c = customers()[2]
	c.Email = "Treasurer@HarborView.example"
	r.changed(c)
	tab.open("/customer?customer=c3").wants(200).lacks("Email changed")
}

func TestPortalLinkOpensWhatItShows(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	p := r.staff(wire.Staff, portal.AbilityInvite).open("/").wants(200)
	shown, opened := "", ""
	for n := range p.doc.Descendants() {
		switch {
		case attr(n, "id") == "portal-link":
			shown = textOf(n)
		case n.Data == "a" && textOf(n) == "Open":
			opened = attr(n, "href")
		}
	}
	if shown == "" || shown != opened {
		t.Errorf("shows %q, opens %q", shown, opened)
	}
}

func TestNotFoundOffersTheBillerAsASecondButton(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	p := r.browser(northwind).do(http.MethodGet, "/nowhere?"+url.Values{}.Encode(), nil).wants(404)
	if !strings.Contains(p.body, `<a class="btn plain" href="mailto:billing@northwind.example">Ask Northwind Utilities</a>`) {
		t.Error(p.body)
	}
}

// TestProblemsOfMembersCarrySignOut: a page that is not there, a refusal and a
// conflict have no menu, and Sign out all the same; strangers see none.
func TestProblemsOfMembersCarrySignOut(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	for _, path := range []string{"/nowhere", "/invoices/inv3", "/welcome/garbage", "/not-me/garbage", "/security/agreements/9/proof.pdf"} {
		b.do(http.MethodGet, path, nil).wants(404).find("Sign out")
		stranger := r.browser(northwind)
		stranger.cookies["session"] = "made-up"
		stranger.open(path).lacks("/sign-out")
	}
	b.do(http.MethodPost, "/matches/c3/add", url.Values{}).wants(409).find("Sign out")
	r.published("New terms.")
	b.do(http.MethodGet, "/nowhere", nil).wants(404).find("Sign out")
	b.press(b.do(http.MethodGet, "/nowhere", nil), "Sign out").wants(200, "You are signed out.")
	b.do(http.MethodGet, "/nowhere", nil).wants(404).lacks("/sign-out")
}
