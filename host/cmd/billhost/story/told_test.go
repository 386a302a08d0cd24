package story_test

import (
	"regexp"
	"strings"
	"testing"
)

// devMail waits for the newest mail with the subject at /dev/mail and returns the
// first address in it that matches.
func (p *platform) devMail(tb testing.TB, subject string, link *regexp.Regexp) (found string) {
	tb.Helper()
	c := newClient(tb)
	mail := regexp.MustCompile(`href="(/dev/mail/[^"]+)">` + regexp.QuoteMeta(subject) + `<`)
	c.eventually("a mail "+subject+" shows at /dev/mail", func() bool {
		if m := mail.FindStringSubmatch(c.get(p.URL + "/dev/mail").Body); m != nil {
			found = link.FindString(c.get(p.URL + m[1]).Body)
		}
		return found != ""
	})
	return found
}

var (
	welcomeLink = regexp.MustCompile(`http://[^\s"<]+/welcome/[\w-]{20,}`)
	notMeLink   = regexp.MustCompile(`http://[^\s"<]+/not-me/[\w-]{20,}`)
	staffLink   = regexp.MustCompile(`http://[^\s"<]+/admin/addons/customer-portal/[^\s"<]*`)
)

// TestStaffAreToldByMail: those who may invite hear that somebody asks for access,
// and that a sign-up was somebody else's; others hear nothing.
func TestStaffAreToldByMail(t *testing.T) {
	t.Parallel()
	const (
		asked  = "Somebody asks for access to your customer portal"
		signed = "Somebody else began to sign up with your customer&#39;s email address"
	)
	p := mustStart(t, "sqlite")
	staff, stranger := mustPerson(t, true), mustPerson(t, true)
	for _, page := range []string{"sign-in", "overview", "marketplace", "addon", "customers", "customer", "customer-portal-not-invited", "customer-portal-invited"} {
		staff.seen[page] = true // other tests look at these
	}
	for _, page := range []string{"people-other-address", "people-ask", "people-asked"} {
		stranger.seen[page] = true
	}
	installs(staff, p)
	address := invites(staff, p)
	welcome := p.devMail(t, "Welcome to the Customer Portal", welcomeLink)
	asksForAccess(stranger, welcome, "jo.accounts@colleague.example")
	staff.visit(p.devMail(t, asked, staffLink))
	staff.heading("Requests for access")

	stranger.visit(welcome)
	stranger.fill("Email", address)
	stranger.fill("Password", password)
	stranger.press("Sign Up")
	stranger.press("Continue")
	stranger.visit(p.devMail(t, "Please confirm your email address", notMeLink))
	stranger.press("I didn't do this")
	stranger.sees("The sign-up has ended")
	staff.visit(p.devMail(t, signed, staffLink))
	staff.sees("Reported as not theirs")

	staff.finds(p.URL+"/dev/mail", func(list string) bool {
		return strings.Count(list, "dana@") >= 2 && strings.Count(list, "luis@") >= 2
	})
	list := staff.text()
	for who, times := range map[string]int{"dana@northwindpool.example": 2, "luis@northwindpool.example": 2, "june@": 0, "rosa@": 0} {
		if n := strings.Count(list, who); n != times {
			t.Errorf("%s has %d mails, want %d:\n%s", who, n, times, list)
		}
	}
	staff.press(asked)
	staff.sees("From the add-on Customer Portal, to those who look after it at Northwind Pool Service.")
	staff.look("dev-mail-staff")
}
