package story_test

import (
	"regexp"
	"testing"
	"time"
)

const staffPassword = "violet tractor harbour"

// Staff choose a password, sign in with it, forget it, get a link by mail and end
// their other browsers.
func TestStaffSignIn(t *testing.T) {
	t.Parallel()
	host := mustStart(t, "sqlite")
	p := mustPerson(t, true)
	p.visit(host.URL + "/admin/customers")
	p.heading("Sign in")
	p.sees("Please sign in to continue.")
	p.look("staff-sign-in")

	p.visit(host.SignIn)
	p.press("Sign in")
	p.heading("Overview")
	p.sees("Choose a password")
	p.look("staff-overview")
	p.press("Choose a password")
	p.look("staff-account")
	p.fill("New password", "short")
	p.press("Save password")
	p.sees("Use at least 12 characters.")
	p.look("staff-account-wrong")
	p.fill("New password", staffPassword)
	p.press("Show")
	p.sees("Very strong. At least 12 characters")
	p.look("staff-account-strength")
	p.press("Save password")
	p.sees("Your password is saved.")
	const address = "dana@northwindpool.example"

	other := mustPerson(t, false)
	other.visit(host.URL + "/sign-in")
	other.fill("Email", address)
	other.fill("Password", staffPassword)
	other.press("Sign in")
	other.heading("Overview")

	p.visit(host.URL + "/admin/account")
	p.sees("This browser")
	p.look("staff-account-browsers")
	p.press("Sign out everywhere else")
	p.sees("One other browser is signed out.")
	other.visit(host.URL + "/admin/")
	other.heading("Sign in")
	for range 6 {
		other.visit(host.URL + "/sign-in")
		other.fill("Email", address)
		other.fill("Password", "wrong wrong wrong")
		other.press("Sign in")
	}
	other.sees("Too many tries. Wait")

	p.visit(host.URL + "/sign-in?reauth=1&next=/admin/customers")
	p.heading("Is it still you?")
	p.look("staff-again")
	p.fill("Password", "wrong wrong wrong")
	p.press("Go on")
	p.sees("That is not your password.")
	p.look("staff-again-wrong")
	p.fill("Password", staffPassword)
	p.press("Go on")
	p.heading("Customers")

	stranger := mustPerson(t, true)
	stranger.visit(host.URL + "/sign-in")
	stranger.fill("Email", "nobody@northwind.example")
	stranger.fill("Password", "wrong wrong wrong")
	stranger.press("Sign in")
	stranger.sees("Email or password is wrong.")
	stranger.look("staff-sign-in-wrong")
	stranger.press("Forgot password?")
	stranger.look("staff-forgot")
	stranger.fill("Email", address)
	stranger.press("Email me a link")
	stranger.heading("Check your email")
	stranger.look("staff-forgot-sent")
	link := host.mustStaffMail(t)
	stranger.visit(link)
	stranger.look("staff-link")
	stranger.press("Sign in")
	stranger.heading("Overview")
	stranger.visit(host.URL + "/admin/account")
	stranger.look("staff-account-forgotten")
	stranger.fill("New password", staffPassword+" again")
	stranger.press("Change password")
	stranger.sees("Your password is saved.")
	stranger.visit(host.URL + "/admin/customers/0190a000-0000-7000-8000-000000000000")
	stranger.heading("This page is not here")
	stranger.look("staff-not-found")
}

// mustStaffMail waits for the newest mail with a sign-in link and returns that.
func (p *platform) mustStaffMail(tb testing.TB) string {
	tb.Helper()
	c := newClient(tb)
	mail := regexp.MustCompile(`href="(/dev/mail/[^"]+)">Your sign-in link<`)
	link := regexp.MustCompile(`http://[^\s"<]+/sign-in/[\w-]{20,}`)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		m := mail.FindStringSubmatch(c.get(p.URL + "/dev/mail").Body)
		if m == nil {
			continue
		}
		if found := link.FindString(c.get(p.URL + m[1]).Body); found != "" {
			return found
		}
	}
	tb.Fatal("no mail with a sign-in link")
	return ""
}
