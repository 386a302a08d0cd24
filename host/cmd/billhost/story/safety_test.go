package story_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// eval runs a script in the page and returns its text.
func (p *person) eval(script string) string {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err != nil {
		p.tb.Fatalf("%s: %v", script, err)
	}
	return got
}

// back presses the browser's button; the page behind it may be none.
func (p *person) back() {
	p.tb.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, 10*time.Second)
	defer cancel()
	_ = chromedp.Do(ctx, chromedp.NavigateBack()) // what the browser shows is looked at
}

// document is all that the browser holds of the page.
func (p *person) document() string {
	p.tb.Helper()
	return p.eval(`document.documentElement.outerHTML`)
}

// TestSafetyInTheBrowser: ending sessions asks for the password; after sign-out
// nothing of the pages is left behind the button Back, whether the platform answers
// or not; what is copied stays text.
func TestSafetyInTheBrowser(t *testing.T) {
	t.Parallel()
	office := mustPostOffice(t)
	p := mustStart(t, "sqlite", "SMTP_URL="+office.URL)
	staff, customer, phone := mustPerson(t, true), mustPerson(t, true), mustPerson(t, false)
	for _, page := range []string{"sign-in", "overview", "marketplace", "consent", "addon", "customers", "customer", "customer-portal-not-invited", "customer-portal-invited"} {
		staff.seen[page] = true // other tests look at these
	}
	for _, page := range []string{"signup-start", "signup-start-error", "signup-profile", "signup-confirm", "confirm-link", "signup-agreement"} {
		customer.seen[page] = true
	}
	installs(staff, p)
	address := invites(staff, p)
	signsUp(customer, office, address)
	customer.sees("Open invoices")
	portal := p.URL + "/portal/northwind"

	phone.visit(portal + "/sign-in")
	phone.fill("Email", address)
	phone.fill("Password", password)
	phone.press("Sign in")
	phone.sees("Open invoices")
	endsSessions(customer, phone, portal)
	asksForAnAddress(customer, office, portal)
	copiesText(staff, p)
	leavesNothing(customer, staff, p)
}

// endsSessions signs the other browser out.
func endsSessions(customer, phone *person, portal string) {
	customer.tb.Helper()
	customer.visit(portal + "/security")
	customer.look("security-two-browsers")
	customer.press("Sign out everywhere else")
	customer.heading("Type your password again")
	customer.look("security-again")
	customer.fill("Current password", "wrong wrong wrong")
	customer.press("Sign out everywhere else")
	customer.sees("That is not your current password.")
	customer.look("security-again-wrong")
	phone.visit(portal + "/")
	phone.sees("Open invoices")
	customer.fill("Current password", password)
	customer.press("Sign out everywhere else")
	customer.sees("1 other browser is signed out.")
	phone.visit(portal + "/")
	phone.heading("Sign in")
}

// asksForAnAddress looks at what the owner of another address can say about it.
func asksForAnAddress(customer *person, office *postOffice, portal string) {
	customer.tb.Helper()
	const theirs = "zoe@elsewhere.example"
	customer.visit(portal + "/security/email")
	customer.fill("New email", theirs)
	customer.fill("Current password", password)
	customer.press("Send a code to the new address")
	mail := office.await(customer.tb, theirs, "confirm your new email address")
	_, link, ok := strings.Cut(strings.ReplaceAll(mail.Raw, "=\r\n", ""), "I didn't do this: ")
	if !ok {
		customer.tb.Fatalf("no way to disown in\n%s", mail.Raw)
	}
	owner := mustPerson(customer.tb, true)
	owner.visit(strings.Fields(link)[0])
	owner.heading("Was this not you?")
	owner.look("not-me-address")
	owner.press("I didn't do this")
	owner.sees("The code no longer works.")
}

// copiesText presses Copy where the text looks like markup.
func copiesText(staff *person, p *platform) {
	staff.tb.Helper()
	const markup = `<img src=x onerror="document.title='pwned'"><b>bold</b>`
	staff.visit(p.URL + "/admin/addons/customer-portal/")
	staff.eval(`(() => {
		const button = document.querySelector("button[data-copy]");
		document.querySelector(button.dataset.copy).textContent = ` + "`" + markup + "`" + `;
		button.dataset.copied = "<i>Copied</i>";
		navigator.clipboard.writeText = async text => { window.copied = text; };
		return "";
	})()`)
	staff.do(chromedp.Click(chromedp.CSS("button[data-copy]")))
	if got := staff.eval(`new Promise(done => { const wait = () => window.copied ? done(window.copied) : setTimeout(wait, 20); wait(); })`); got != markup {
		staff.tb.Errorf("copied %q", got)
	}
	if got := staff.eval(`document.querySelector("button[data-copy]").textContent.trim()`); got != "<i>Copied</i>" {
		staff.tb.Errorf("the button says %q", got)
	}
	if n := staff.eval(`"" + document.querySelectorAll("main img[src=x], main i, main b[onerror]").length + document.title.includes("pwned")`); n != "0false" {
		staff.tb.Errorf("what was copied became markup: %s", n)
	}
}

// leavesNothing signs out and goes back.
func leavesNothing(customer, staff *person, p *platform) {
	customer.tb.Helper()
	customer.visit(p.URL + "/portal/northwind/")
	customer.sees("Open invoices")
	for b, words := range map[*person]string{customer: "Open invoices", staff: "Customer Portal"} {
		if !strings.Contains(b.document(), words) {
			customer.tb.Fatalf("%s does not show %q", b.location(), words)
		}
		b.eval(`document.querySelector('form[action$="/sign-out"]').requestSubmit(); ""`)
		b.until("Sign in")
		b.back()
		b.until("Sign in")
		if strings.Contains(b.document(), words) {
			customer.tb.Errorf("%s shows %q to whoever comes next", b.location(), words)
		}
	}
	p.stop()
	for b, words := range map[*person]string{customer: "Open invoices", staff: "Customer Portal"} {
		b.back()
		if strings.Contains(b.document(), words) {
			customer.tb.Errorf("%s shows %q while the platform is away", b.location(), words)
		}
	}
}
