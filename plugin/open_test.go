package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const treasurer = "treasurer@harborview.example"

// begun types an address at the portal link.
func (b *browser) begun(email string) *page {
	b.tb.Helper()
	p := b.open("/sign-in").wants(200, "New here?", "Sign up")
	if !strings.Contains(p.body, `href="`+b.call.BasePath+`/sign-up"`) {
		b.tb.Fatal("the page to sign in leads nowhere")
	}
	p = b.open("/sign-up").wants(200, "Sign up", "First we make sure that your email address is yours")
	return b.press(p, "Continue", "email", email)
}

// TestSignUpFromThePortalLink goes all the way, for one customer.
func TestSignUpFromThePortalLink(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.browser(northwind)
		b.press(b.open("/sign-up"), "Continue", "email", "").wants(422, "Type your email address")
		if p := b.press(b.open("/sign-up"), "Continue", "email", "no address").wants(422); attr(p.input("email"), "aria-invalid") != "true" {
			t.Error("the field does not say what is wrong with it")
		}
		p := b.begun(treasurer).wants(200, "Check your mail", "If "+treasurer+" is the address").lacks("Harbor")
		m := r.mail("security", treasurer, 1)
		if strings.Contains(m.Text, "Harbor") || !strings.Contains(m.Text, "I didn't do this: ") {
			t.Errorf("mail:\n%s", m.Text)
		}
		b.open("/sign-up/choose").wants(200, "Check your mail")
		p = b.press(p, "Confirm my email", "code", codeOf(t, m)).wants(200, "Create your sign-in", `<b>Harbor</b> & "View"`, treasurer)
		if got := r.status("c3"); got != "Not invited" {
			t.Errorf("the proof alone does something: %s", got)
		}
		b.press(p, "Sign Up", "password", "short").wants(422, "Use at least 12 characters")
		b.press(p, "Show", "password", secret).wants(200, "Very strong")
		p = b.press(p, "Sign Up", "password", secret).wants(200, "Customer Portal User Agreement")
		if got := r.status("c3"); got != "Awaiting agreement" {
			t.Errorf("status %s", got)
		}
		b.open("/").wants(200, "Sign in").lacks("Harbor only")
		b.press(p, "I Accept").wants(200, "You owe", "Harbor only")
		if got := r.status("c3"); got != "Registered" {
			t.Errorf("status %s", got)
		}
		r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c3").wants(200,
			"Signed up by themselves", "through the portal link", treasurer, "Never").lacks("Get a link to copy")
		b.open(linkOf(t, m)).wants(200, "You're already registered")
		b.open("/sign-up").wants(200, "You owe")
		r.browser(contoso).open(linkOf(t, m)).wants(404)
		r.eventually("the audit log knows", func() bool {
			for _, a := range r.Host.Audits() {
				if a.Action == "signup.self" && a.Biller == northwind {
					return true
				}
			}
			return false
		})
	})
}

// neutral begins with the address and returns the page without what differs by
// itself.
func (r *rig) neutral(email string) string {
	r.tb.Helper()
	b := r.browser(northwind)
	p := b.begun(email).wants(200, "Check your mail")
	return strings.ReplaceAll(strings.ReplaceAll(p.body, email, "(email)"), attr(p.input("proof"), "value"), "(id)")
}

func TestCase9SignUpWithARegisteredEmail(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		fresh, known := r.neutral(treasurer), r.neutral(elena)
		if fresh != known {
			t.Errorf("a registered address has another page:\n%s\n\n%s", fresh, known)
		}
		m := r.mail("security", elena, 1)
		if m.Subject != "You already have an account" || !strings.HasSuffix(linkOf(t, m), "/sign-in") || strings.Contains(m.Text, "/prove/") {
			t.Errorf("mail %q:\n%s", m.Subject, m.Text)
		}
		r.mail("security", treasurer, 1)
	})
}

