package story_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

const password = "copper lantern orbit 47"

// TestStory is the main job end to end: install, invite, sign up in five
// steps, see the invoices, see the customer as registered.
func TestStory(t *testing.T) {
	for _, database := range databases {
		for _, scripts := range []bool{true, false} {
			name := database + "/scripts"
			if !scripts {
				name = database + "/no scripts"
			}
			t.Run(name, func(t *testing.T) {
				office := mustPostOffice(t)
				p := mustStart(t, database, "SMTP_URL="+office.URL)
				staff := mustPerson(t, scripts)
				installs(staff, p)
				address := invites(staff, p)
				customer := mustPerson(t, scripts)
				signsUp(customer, office, address)
				usesPortal(customer)
				report(staff, p, address)
			})
		}
	}
}

func installs(staff *person, p *platform) {
	staff.tb.Helper()
	staff.visit(p.SignIn)
	staff.look("sign-in")
	staff.press("Sign in")
	staff.look("overview")
	staff.press("Add-ons Marketplace")
	staff.heading("Add-ons Marketplace")
	staff.look("marketplace")
	staff.press("Install")
	staff.heading("Install Customer Portal?")
	staff.look("consent")
	staff.press("Agree and install")
	staff.until("Customer Portal") // the progress leads there by itself
	staff.look("addon")
	staff.sees("/portal/northwind")
	staff.sees("in your books") // the customers are there at the first look
}

// invites sends an invitation to the first customer of the list and returns
// the address it goes to.
func invites(staff *person, p *platform) string {
	staff.tb.Helper()
	staff.press("Customers")
	staff.heading("Customers")
	staff.look("customers")
	c := newClient(staff.tb)
	c.signIn(&platform{tb: p.tb, SignIn: mustStaffLink(staff.tb, p), URL: p.URL})
	id := customerIDs(c, p, 1)[0]
	staff.visit(p.URL + "/admin/customers/" + id)
	staff.look("customer")
	staff.press("Customer Portal")
	staff.sees("Not invited")
	staff.look("customer-portal-not-invited")
	address := firstAddress.FindString(staff.text())
	staff.press("Send Invitation")
	staff.sees(address)
	staff.look("customer-portal-invited")
	return address
}

var firstAddress = regexp.MustCompile(`[a-z0-9._+-]+@[a-z0-9.-]+\.example`)

func signsUp(customer *person, office *postOffice, address string) {
	customer.tb.Helper()
	welcome := office.await(customer.tb, address, "Welcome to the Customer Portal")
	customer.visit(welcome.link(customer.tb))
	customer.look("signup-start")
	customer.fill("Email", "somebody@else.example")
	customer.fill("Password", password)
	customer.press("Sign Up")
	customer.sees("This invitation was sent to")
	customer.look("signup-start-error")
	customer.fill("Email", strings.ToUpper(address))
	customer.fill("Password", password)
	customer.press("Sign Up")
	customer.heading("Choose your customer profile")
	customer.look("signup-profile")
	customer.press("Continue")
	customer.heading("Check your mail")
	customer.look("signup-confirm")
	confirmation := office.await(customer.tb, address, "confirm")
	customer.visit(confirmation.link(customer.tb))
	customer.look("confirm-link")
	customer.press("Confirm my email")
	customer.heading("Customer Portal User Agreement")
	customer.look("signup-agreement")
	customer.press("I Accept")
}

func usesPortal(customer *person) {
	customer.tb.Helper()
	customer.sees("Open invoices")
	customer.look("home")
	customer.do(clickFirstInvoice)
	customer.look("invoice")
	customer.sees("Total")
	portal, _, _ := strings.Cut(customer.location(), "/invoices/")
	customer.visit(portal + "/security")
	customer.heading("Security")
	customer.sees("Where you are signed in")
	customer.look("security")
	customer.press("Change your password")
	customer.look("security-password")
	customer.press("Back to Security")
	customer.press("Change your email")
	customer.look("security-email")
}

func report(staff *person, p *platform, address string) {
	staff.tb.Helper()
	staff.visit(p.URL + "/admin/reports/customers")
	staff.look("report")
	staff.sees("Customer Portal Registrations")
	staff.visit(p.URL + "/admin/reports/customers?q=" + address)
	row := staff.text()
	if !strings.Contains(row, address) || !strings.Contains(row, "Registered") {
		staff.tb.Fatalf("the report does not show %s as Registered:\n%s", address, row)
	}
	staff.look("report-registered")
}

