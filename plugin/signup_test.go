package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// registered takes somebody through all five steps and returns the browser,
// signed in.
func (r *rig) registered(customerID, email string) *browser {
	r.tb.Helper()
	link := r.invited(customerID, email)
	b := r.browser(northwind)
	p := b.press(b.open(link), "Sign Up", "email", email, "password", secret)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(r.tb, r.mail("confirmation", email, 1)))
	b.press(p, "I Accept").wants(200, "You owe")
	return b
}

func TestFiveStepsOverPages(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		if m := r.mail("invitation", elena, 1); m.Subject != "Welcome to the Customer Portal" || !strings.Contains(m.HTML, "Create your username and password") {
			t.Errorf("mail 1: %q", m.Subject)
		}
		r.eventually("status Sent", func() bool { return r.status("c1") == "Sent" })
		b := r.browser(northwind)
		p := b.open(link).wants(200, "Hello, Rivera Family", "e•••@riverafamily.example")
		if got := r.status("c1"); got != "Opened" {
			t.Errorf("after the link: %s", got)
		}
		p = b.press(p, "Sign Up", "email", elena, "password", secret).wants(200, "Choose your customer profile", "Rivera Family", "NW-1042")
		if got := r.status("c1"); got != "Started" {
			t.Errorf("after step 2: %s", got)
		}
		p = b.press(p, "Continue").wants(200, "Check your mail", "e•••@riverafamily.example")
		if got := r.status("c1"); got != "Awaiting confirmation" {
			t.Errorf("after step 3: %s", got)
		}
		m := r.mail("confirmation", elena, 1)
		if !strings.Contains(m.Subject, "confirm") || !strings.Contains(m.HTML, "Click here to confirm your email") {
			t.Errorf("mail 2: %q", m.Subject)
		}
		p = b.press(p, "Confirm my email", "code", codeOf(t, m)).wants(200, "Customer Portal User Agreement")
		if got := r.status("c1"); got != "Awaiting agreement" {
			t.Errorf("after step 4: %s", got)
		}
		b.press(p, "I Accept").wants(200, "You owe", "$707.43", "June weekly service", "INV-1047").lacks("Harbor only", "Rentals only")
		if got := r.status("c1"); got != "Registered" {
			t.Errorf("after step 5: %s", got)
		}
		if diff := cmp.Diff([]string{"agreement.accepted", "invitation.sent"}, auditActions(r)); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

func auditActions(r *rig) []string {
	seen := map[string]bool{}
	for _, a := range r.Host.Audits() {
		seen[a.Action] = true
	}
	var out []string
	for _, action := range []string{"agreement.accepted", "invitation.linked", "invitation.sent"} {
		if seen[action] {
			out = append(out, action)
		}
	}
	return out
}

func TestFiveStepsOverRPC(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		ctx := t.Context()
		token := strings.TrimPrefix(r.invited("c1", elena), "/welcome/")
		su := r.SignUp(r.PublicCall(northwind))
		person := sdk.Person{IP: netip.MustParseAddr("198.51.100.4"), Agent: "kiosk", Locale: "en-US"}
		st, err := su.Begin(ctx, token, person)
		if err != nil || st.Step != sdk.StepRegister || st.CustomerName != "Rivera Family" || st.Handle == "" {
			t.Fatalf("begin: %+v, %v", st, err)
		}
		st, err = su.Register(ctx, st.Handle, elena, secret, person)
		if err != nil || st.Step != sdk.StepProfile || st.Handle == "" {
			t.Fatalf("register: %+v, %v", st, err)
		}
		handle := st.Handle
		profiles, err := su.Profiles(ctx, handle, person)
		if err != nil || len(profiles) != 1 {
			t.Fatalf("profiles: %+v, %v", profiles, err)
		}
		if st, err = su.Choose(ctx, handle, []string{profiles[0].CustomerID}, person); err != nil || st.Step != sdk.StepConfirm {
			t.Fatalf("choose: %+v, %v", st, err)
		}
		code := codeOf(t, r.mail("confirmation", elena, 1))
		if st, err = su.Confirm(ctx, handle, code[:3]+" "+code[3:], person); err != nil || st.Step != sdk.StepAccept || st.Agreement.Text == "" {
			t.Fatalf("confirm: %+v, %v", st, err)
		}
		in, err := su.Accept(ctx, handle, st.Agreement.Version, person)
		if err != nil || in.Session == "" || in.PortalUserID == "" {
			t.Fatalf("accept: %+v, %v", in, err)
		}
		if got := r.status("c1"); got != "Registered" {
			t.Errorf("status %s", got)
		}
		b := r.browser(northwind)
		b.cookies["session"] = in.Session
		b.open("/").wants(200, "You owe")
		if _, err := su.Begin(ctx, token, person); err == nil {
			t.Error("the link opens a second sign-up")
		}
	})
}