func TestCase10SignUpWithAnUnknownEmail(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const nobody = "nobody@acme.example"
		if fresh, unknown := r.neutral(treasurer), r.neutral(nobody); fresh != unknown {
			t.Errorf("an unknown address has another page:\n%s\n\n%s", fresh, unknown)
		}
		r.mail("security", treasurer, 1)
		b := r.browser(northwind)
		p := b.begun(nobody)
		for range 5 {
			p = b.press(p, "Confirm my email", "code", "123456")
		}
		wantMain(t, p.wants(409, "That code no longer works"), "Resend")
		r.mailed()
		r.set(northwind, portal.SettingAnswerUnknown, true)
		r.browser(northwind).begun(nobody)
		m := r.mail("security", nobody, 1)
		if m.Subject != "Your sign-up" || strings.Contains(m.Text, "/prove/") {
			t.Errorf("mail %q:\n%s", m.Subject, m.Text)
		}
		if n := len(r.Host.Mails()); n != 2 {
			t.Errorf("%d mails, want the code and the answer after the setting changed", n)
		}
	})
}

// TestSettingOpenSignUp closes the way in, for this biller only.
func TestSettingOpenSignUp(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.begun(treasurer)
	code := codeOf(t, r.mail("security", treasurer, 1))
	r.set(northwind, portal.SettingOpenSignUp, false)
	b.open("/sign-in").wants(200).lacks("New here?")
	b.open("/sign-up").wants(403, "Signing up needs an invitation", "+1 555 0100", "Sign in")
	b.press(p, "Confirm my email", "code", code).wants(403, "Signing up needs an invitation")
	b.do(http.MethodPost, "/sign-up", url.Values{"email": {treasurer}}).wants(403)
	r.browser(contoso).open("/sign-in").wants(200, "New here?")
	r.set(northwind, portal.SettingOpenSignUp, true)
	b.press(p, "Confirm my email", "code", code).wants(200, "Create your sign-in")
}

// TestCase19FromThePortalLink: nothing is preselected, one or all can be
// chosen, and the switcher leads from one to the other.
func TestCase19FromThePortalLink(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.begun(elena)
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", elena, 1)))
	p.wants(200, "Who are you signing up for?", "Rivera Family", "NW-1042", "Rivera Rentals LLC").lacks("checked", "Harbor")
	p = b.press(p, "Sign Up", "password", secret).wants(422, "Choose the profile to sign up for")
	b.press(p, "Sign Up", "password", secret, "profile", "c3").wants(422, "Choose the profile to sign up for")
	p = b.press(p, "Sign Up", "password", secret, "profile", "all").wants(200, "Customer Portal User Agreement")
	p = b.press(p, "I Accept").wants(200, "June weekly service")
	b.press(p, "Rivera Rentals LLC").wants(200, "Rentals only")
	if a, c := r.status("c1"), r.status("c2"); a != "Registered" || c != "Registered" {
		t.Errorf("status %s and %s", a, c)
	}
}

// TestCase19WithAnInvitation: before the confirmation only the invited customer is
// there, and the other one of the address stays out.
func TestCase19WithAnInvitation(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret).wants(200, "Rivera Family").lacks("Rentals")
}

// TestSignUpLinkInAnotherBrowser: whoever holds the mail goes on, whoever typed the
// address does not.
func TestSignUpLinkInAnotherBrowser(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	stranger, owner := r.browser(northwind), r.browser(northwind)
	stranger.begun(treasurer)
	link := linkOf(t, r.mail("security", treasurer, 1))
	for range 2 { // a mail scanner too
		r.browser(northwind).open(link).wants(200, "Confirm my email")
	}
	stranger.open("/sign-up").wants(200, "Check your mail")
	p := owner.open(link).wants(200, "the sign-up goes on in this browser")
	p = owner.press(p, "Confirm my email").wants(200, "Create your sign-in")
	stranger.open("/sign-up/choose").wants(409, "This sign-up has ended", "Start again")
	stranger.open(link).wants(200, "This link is no longer valid", "Start again")
	owner.open(link).wants(200, "Create your sign-in")
	owner.open("/sign-up").wants(200, "Create your sign-in")
	owner.press(p, "Sign Up", "password", secret).wants(200, "Customer Portal User Agreement")
}

