package main

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

func TestCase1OtherEmailThanInvited(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", "jo@acme.example", "password", secret)
	p.wants(422, "This invitation was sent to e•••@riverafamily.example. Use that address, or ask Northwind Utilities to invite another.").lacks(elena)
	if got := attr(p.input("email"), "value"); got != "jo@acme.example" {
		t.Errorf("email %q", got)
	}
	if got := r.status("c1"); got != "Opened" {
		t.Errorf("something was created: %s", got)
	}
}

func TestCase4ExpiredLink(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		link := r.invited("c1", elena)
		r.clock.advance(15 * 24 * time.Hour)
		b := r.browser(northwind)
		p := b.open(link).wants(200, "This link has expired", "e•••@riverafamily.example")
		if got := r.status("c1"); got != "Expired" {
			t.Errorf("status %s", got)
		}
		b.press(p, "Email me a new link").wants(200, "Check your mail")
		fresh := linkOf(t, r.mail("invitation", elena, 2))
		b.open(fresh).wants(200, "Hello, Rivera Family")
		p = b.open(link).wants(200, "This link is no longer valid")
		b.press(p, "Email me a new link").wants(200, "Check your mail")
		if n := len(r.Host.Mails()); n != 2 {
			t.Errorf("%d mails, the limit did not hold", n)
		}
	})
}

func TestCase5OlderAndRevokedLinks(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	old := r.invited("c1", elena)
	r.clock.advance(2 * time.Minute)
	if _, err := r.staffInviter().Resend(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	fresh := linkOf(t, r.mail("invitation", elena, 2))
	b := r.browser(northwind)
	b.open(old).wants(200, "This link is no longer valid", "Email me a new link")
	b.open(fresh).wants(200, "Hello, Rivera Family")

	changed := customers()[0]
	changed.Email, changed.Version = "new@riverafamily.example", 2
	if err := r.Handle(t.Context(), northwind, sdk.Event{ID: "e1", Kind: sdk.CustomerUpdated, At: time.Now(), Customer: changed}); err != nil {
		t.Fatal(err)
	}
	b.open(fresh).wants(200, "This link is no longer valid").lacks("Email me a new link")
	b.do(http.MethodPost, strings.TrimSuffix(fresh, "/")+"/new-link", url.Values{}).wants(303)
	if n := len(r.Host.Mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestCase6LinkAfterSuccess(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	link := linkOf(t, r.mail("invitation", elena, 1))
	r.browser(northwind).open(link).wants(200, "You're already registered", "Sign in")
}

func TestCase7MailScannerConsumesNothing(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	for range 3 {
		r.browser(northwind).open(link).wants(200)
	}
	b := r.browser(northwind)
	p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	m := r.mail("confirmation", elena, 1)
	for range 3 {
		r.browser(northwind).open(linkOf(t, m)).wants(200)
	}
	b.press(p, "Confirm my email", "code", codeOf(t, m)).wants(200, "Customer Portal User Agreement")
}

func TestCase8InvitedEmailHasAnAccount(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
			t.Fatal(err)
		}
		m := r.mail("add", elena, 1)
		if !strings.Contains(m.Text, "sign in, and press Add") {
			t.Errorf("mail: %s", m.Text)
		}
		link, err := r.staffInviter().Link(t.Context(), "c2")
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(link, r.PublicCall(northwind).PortalURL)
		r.browser(northwind).open(path).wants(200, "You already have a sign-in", "Sign in").lacks(elena)

		p := b.open("/").wants(200, "Northwind Utilities added Rivera Rentals LLC to your portal.").lacks("Rentals only")
		b.do(http.MethodGet, "/invoices/inv4", nil).wants(404)
		b.press(p, "Add").wants(200)
		p = b.open("/")
		p = b.press(p, "Rivera Rentals LLC").wants(200, "Rentals only").lacks("June weekly service")
		b.press(p, "Rivera Family").wants(200, "June weekly service")
		if got := r.status("c2"); got != "Registered" {
			t.Errorf("status %s", got)
		}
	})
}

func TestCase11SignInBeforeConfirming(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue")
	r.mail("confirmation", elena, 1)

	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", "wrong wrong wrong").wants(401, "Email or password is wrong.")
	p = other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "Confirm your email to continue", "Resend")
	other.press(p, "Resend").wants(429, "We sent an email a moment ago. You can ask for another in")
	for n := 2; n <= 5; n++ {
		r.clock.advance(61 * time.Second)
		other.press(p, "Resend").wants(200, "We sent a new code")
		r.mail("confirmation", elena, n) // one that is late is left out
	}
	r.clock.advance(61 * time.Second)
	other.press(p, "Resend").wants(429, "We sent 5 emails in the last hour.")
	m := r.mail("confirmation", elena, 5)
	p = other.open("/sign-up/confirm")
	other.press(p, "Confirm my email", "code", codeOf(t, m)).wants(200, "Customer Portal User Agreement")
}