func TestConfirmationLinkInTheSameBrowser(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue")
	link := linkOf(t, r.mail("confirmation", elena, 1))
	p = b.open(link).wants(200, "Confirm my email").lacks(`type="password"`)
	if got := r.status("c1"); got != "Awaiting confirmation" {
		t.Fatalf("a GET confirmed: %s", got)
	}
	b.press(p, "Confirm my email").wants(200, "Customer Portal User Agreement")
}

func TestConfirmationLinkInAnotherBrowserAsksForThePassword(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue")
	link := linkOf(t, r.mail("confirmation", elena, 1))
	other := r.browser(northwind)
	p = other.open(link).wants(200, "type the password you chose")
	p = other.press(p, "Confirm my email", "password", "not the right one").wants(422, "That is not the password you chose")
	if got := r.status("c1"); got != "Awaiting confirmation" {
		t.Fatalf("confirmed without the password: %s", got)
	}
	p = other.press(p, "Confirm my email", "password", secret).wants(200, "Customer Portal User Agreement")
	other.press(p, "I Accept").wants(200, "You owe")
	b.open(link).wants(200, "You're already registered")
}

func TestResumeInAnotherBrowserAsksForThePassword(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	b := r.browser(northwind)
	b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	b.open(link).wants(200, "Choose your customer profile")

	other := r.browser(northwind)
	p := other.open(link).wants(200, "Welcome back").lacks("Rivera Family")
	p = other.press(p, "Continue", "password", "not the right one").wants(422, "That is not the password you chose")
	other.press(p, "Continue", "password", secret).wants(200, "Choose your customer profile")
	b.open("/sign-up/profile").wants(409, "not open in this browser")
}

func TestSecondSignUpOnOneInvitationWins(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	first := r.browser(northwind)
	p := first.press(first.open(link), "Sign Up", "email", elena, "password", secret)
	p = first.press(p, "Continue")
	code := codeOf(t, r.mail("confirmation", elena, 1))

	second := r.browser(northwind)
	q := second.press(second.open(link+"?again=1"), "Sign Up", "email", elena, "password", secret+" two")
	second.press(q, "Continue").wants(200, "Check your mail")
	first.press(p, "Confirm my email", "code", code).wants(409, "not open in this browser")
	first.open(linkOf(t, r.mail("confirmation", elena, 1))).wants(200, "This link is no longer valid")
	if got := r.status("c1"); got != "Awaiting confirmation" {
		t.Errorf("status %s", got)
	}
}

func TestShowPasswordWithoutScript(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.open(r.invited("c1", elena))
	if kind := attr(p.input("password"), "type"); kind != "password" {
		t.Fatalf("type %q", kind)
	}
	p = b.press(p, "Show", "email", "someone@else.example", "password", secret).wants(200, "Very strong")
	if in := p.input("password"); attr(in, "type") != "text" || attr(in, "value") != secret {
		t.Errorf("shown: %v", in.Attr)
	}
	if got := attr(p.input("email"), "value"); got != "someone@else.example" {
		t.Errorf("email %q is lost", got)
	}
	if got := p.header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
	p = b.press(p, "Hide").wants(200)
	if in := p.input("password"); attr(in, "type") != "password" || attr(in, "value") != "" {
		t.Errorf("hidden: %v", in.Attr)
	}
	if got := r.status("c1"); got != "Opened" {
		t.Errorf("showing started a sign-up: %s", got)
	}
}

func TestFormErrorsKeepWhatWasTyped(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", "short").wants(422)
	in := p.input("password")
	if attr(in, "aria-invalid") != "true" || !strings.Contains(attr(in, "aria-describedby"), "password-error") || !has(in, "autofocus") || attr(in, "value") != "" {
		t.Errorf("password: %v", in.Attr)
	}
	if got := attr(p.input("email"), "value"); got != elena {
		t.Errorf("email %q", got)
	}
	p = b.press(p, "Sign Up", "email", "", "password", "").wants(422, "Type your email address.", "Type a password.")
	if !has(p.input("email"), "autofocus") || has(p.input("password"), "autofocus") {
		t.Error("the focus is not on the first wrong field")
	}
}

func TestCase22AgreementDeclined(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	p = b.press(p, "I do not accept").wants(200, "You did not accept the agreement")
	if got := r.status("c1"); got != "Awaiting agreement" {
		t.Errorf("status %s", got)
	}
	tab := r.staff(wire.Slot, portal.AbilityInvite)
	tab.open("/customer?customer=c1").wants(200, "Signing in leads to it.").lacks("Send Invitation")
	tab.open("/customer?customer=c1&error=conflict").wants(200, "The customer's address can sign in already.")
	p = b.press(p, "Sign in", "email", elena, "password", secret).wants(200, "Customer Portal User Agreement")
	if q := b.open("/"); q.text() != p.text() {
		t.Errorf("home before accepting says %s", q.text())
	}
	b.press(p, "I Accept").wants(200, "You owe")
}