// TestSignUpLinkInTheSameBrowser asks for one press.
func TestSignUpLinkInTheSameBrowser(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.begun(treasurer)
	link := linkOf(t, r.mail("security", treasurer, 1))
	b.press(b.open(link).wants(200, "One press confirms"), "Confirm my email").wants(200, "Create your sign-in")
	late := r.browser(northwind)
	late.begun(treasurer)
	link = linkOf(t, r.mail("security", treasurer, 2))
	r.clock.advance(25 * time.Hour)
	late.open(link).wants(200, "This link has expired", "Start again")
	late.open("/sign-up/code").wants(409, "This sign-up has ended")
	b.open("/sign-up/choose").wants(409, "This sign-up has ended")
}

// TestSignUpTooLate: the address got a sign-in, or lost its customer, in between.
func TestSignUpTooLate(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.begun(elena), "Confirm my email", "code", codeOf(t, r.mail("security", elena, 1)))
	other := r.browser(northwind)
	other.press(other.begun(treasurer), "Confirm my email", "code", codeOf(t, r.mail("security", treasurer, 1))).wants(200)
	r.registered("c1", elena)
	b.press(p, "Sign Up", "password", secret, "profile", "c2").wants(409, "You already have a sign-in", "Sign in")
	gone := customers()[2]
	gone.Email, gone.Version = "new@harborview.example", 2
	if err := r.Handle(t.Context(), northwind, sdk.Event{ID: "e1", Kind: sdk.CustomerUpdated, At: time.Now(), Customer: gone}); err != nil {
		t.Fatal(err)
	}
	other.open("/sign-up/choose").wants(409, "Nothing to sign up for", "+1 555 0100")
	if got := r.status("c2"); got != "Not invited" {
		t.Errorf("status %s", got)
	}
}

// TestSignUpResend: once a minute, five times an hour, and what was drawn before
// another beginning is told so.
func TestSignUpResend(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.begun(treasurer)
	b.press(p, "Resend").wants(429, "You can ask for another in")
	for n := range 4 {
		r.mail("security", treasurer, n+1) // one that is late is left out
		r.clock.advance(61 * time.Second)
		b.press(p, "Resend").wants(200, "a new code is on its way")
	}
	r.clock.advance(61 * time.Second)
	b.press(p, "Resend").wants(429, "5 emails in the last hour")
	b.press(b.open("/sign-up?again=1"), "Continue", "email", treasurer).wants(429, "5 emails in the last hour")
	b.press(b.open("/sign-up?again=1"), "Continue", "email", elena).wants(200, "Check your mail")
	b.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", treasurer, 5))).wants(409, "Sign-up was started again")
}

// TestCase19MatchAfterConfirmation: what was not in the invitation is offered once
// the address is confirmed, and only **Add** gives it.
func TestCase19MatchAfterConfirmation(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const text = "Northwind Utilities has another customer profile with your address: Rivera Rentals LLC"
		b := r.registered("c1", elena)
		p := b.open("/").wants(200, "You owe", text, "NW-1107", "Add", "Dismiss").lacks("Rentals only", "Add all")
		stranger := r.browser(contoso)
		stranger.do(http.MethodPost, "/matches/c2/add", url.Values{}).wants(303)
		b.do(http.MethodPost, "/matches/c3/add", url.Values{}).wants(409, "This offer is no longer open.")
		b.do(http.MethodPost, "/matches/x1/add", url.Values{}).wants(409)
		if got := r.status("c2"); got != "Not invited" {
			t.Errorf("status %s", got)
		}
		offered := p
		p = b.press(p, "Add").wants(200, "Rivera Rentals LLC was added to your portal.").lacks("another customer profile")
		b.press(p, "Rivera Rentals LLC").wants(200, "Rentals only")
		b.press(offered, "Add").wants(200, "Rivera Rentals LLC was added to your portal.") // pressed twice
		b.press(offered, "Dismiss").wants(200, "Rentals only")
		if got := r.status("c2"); got != "Registered" {
			t.Errorf("status %s", got)
		}
		r.eventually("the audit log knows", func() bool {
			for _, a := range r.Host.Audits() {
				if a.Action == "access.added" && a.Biller == northwind && a.CustomerID == "c2" {
					return true
				}
			}
			return false
		})
		r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c2").wants(200, "Registered", elena)
	})
}

