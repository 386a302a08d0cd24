package story_test

import (
	"strings"
	"testing"
)

// TestPeople: an invitation is forwarded, the colleague asks for access and is let
// in through real mail by staff who prove anew who they are, staff manage the person,
// who erases the sign-in at last.
func TestPeople(t *testing.T) {
	t.Parallel()
	office := mustPostOffice(t)
	p := mustStart(t, "sqlite", "SMTP_URL="+office.URL)
	staff, customer, colleague := mustPerson(t, true), mustPerson(t, true), mustPerson(t, true)
	for _, page := range []string{"sign-in", "overview", "marketplace", "consent", "addon", "customers", "customer", "customer-portal-not-invited", "customer-portal-invited"} {
		staff.seen[page] = true // other tests look at these
	}
	for _, page := range []string{"signup-start", "signup-start-error", "signup-profile", "signup-confirm", "confirm-link", "signup-agreement"} {
		customer.seen[page] = true
	}
	installs(staff, p)
	address := invites(staff, p)
	tab := staff.location()
	const jo = "jo.accounts@colleague.example"
	forwarded := office.await(t, address, "Welcome to the Customer Portal").link(t)
	asksForAccess(customer, forwarded, jo)
	customer.visit(forwarded + "/access")
	customer.fill("Your name", "Somebody Else")
	customer.fill("Your email", "else@colleague.example")
	customer.press("Send the request")
	customer.heading("Somebody has already asked with this link")
	customer.look("people-asked-already")

	staff.visit(p.URL + "/admin/addons/customer-portal/")
	staff.sees("1 request for access")
	staff.look("people-addon")
	staff.press("1 request for access")
	staff.look("people-requests")
	staff.visit(tab)
	staff.look("people-tab-request")
	p.proves(staff, office, "Approve")
	staff.sees("Requests for access") // nothing has happened yet
	staff.press("Approve")
	staff.sees("The invitation to the person who asked is on its way.")
	staff.look("people-tab-invited")

	colleague.visit(office.await(t, jo, "Your request to").link(t))
	colleague.fill("Email", jo)
	colleague.fill("Password", password)
	colleague.press("Sign Up")
	colleague.press("Continue")
	colleague.visit(office.await(t, jo, "confirm").link(t))
	colleague.press("Confirm my email")
	colleague.press("I Accept")
	colleague.sees("Open invoices")

	staff.visit(tab)
	staff.sees(jo)
	staff.look("people-tab")
	staff.press("Manage")
	staff.heading(jo)
	staff.look("people-person")
	staff.press("Disable")
	staff.heading("Disable the sign-in of " + jo + "?")
	staff.look("people-disable")
	staff.press("Disable")
	staff.sees("This sign-in is disabled.")
	staff.look("people-disabled")
	staff.press("Enable")
	office.await(t, jo, "disabled")

	portal, _, _ := strings.Cut(colleague.location(), "/?")
	portal = strings.TrimSuffix(portal, "/")
	colleague.visit(portal + "/sign-in")
	colleague.fill("Email", jo)
	colleague.fill("Password", password)
	colleague.press("Sign in")
	colleague.visit(portal + "/security/erase")
	colleague.heading("Erase my sign-in")
	colleague.look("people-erase")
	colleague.fill("Current password", password)
	colleague.press("Erase my sign-in for good")
	colleague.heading("Your sign-in is erased")
	office.await(t, jo, "erased")
}

// asksForAccess is what somebody does who holds another's invitation.
func asksForAccess(b *person, link, jo string) {
	b.tb.Helper()
	b.visit(link)
	b.fill("Email", jo)
	b.fill("Password", password)
	b.press("Sign Up")
	b.sees("This invitation was sent to")
	b.look("people-other-address")
	b.press("Ask Northwind Pool Service for access")
	b.look("people-ask")
	b.fill("Your name", "Jo Mercer")
	b.fill("Your email", jo)
	b.press("Send the request")
	b.sees("We have asked")
	b.look("people-asked")
}
