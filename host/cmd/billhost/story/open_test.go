package story_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	longAddress = "maximiliane.accounts-payable.department@longcompanynamewithoutanyspaces.international.example"

	twin  = "kim@harbourside.example"
	twins = `Name,Display name,Account number,Email
Harbourside Ltd,Harbourside,HS-1,kim@harbourside.example
Kim Harbour,Kim Harbour,HS-2,kim@harbourside.example
Kim Boathouse,Kim Boathouse,HS-3,kim@harbourside.example
`
)

var sixDigits = regexp.MustCompile(`(?m)^\s*([0-9]{6})\s*$`)

// TestOpenSignUp: somebody signs up from the portal link for one of three customers
// with the address, adds the second and does without the third.
func TestOpenSignUp(t *testing.T) {
	for _, database := range databases {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			office := mustPostOffice(t)
			p := mustStart(t, database, "SMTP_URL="+office.URL)
			c := newClient(t)
			c.signIn(p)
			c.install(p)
			file := filepath.Join(t.TempDir(), "twins.csv")
			if err := os.WriteFile(file, []byte(twins), 0o600); err != nil {
				t.Fatal(err)
			}
			if out := p.mustRun("import", "--biller", "northwind", file); !strings.Contains(out, "3 created") {
				t.Fatalf("import printed:\n%s", out)
			}
			c.eventually("the portal knows the customers", func() bool {
				return strings.Contains(c.get(p.URL+"/admin/reports/customers?q=harbourside.example").Body, "HS-3")
			})
			signsUpAlone(mustPerson(t, database == databases[0]), office, p.URL+"/portal/northwind")
			got := c.get(p.URL + "/admin/reports/customers?q=harbourside.example&status=Registered").Body
			if !strings.Contains(got, "HS-1") || !strings.Contains(got, "HS-2") || strings.Contains(got, "HS-3") {
				t.Errorf("the report of those who are registered:\n%s", got)
			}
			downloads(c, p)
		})
	}
}

func signsUpAlone(b *person, office *postOffice, portal string) {
	b.tb.Helper()
	b.visit(portal + "/sign-in")
	b.look("portal-sign-in")
	b.press("Sign up")
	b.heading("Sign up")
	b.look("open-start")
	b.fill("Email", longAddress)
	b.press("Continue")
	b.look("open-code-long") // no sideways scroll
	b.press("Use another address")
	b.fill("Email", twin)
	b.press("Continue")
	b.heading("Check your mail")
	b.look("open-code")
	b.fill("Six-digit code", "000000")
	b.press("Confirm my email")
	b.look("open-code-error")
	code := sixDigits.FindStringSubmatch(office.await(b.tb, twin, "confirm").Raw)
	if code == nil {
		b.tb.Fatal("the mail has no code")
	}
	b.fill("Six-digit code", code[1])
	b.press("Confirm my email")
	b.heading("Create your sign-in")
	b.look("open-choose")
	b.do(chromedp.Click(chromedp.Search(`//input[@name="profile"]`)))
	b.fill("Password", "password1234")
	b.press("Sign Up")
	b.look("open-choose-error")
	b.fill("Password", password)
	b.press("Sign Up")
	b.heading("Customer Portal User Agreement")
	b.look("open-agreement")
	b.press("I Accept")
	b.sees("another customer profile with your address: Kim Boathouse")
	b.look("open-home")
	b.press("Dismiss")
	b.sees("another customer profile with your address: Kim Harbour")
	b.press("Add")
	b.sees("Kim Harbour was added to your portal.")
	b.look("open-added")
	b.visit(portal + "/nowhere")
	b.heading("This page is not here")
	b.look("not-found-signed-in")
	b.press("Sign out")
	b.sees("You are signed out.")
}

// downloads takes the report of the whole biller as a file, and looks for it in
// the audit.
func downloads(c *client, p *platform) {
	c.tb.Helper()
	got := c.get(p.URL + "/admin/addons/customer-portal/registrations/download?q=harbourside.example")
	if kind := got.Header.Get("Content-Type"); kind != "text/csv; charset=utf-8" || strings.Count(got.Body, "HS-") != 3 {
		c.tb.Errorf("status %d, %q:\n%s", got.Status, kind, got.Body)
	}
	c.eventually("the audit knows of the file", func() bool {
		_, text := p.exported()
		return strings.Contains(text, `"report.exported"`)
	})
}
