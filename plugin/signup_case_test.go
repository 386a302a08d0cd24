package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// after returns the path below the portal of the address that follows a phrase.
func after(tb testing.TB, m, biller, phrase string) string {
	tb.Helper()
	_, rest, ok := strings.Cut(m, phrase)
	if !ok {
		tb.Fatalf("no %q in\n%s", phrase, m)
	}
	_, path, ok := strings.Cut(strings.Fields(rest)[0], "/portal/"+biller)
	if !ok {
		tb.Fatalf("no link after %q in\n%s", phrase, m)
	}
	return path
}

// TestCase3ForwardedTypesTheInvitedEmail: only the invited mailbox confirms, and its
// owner ends what somebody else began.
func TestCase3ForwardedTypesTheInvitedEmail(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		stranger := r.browser(northwind)
		p := stranger.press(stranger.open(link), "Sign Up", "email", elena, "password", "a stranger's own words")
		p = stranger.press(p, "Continue").wants(200, "Check your mail")
		m := r.mail("confirmation", elena, 1)
		owner := r.browser(northwind)
		owner.open(linkOf(t, m)).wants(200, "type the password you chose") // a link alone confirms nothing
		notMe := after(t, m.Text, northwind, "I didn't do this: ")
		r.browser(contoso).open(notMe).wants(404)
		for range 2 {
			owner.open(notMe).wants(200, "Was this not you?", "A sign-up with an invitation was begun", "From")
		}
		if got := r.status("c1"); got != "Awaiting confirmation" {
			t.Fatalf("a GET changed something: %s", got)
		}
		owner.press(owner.open(notMe), "I didn't do this").wants(200, "The sign-up has ended", "its link still works")
		if got := r.status("c1"); got != "Opened" {
			t.Errorf("status %s", got)
		}
		stranger.press(p, "Confirm my email", "code", codeOf(t, m)).wants(409, "This sign-up has ended")
		stranger.press(stranger.open("/sign-in"), "Sign in", "email", elena, "password", "a stranger's own words").wants(401)
		owner.open(notMe).wants(200, "This link is no longer valid")
		r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, "Reported as not theirs", "the invitation is open again")
		p = owner.press(owner.press(owner.open(link), "Sign Up", "email", elena, "password", secret), "Continue")
		owner.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 2))).wants(200, "Customer Portal User Agreement")
	})
}

// told waits for a mail about the safety of a sign-in that says something.
func (r *rig) told(to, what string) (found sdktest.Mail) {
	r.tb.Helper()
	r.eventually("a mail to "+to+" with: "+what, func() bool {
		for _, m := range r.Host.Mails() {
			if m.Kind == "security" && strings.EqualFold(strings.TrimSpace(m.To), to) && strings.Contains(m.Text, what) {
				found = m
			}
		}
		return found.To != ""
	})
	return found
}

func TestCase16SignInEmailIsChanged(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	const next = "elena@new.example"
	p := b.open("/security/email")
	b.press(p, "Send a code", "email", next, "current", "not the password").wants(422, "That is not your current password")
	p = b.press(p, "Send a code", "email", next, "current", secret).wants(200, "We sent a six-digit code to "+next)
	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	b.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", next, 1))).wants(200, "You sign in with "+next)
	other.open("/").wants(200, "Sign in").lacks("You owe")
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(401)
	other.press(other.open("/sign-in"), "Sign in", "email", next, "password", secret).wants(200, "You owe")

	// The old mailbox takes it back within 72 hours.
	undo := linkOf(t, r.told(elena, "uses another email address"))
	r.clock.advance(portal.DisownLife - time.Hour)
	owner := r.browser(northwind)
	owner.press(owner.open(undo), "This wasn't me").wants(200)
	b.open("/").wants(200, "Sign in").lacks("You owe")
	other.press(other.open("/sign-in"), "Sign in", "email", next, "password", secret).wants(401)
	p = owner.open(linkOf(t, r.told(elena, "has ended, because you told us"))).wants(200, "Choose a new password")
	owner.press(p, "Save new password", "password", newSecret)
	owner.press(owner.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(200, "You owe")
}

// TestCase16UndoIsOver: the link of the notice ends after 72 hours.
func TestCase16UndoIsOver(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	const next = "elena@new.example"
	p := b.press(b.open("/security/email"), "Send a code", "email", next, "current", secret)
	b.press(p, "Confirm my email", "code", codeOf(t, r.mail("security", next, 1))).wants(200, "You sign in with "+next)
	undo := linkOf(t, r.told(elena, "uses another email address"))
	r.clock.advance(portal.DisownLife)
	r.browser(northwind).open(undo).wants(200, "This link is no longer valid", "more than three days")
	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", next, "password", secret).wants(200, "You owe")
}

// TestCase21TabClosedMidway goes on where it was: in the same browser by the link,
// in another by signing in, and at every step.
func TestCase21TabClosedMidway(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		b := r.browser(northwind)
		b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
		p := b.open(link).wants(200, "Choose your customer profile")
		b.press(p, "Continue")
		b.open(link).wants(200, "Check your mail")
		other := r.browser(northwind)
		p = other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "Confirm your email to continue")
		other.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1))).wants(200, "Customer Portal User Agreement")
		other.open(link).wants(200, "Customer Portal User Agreement")
		third := r.browser(northwind)
		p = third.press(third.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "Customer Portal User Agreement")
		third.press(p, "I Accept").wants(200, "You owe")

		open := r.browser(northwind)
		open.begun(treasurer)
		open.open("/sign-up").wants(200, "Check your mail")
		m := r.mail("security", treasurer, 1)
		open.press(open.open(linkOf(t, m)), "Confirm my email")
		open.open("/sign-up").wants(200, "Create your sign-in")
		p = open.open(linkOf(t, m)).wants(200, "Create your sign-in")
		open.press(p, "Sign Up", "password", secret).wants(200, "Customer Portal User Agreement")
		open = r.browser(northwind)
		open.press(open.open("/sign-in"), "Sign in", "email", treasurer, "password", secret).wants(200, "Customer Portal User Agreement")
	})
}

