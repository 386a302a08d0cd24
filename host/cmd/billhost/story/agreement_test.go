package story_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// set puts a value into the field with the id.
func (p *person) set(id, value string) {
	p.tb.Helper()
	script := fmt.Sprintf("document.getElementById(%s).value = %s; 0", strconv.Quote(id), strconv.Quote(value))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[int](script)); err != nil {
		p.tb.Fatalf("set %s: %v\n%s", id, err, p.text())
	}
}

// open opens what the selector finds.
func (p *person) open(selector string) {
	p.tb.Helper()
	script := fmt.Sprintf("document.querySelector(%s).open = true; 0", strconv.Quote(selector))
	if _, err := chromedp.Run(p.ctx, chromedp.Evaluate[int](script)); err != nil {
		p.tb.Fatalf("open %s: %v\n%s", selector, err, p.text())
	}
}

const newAgreement = `This agreement is between you and **Northwind**, the company that invited you to its customer portal ("we"). It covers how you use the portal to see and to pay what you owe us.

## 1. Your sign-in

Your username is your email address. Keep your password to yourself. Whoever signs in with it acts for you here. Tell us at once if you think somebody else knows it:

- by phone, [on any day](https://northwind.example/contact),
- by mail to <office@northwind.example>, and
  1. say which account it is about,
  2. say when you last signed in.

## 2. What you see

The portal shows the invoices and balances of the customer accounts you have been given access to, as they stand in our books. If something looks wrong, tell us; the portal does not replace the terms of our invoices.

## 3. Courts

The courts of Clearwater decide.
`

// TestAgreement: a new version is written, looked at and published; the customer
// sees what is new and accepts it; both can prove it.
func TestAgreement(t *testing.T) {
	t.Parallel()
	office := mustPostOffice(t)
	p := mustStart(t, "sqlite", "SMTP_URL="+office.URL)
	staff, customer := mustPerson(t, true), mustPerson(t, true)
	for _, page := range []string{"sign-in", "overview", "marketplace", "consent", "customers", "customer", "customer-portal-not-invited", "customer-portal-invited"} {
		staff.seen[page] = true // other tests look at these
	}
	for _, page := range []string{"signup-start", "signup-start-error", "signup-profile", "signup-confirm", "confirm-link"} {
		customer.seen[page] = true
	}
	installs(staff, p)
	address := invites(staff, p)
	tab := staff.location()
	signsUp(customer, office, address)
	customer.sees("Open invoices")

	staff.visit(p.URL + "/admin/addons/customer-portal/")
	staff.press("User agreement")
	staff.heading("User agreement")
	staff.look("agreement-versions")
	staff.press("New version")
	staff.heading("New version")
	staff.set("customer-portal-agreement-text", newAgreement)
	staff.press("Preview")
	staff.sees("What is new since version 1")
	staff.look("agreement-draft")
	staff.set("customer-portal-agreement-on", time.Now().AddDate(0, 0, -9).Format(time.DateOnly))
	staff.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Run(ctx, chromedp.Evaluate[int](`document.querySelector("main textarea").form.noValidate = true; 0`))
		return err
	}))
	staff.press("Publish")
	staff.sees("That day is over")
	staff.look("agreement-draft-wrong")
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	publish := func() {
		staff.set("customer-portal-agreement-on", time.Now().In(zone).Format(time.DateOnly))
		staff.press("Publish")
	}
	if publish(); strings.Contains(staff.text(), "That day is over") { // it ended before the press
		publish()
	}
	staff.sees("Version 2 is published.")
	staff.look("agreement-published")
	staff.press("Version 2")
	staff.heading("Version 2 In force")
	staff.look("agreement-version")

	customer.visit(p.URL + "/portal/northwind/")
	customer.heading("Customer Portal User Agreement")
	customer.sees("What is new in version 2")
	customer.look("agreement-differences")
	customer.open("details")
	customer.sees("Version 1 accepted")
	customer.look("agreement-before")
	customer.press("Erase my sign-in")
	customer.heading("Erase my sign-in")
	customer.look("agreement-erase")
	customer.press("Back to the agreement")
	staff.visit(p.URL + "/admin/reports/customers?q=" + address)
	staff.sees("Pending")
	staff.look("agreement-pending")
	customer.press("I Accept")
	customer.sees("Open invoices")
	customer.visit(p.URL + "/portal/northwind/security")
	customer.sees("Version 2 accepted")
	customer.look("agreement-accepted")
	staff.visit(tab)
	staff.sees("Version 2 accepted")
	staff.look("agreement-customer")
}