func TestCase12FiveWrongCodes(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	code := codeOf(t, r.mail("confirmation", elena, 1))
	wrong := "000000"
	if code == wrong {
		wrong = "000001"
	}
	for range 5 {
		p = b.press(p, "Confirm my email", "code", wrong)
		if p.status == http.StatusOK {
			t.Fatal("a wrong code confirmed")
		}
	}
	b.press(p, "Confirm my email", "code", code).wants(409, "We can send a new code")
	wantMain(t, b.open("/sign-up/confirm").wants(200, "That code no longer works"), "Resend")
	r.clock.advance(61 * time.Second)
	b.press(p, "Resend").wants(200, "We sent a new code").lacks("no longer works. We")
	wantMain(t, b.open("/sign-up/confirm"), "Confirm my email")
	code = codeOf(t, r.mail("confirmation", elena, 2))

	// However many guess at once, five are compared.
	guesses, compared := make([]*page, 16), 0
	var wg sync.WaitGroup
	for i := range guesses {
		wg.Go(func() { guesses[i] = b.do(http.MethodPost, "/sign-up/confirm", url.Values{"code": {wrong}}) })
	}
	wg.Wait()
	for _, g := range guesses {
		switch text := g.text(); {
		case strings.Contains(text, "That code is not right"):
			compared++
		case !strings.Contains(text, "That code no longer works"):
			t.Errorf("%d: %s", g.status, text)
		}
	}
	if compared != portal.CodeTries-1 { // the fifth says already that the code is dead
		t.Errorf("%d guesses were compared and can go on", compared)
	}
	b.press(b.open("/sign-up/confirm"), "Confirm my email", "code", code).wants(409, "We can send a new code")
}

func TestCase13ConfirmationNeverComes(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue").wants(200, "e•••@riverafamily.example", "spam", "Resend", "+1 555 0100").lacks(elena)
}

func TestCase17SameEmailConfirmedTwiceAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		var ready []*browser
		var codes []string
		for i, id := range []string{"c1", "c2"} {
			if _, err := r.staffInviter().Send(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			b := r.browser(northwind)
			p := b.press(b.open(linkOf(t, r.mail("invitation", elena, i+1))), "Sign Up", "email", elena, "password", secret)
			b.press(p, "Continue").wants(200, "Check your mail")
			ready, codes = append(ready, b), append(codes, codeOf(t, r.mail("confirmation", elena, i+1)))
		}
		answers := make([]*page, len(ready))
		var wg sync.WaitGroup
		for i := range ready {
			wg.Go(func() {
				answers[i] = ready[i].follow(ready[i].do(http.MethodPost, "/sign-up/confirm", url.Values{"code": {codes[i]}}))
			})
		}
		wg.Wait()
		won, lost := 0, 0
		for _, p := range answers {
			switch {
			case strings.Contains(p.text(), "Customer Portal User Agreement"):
				won++
			case strings.Contains(p.text(), "You're already registered"):
				lost++
			default:
				t.Errorf("%d: %s", p.status, p.text())
			}
		}
		if won != 1 || lost != 1 {
			t.Errorf("%d won, %d lost; want one each", won, lost)
		}
	})
}

func TestCase23SignedInAsAnother(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	link := r.invited("c3", "treasurer@harborview.example")
	p := b.open(link).wants(200, elena, "t•••@harborview.example", "Sign out and continue")
	b.open("/").wants(200, "You owe")
	b.press(p, "Sign out and continue").wants(200, "Hello,")
	if b.cookies["session"] != "" {
		t.Error("still signed in")
	}
}

func TestCase24EmailsAreComparedNormalised(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", "  ELENA@RiveraFamily.EXAMPLE ", "password", secret)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	b.press(p, "I Accept").wants(200, "You owe")
	other := r.browser(northwind)
	other.press(other.open("/sign-in"), "Sign in", "email", "Elena@RIVERAFAMILY.example", "password", secret).wants(200, "You owe")
	plus := r.browser(northwind)
	for _, another := range []string{"elena+x@riverafamily.example", "el.ena@riverafamily.example"} {
		plus.press(plus.open("/sign-in"), "Sign in", "email", another, "password", secret).wants(401)
	}

	c := customers()[1]
	c.Email = "Elena@Bücher.example"
	r.changed(c)
	idn := r.browser(northwind)
	p = idn.press(idn.open(r.invited("c2", "Elena@Bücher.example")), "Sign Up", "email", "elena@xn--bcher-kva.example", "password", secret)
	idn.press(p, "Continue").wants(200, "Check your mail")
}

func TestCase27TokenOfAnotherBiller(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c1", elena)
	foreign := r.browser(contoso).open(link).wants(404)
	garbage := r.browser(contoso).open("/welcome/garbage").wants(404)
	if foreign.body != garbage.body {
		t.Error("another biller's token and garbage look different")
	}
	b := r.browser(northwind)
	p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	b.press(p, "Continue")
	confirm := linkOf(t, r.mail("confirmation", elena, 1))
	if p := r.browser(contoso).open(confirm).wants(404); p.body != garbage.body {
		t.Error("another biller's confirmation and garbage look different")
	}
}

// wantMain checks that one button of the page is the one to press.
func wantMain(tb testing.TB, p *page, label string) {
	tb.Helper()
	var main []string
	for n := range p.doc.Descendants() {
		if n.Data == "button" && !strings.Contains(attr(n, "class"), "quiet") {
			main = append(main, textOf(n))
		}
	}
	if len(main) != 1 || main[0] != label {
		tb.Errorf("the main buttons are %q, want %q", main, label)
	}
}