func TestCase26ForgotPasswordBeforeConfirming(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
	other := r.browser(northwind)
	other.press(other.open("/forgot"), "Send me a link", "email", elena).wants(200, "Check your mail")
	p := other.open(linkOf(t, r.mail("security", elena, 1))).wants(200, "Choose a new password")
	p = other.press(p, "Save new password", "password", newSecret).wants(200, "Customer Portal User Agreement")
	other.press(p, "I Accept").wants(200, "You owe")
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", newSecret).wants(200, "You owe")
}

// TestCase4ExpiredConfirmation: its page offers a new link too.
func TestCase4ExpiredConfirmation(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
	link := linkOf(t, r.mail("confirmation", elena, 1))
	r.clock.advance(portal.ConfirmationLife)
	p := b.open(link).wants(200, "This link has expired", "e•••@riverafamily.example").lacks(elena)
	b.press(p, "Email me a new link").wants(200, "Check your mail")
	b.open(linkOf(t, r.mail("invitation", elena, 2))).wants(200, "Hello, Rivera Family")
	b.press(p, "Email me a new link").wants(200, "Check your mail")
	if n := len(r.Host.Mails()); n != 3 {
		t.Errorf("%d mails, the limit did not hold", n)
	}
}

// TestCase5RevokedDuringSignUp: **Continue** does not lead back to a link that opens
// nothing any more; a sign-up that another one replaced is told as before.
func TestCase5RevokedDuringSignUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		b := r.browser(northwind)
		p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret).wants(200, "Choose your customer profile")
		late := r.browser(northwind)
		code := late.press(late.press(late.open(link+"?again=1"), "Sign Up", "email", elena, "password", newSecret), "Continue").wants(200, "Check your mail")
		b.press(p, "Continue").wants(409, "This sign-up has ended", "Open the link in your invitation again")
		tab, staff := r.office()
		staff.press(tab.open(tabOf+"c1"), "Revoke").wants(303)
		late.press(code, "Confirm my email", "code", "123456").wants(409, "This link is no longer valid", "Northwind Utilities has taken this invitation back").lacks("Open the link in your invitation again")
		late.open(link).wants(200, "This link is no longer valid")
		b.do(http.MethodPost, "/sign-up/profile", url.Values{"signup": {"garbage"}, "profile": {"c1"}}).wants(409, "This sign-up has ended")

		r.clock.advance(2 * time.Minute)
		if _, err := r.staffInviter().Send(t.Context(), "c1"); err != nil {
			t.Fatal(err)
		}
		early := r.browser(northwind)
		p = early.press(early.open(linkOf(t, r.mail("invitation", elena, 2))), "Sign Up", "email", elena, "password", secret)
		staff.press(tab.open(tabOf+"c1"), "Revoke").wants(303)
		early.press(p, "Continue").wants(409, "This link is no longer valid").lacks("Open the link")
	})
}

// TestCase5Revoke is the button of staff.
func TestCase5Revoke(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	tab, staff := r.staff(wire.Slot, portal.AbilityInvite), r.staff(wire.Staff, portal.AbilityInvite)
	p := staff.press(tab.open("/customer?customer=c1"), "Revoke").wants(303)
	if !strings.Contains(p.location, "notice=taken") {
		t.Fatalf("leads to %q", p.location)
	}
	tab.open("/customer?customer=c1&notice=taken").wants(200, "The invitation is taken back", "Revoked", "By Dana Whitfield").lacks("/revoke")
	r.browser(northwind).open(link).wants(200, "This link is no longer valid").lacks("Email me a new link")
	r.browser(northwind).do("POST", "/customers/c1/revoke", nil).wants(404)
}