// TestMatchDismissed: offered once; **Add all** takes what the page listed, no more.
func TestMatchDismissed(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	p := b.open("/")
	b.press(p, "Dismiss").wants(200, "You owe").lacks("another customer profile")
	b.press(p, "Dismiss").wants(200, "You owe") // in a second tab
	if got := r.status("c2"); got != "Not invited" {
		t.Errorf("status %s", got)
	}
	harbor := customers()[2]
	harbor.Email = elena
	r.changed(harbor)
	b.open("/").wants(200, "another customer profile").lacks("Add all")
	late := customers()[3]
	late.Email = elena
	r.changed(late)
	page := b.open("/").wants(200, "Add all", "No Mail")
	more := sdk.Customer{ID: "c9", Name: "Nine", DisplayName: "Nine", Email: elena, Version: 1}
	if err := r.Handle(t.Context(), northwind, sdk.Event{ID: "c9", Kind: sdk.CustomerCreated, At: time.Now(), Customer: more}); err != nil {
		t.Fatal(err)
	}
	b.press(page, "Add all").wants(200, "2 customers were added to your portal.", "has another customer profile with your address: Nine")
	r.set(northwind, portal.SettingOpenSignUp, false)
	b.open("/").wants(200).lacks("another customer profile")
	b.do(http.MethodPost, "/matches/c9/add", url.Values{}).wants(409)

}

// wantSteps fails unless the page shows these steps of sign-up, the last one now.
func (p *page) wantSteps(want ...string) {
	p.tb.Helper()
	var got []string
	for n := range p.doc.Descendants() {
		if n.Data == "ol" && attr(n, "class") == "steps" {
			for li := range n.ChildNodes() {
				if li.Data == "li" {
					got = append(got, strings.TrimSuffix(textOf(li), " (done)"))
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		p.tb.Errorf("%s: steps (-want +got):\n%s", p.path, diff)
	}
}

// TestStepsAtTheAgreement: those of the way that led there, and none for somebody
// who is asked again.
func TestStepsAtTheAgreement(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	open := r.browser(northwind)
	p := open.press(open.begun(treasurer), "Confirm my email", "code", codeOf(t, r.mail("security", treasurer, 1)))
	p = open.press(p, "Sign Up", "password", secret).wants(200, "Customer Portal User Agreement")
	p.wantSteps("Portal link", "Email", "Confirm your email", "Password and profile", "User Agreement")
	open.press(p, "I Accept").wants(200, "You owe")
	b := r.browser(northwind)
	p = b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue")
	p = b.press(b.open(linkOf(t, r.mail("confirmation", elena, 1))), "Confirm my email").wants(200, "Customer Portal User Agreement")
	p.wantSteps("Invitation", "Email and password", "Customer profile", "Confirm your email", "User Agreement")
	late := r.browser(northwind)
	p = late.press(late.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "I Accept")
	p.wantSteps()
	b.open("/agreement").wantSteps()
	b.press(b.open("/sign-up/agreement"), "I Accept").wants(200, "You owe")
	r.published("New terms.")
	b.open("/").wants(200, "New terms.", "I Accept").wantSteps()
}