// TestDevMail shows the mails of a platform without SMTP_URL.
func TestDevMail(t *testing.T) {
	p := mustStart(t, "sqlite")
	staff := mustPerson(t, true)
	installs(staff, p)
	address := invites(staff, p)
	c := newClient(t)
	c.eventually("the mail shows at /dev/mail", func() bool {
		return strings.Contains(c.get(p.URL+"/dev/mail").Body, address)
	})
	staff.visit(p.URL + "/dev/mail")
	staff.sees("Welcome to the Customer Portal")
	staff.look("dev-mail")
	staff.press("Welcome to the Customer Portal")
	staff.sees("Create your username and password")
	staff.look("dev-mail-one")
}

// TestGarbage: a foreign or unknown biller or token is the same 404 page.
func TestGarbage(t *testing.T) {
	office := mustPostOffice(t)
	p := mustStart(t, "sqlite", "SMTP_URL="+office.URL)
	c := newClient(t)
	c.signIn(p)
	c.install(p)
	ids := customerIDs(c, p, 1)
	c.invite(p, ids[0])
	var token string
	c.eventually("the invitation is delivered", func() bool {
		mails := office.all()
		if len(mails) == 1 {
			link := mails[0].link(t)
			token = link[strings.LastIndex(link, "/")+1:]
		}
		return token != ""
	})
	garbage := c.get(p.URL + "/portal/northwind/welcome/" + strings.Repeat("x", len(token)))
	if garbage.Status != http.StatusNotFound {
		t.Fatalf("garbage token: status %d, want 404", garbage.Status)
	}
	for _, path := range []string{"/portal/harbor/welcome/" + token, "/portal/nobody/welcome/" + token, "/portal/nobody/"} {
		got := c.get(p.URL + path)
		if got.Status != http.StatusNotFound {
			t.Errorf("GET %s: status %d, want 404", path, got.Status)
		}
	}
	unknown, foreign := c.get(p.URL+"/portal/nobody/welcome/"+token), c.get(p.URL+"/portal/harbor/welcome/"+token)
	if normalised(unknown.Body) != normalised(foreign.Body) {
		t.Errorf("an unknown biller and one without the portal answer differently:\n%s\n---\n%s", unknown.Body, foreign.Body)
	}
}

var perRequest = regexp.MustCompile(`nonce="[^"]*"|R-[0-9A-Z-]+|req[-_][0-9a-zA-Z-]+`)

func normalised(body string) string { return perRequest.ReplaceAllString(body, "") }

// customerIDs reads the ids of n customers with an address from the list.
func customerIDs(c *client, p *platform, n int) []string {
	c.tb.Helper()
	var ids []string
	next := "/admin/customers"
	for len(ids) < n && next != "" {
		got := c.get(p.URL + next)
		if got.Status != http.StatusOK {
			c.tb.Fatalf("GET %s: status %d", next, got.Status)
		}
		for _, m := range customerHref.FindAllStringSubmatch(got.Body, -1) {
			if len(ids) < n && (len(ids) == 0 || ids[len(ids)-1] != m[1]) {
				ids = append(ids, m[1])
			}
		}
		next = ""
		if m := nextHref.FindStringSubmatch(got.Body); m != nil {
			next = "/admin/customers" + strings.ReplaceAll(m[1], "&amp;", "&")
		}
	}
	if len(ids) < n {
		c.tb.Fatalf("the list shows %d customers, want %d", len(ids), n)
	}
	return ids
}

var (
	customerHref = regexp.MustCompile(`href="/admin/customers/([0-9a-f-]{36})"`)
	nextHref     = regexp.MustCompile(`href="(?:/admin/customers)?(\?[^"]*after=[^"]*)"`)
)

// invite presses Send Invitation on the customer's tab, once the add-on shows it.
func (c *client) invite(p *platform, id string) page {
	c.tb.Helper()
	var got page
	c.eventually("the tab of "+id+" has the button", func() bool {
		got = c.get(p.URL + "/admin/customers/" + id + "?tab=customer-portal")
		return strings.Contains(got.Body, "Send Invitation")
	})
	f := mustForm(c.tb, got, "Send Invitation")
	return c.post(got.URL.ResolveReference(f.action).String(), f.values)
}

func (o *postOffice) await(tb testing.TB, to, subject string) letter {
	tb.Helper()
	var got letter
	newClient(tb).eventually(fmt.Sprintf("a mail %q to %s arrives", subject, to), func() (ok bool) {
		got, ok = o.newest(to, subject)
		return ok
	})
	return got
}
