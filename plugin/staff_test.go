package main

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestTabInvitesAndTells(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		tab := r.staff(wire.Slot, portal.AbilityInvite)
		p := tab.open("/customer?customer=c1").wants(200, "Not invited", elena, "Never", "Nobody yet")
		staff := r.staff(wire.Staff, portal.AbilityInvite)
		p = staff.press(p, "Send Invitation").wants(303)
		if p.location != "/admin/customers/c1?notice=sent&tab=customer-portal" {
			t.Fatalf("leads to %q", p.location)
		}
		r.mail("invitation", elena, 1)
		r.eventually("status Sent", func() bool { return r.status("c1") == "Sent" })
		p = tab.open("/customer?customer=c1&notice=sent").wants(200, "Sent", "is on its way", "1 (at most 5 a day)", "By Dana Whitfield", "Mail sent").lacks("Why is it stuck?")
		p = staff.press(p, "Send Invitation").wants(303)
		if !strings.Contains(p.location, "error=too_many_requests") {
			t.Fatalf("leads to %q", p.location)
		}
		tab.open("/customer?customer=c1&error=too_many_requests").wants(200, "An invitation to "+elena+" was sent a moment ago. The next one can go out from")

		p = tab.open("/customer?customer=c1")
		p = staff.press(p, "Get a link to copy").wants(200, "http://portal.test/portal/northwind/welcome/", "Copy")
		link := p.text()[strings.Index(p.text(), "/welcome/"):]
		r.browser(northwind).open(strings.Fields(link)[0]).wants(200, "Hello, Rivera Family")
		if diff := cmp.Diff([]string{"invitation.linked", "invitation.sent"}, auditActions(r)); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

func TestStuckOnlyAfterAWhile(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	tab, staff := r.staff(wire.Slot, portal.AbilityInvite), r.staff(wire.Staff, portal.AbilityInvite)
	staff.press(tab.open("/customer?customer=c1"), "Send Invitation").wants(303)
	r.eventually("status Sent", func() bool { return r.status("c1") == "Sent" })
	tab.open("/customer?customer=c1").wants(200, "Sent").lacks("Why is it stuck?")
	r.clock.advance(11 * time.Minute)
	tab.open("/customer?customer=c1").wants(200, "Why is it stuck?", "spam")
}

func TestTabOfRegisteredAndUnreachableCustomers(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	tab := r.staff(wire.Slot, portal.AbilityInvite)
	tab.open("/customer?customer=c1").wants(200, "Registered", "People with access", elena, "Agreement accepted").lacks("Send Invitation", "Why is it stuck")
	tab.open("/customer?customer=c4").wants(200, "No email", "The customer profile has no email address").lacks("Send Invitation")
	odd := customers()[3]
	odd.Email, odd.Version = "no mail at all", 2
	if err := r.Handle(t.Context(), northwind, sdk.Event{ID: "odd", Kind: sdk.CustomerUpdated, At: time.Now(), Customer: odd}); err != nil {
		t.Fatal(err)
	}
	tab.open("/customer?customer=c4").wants(200, "No email", "has a mistake").lacks("Send Invitation", "has no email address")
	tab.open("/customer?customer=x1").wants(404)
	tab.open("/customer?customer=").wants(404)
	staff := r.staff(wire.Staff, portal.AbilityInvite)
	for _, id := range []string{"x1", "none"} {
		staff.do(http.MethodPost, "/customers/"+id+"/invite", url.Values{}).wants(404)
		staff.do(http.MethodPost, "/customers/"+id+"/link", url.Values{}).wants(404)
	}
	if p := staff.do(http.MethodPost, "/customers/c4/link", url.Values{}); !strings.Contains(p.location, "error=not_found") {
		t.Errorf("%d %q", p.status, p.location)
	}
}

func TestStaffNeedAbilities(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	for _, tt := range []struct {
		surface      wire.Surface
		method, path string
		ability      string
	}{
		{wire.Staff, http.MethodGet, "/", portal.AbilityInvite},
		{wire.Staff, http.MethodGet, "/customers/c1", portal.AbilityInvite},
		{wire.Staff, http.MethodPost, "/customers/c1/invite", portal.AbilityInvite},
		{wire.Staff, http.MethodPost, "/customers/c1/link", portal.AbilityInvite},
		{wire.Staff, http.MethodGet, "/registrations", portal.AbilityReport},
		{wire.Slot, http.MethodGet, "/customer?customer=c1", portal.AbilityInvite},
		{wire.Slot, http.MethodGet, "/registrations", portal.AbilityReport},
	} {
		other := portal.AbilityReport
		if tt.ability == other {
			other = portal.AbilityInvite
		}
		form := url.Values{}
		if tt.method == http.MethodGet {
			form = nil
		}
		r.staff(tt.surface, other, portal.AbilityConfigure).do(tt.method, tt.path, form).wants(403, "Your role does not allow this.")
		public := r.browser(northwind)
		public.surface = tt.surface
		public.do(tt.method, tt.path, form).wants(403)
	}
	inviter := r.Invite(r.StaffCall(northwind, portal.AbilityReport))
	_, sendErr := inviter.Send(t.Context(), "c1")
	_, linkErr := inviter.Link(t.Context(), "c1")
	_, statusErr := inviter.Status(t.Context(), "c1")
	reportErr := r.Report(r.StaffCall(northwind, portal.AbilityInvite)).Registrations(t.Context(), sdk.RegistrationQuery{}, func(sdk.Registration) error { return nil })
	for _, err := range []error{sendErr, linkErr, statusErr, reportErr} {
		if !apperr.Is(err, apperr.PermissionDenied) {
			t.Errorf("got %v", err)
		}
	}
}

// TestReportLinksOnlyWhereItsReaderMayGo: rows lead to the portal's tab for those who
// may invite, for others to the customer's page.
func TestReportLinksOnlyWhereItsReaderMayGo(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	for _, surface := range []wire.Surface{wire.Slot, wire.Staff} {
		both := r.staff(surface, portal.AbilityReport, portal.AbilityInvite).open("/registrations").wants(200)
		reader := r.staff(surface, portal.AbilityReport).open("/registrations").wants(200)
		if !strings.Contains(both.body, `href="/admin/customers/c1?tab=customer-portal"`) {
			t.Error("no link to the tab for those who may open it")
		}
		if !strings.Contains(reader.body, `href="/admin/customers/c1"`) || strings.Contains(reader.body, "tab=customer-portal") {
			t.Errorf("links for a reader:\n%s", reader.body)
		}
	}
}

func TestAddonPageCounts(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	p := r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityReport).open("/").wants(200,
		"Portal link", "http://portal.test/portal/northwind", "Customers 4 in your books", "Registered 1 25% of customers", "Not invited 2", "No email 1")
	for _, want := range []string{`id="portal-link"`, `data-copy="#portal-link"`, `href="/admin/addons/addon/registrations?status=No+email"`} {
		if !strings.Contains(html.UnescapeString(p.body), want) {
			t.Errorf("%q is missing", want)
		}
	}
	r.staff(wire.Staff, portal.AbilityInvite).open("/").wants(200).lacks("/registrations")
}

func TestRegistrationsSearchSortAndFilter(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		s := r.staff(wire.Slot, portal.AbilityReport)
		names := func(query string) []string {
			t.Helper()
			p := s.open("/registrations" + query).wants(200)
			var out []string
			for n := range p.doc.Descendants() {
				if n.Data == "th" && attr(n, "scope") == "row" {
					for a := range n.Descendants() {
						if a.Data == "a" {
							out = append(out, textOf(a))
						}
					}
				}
			}
			return out
		}
		harbor := `<b>Harbor</b> & "View"`
		for query, want := range map[string][]string{
			"":                                {harbor, "No Mail", "Rivera Family", "Rivera Rentals LLC"},
			"?sort=-display_name":             {"Rivera Rentals LLC", "Rivera Family", "No Mail", harbor},
			"?q=river":                        {"Rivera Family", "Rivera Rentals LLC"},
			"?q=treasurer%40har":              {harbor},
			"?q=nw-12":                        {harbor},
			"?status=Registered":              {"Rivera Family"},
			"?status=No+email":                {"No Mail"},
			"?q=nobody":                       nil,
			"?sort=nonsense&status=nonsense":  {harbor, "No Mail", "Rivera Family", "Rivera Rentals LLC"},
			"?sort=-email_confirmed&q=rivera": {"Rivera Family", "Rivera Rentals LLC"},
		} {
			if diff := cmp.Diff(want, names(query)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", query, diff)
			}
		}
		p := s.open("/registrations?sort=-display_name").wants(200, "Email Confirmed", "Yes", "No")
		for _, want := range []string{`aria-sort="descending"`, `href="/admin/customers/c1"`, `href="?sort=display_name"`} {
			if !strings.Contains(p.body, want) {
				t.Errorf("%q is missing in %s", want, p.body)
			}
		}
		s.open("/registrations?q=rivera").wants(200, "Rivera Family Elena Rivera · NW-1042", "Rivera Rentals LLC NW-1107", "1–2 of 2 customers")
		s.open("/registrations?q=nobody").wants(200, "No customer matches.", "Show all customers")
	})
}

func TestRegistrationsPages(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		for i := range 60 {
			id := "p" + string(rune('a'+i/26)) + string(rune('a'+i%26))
			h.AddCustomer(northwind, sdk.Customer{ID: id, Name: "Person " + id, Email: id + "@example.com", Version: 1})
		}
	})
	s := r.staff(wire.Slot, portal.AbilityReport)
	r.eventually("all customers", func() bool { return strings.Contains(s.open("/registrations?q=pch").body, "Person pch") })
	seen := map[string]bool{}
	p := s.open("/registrations?q=person").wants(200, "1–25 of 60 customers").lacks("Previous")
	for pages := 1; ; pages++ {
		next, previous := "", ""
		for n := range p.doc.Descendants() {
			if n.Data == "a" && strings.HasPrefix(textOf(n), "Person ") {
				seen[textOf(n)] = true
			}
			if n.Data == "a" && textOf(n) == "Next" {
				next = attr(n, "href")
			}
			if n.Data == "a" && textOf(n) == "Previous" {
				previous = attr(n, "href")
			}
		}
		if next == "" {
			if pages != 3 {
				t.Errorf("%d pages, want 3", pages)
			}
			s.open("/registrations"+previous).wants(200, "26–50 of 60 customers", "Person pba", "Previous", "Next")
			break
		}
		p = s.open("/registrations" + next)
	}
	if len(seen) != 60 {
		t.Errorf("%d customers on all pages, want 60", len(seen))
	}
	p.wants(200, "51–60 of 60 customers", "First page")
}

func TestMailThatIsRefusedShowsUp(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.SendFn = func(context.Context, string, sdk.Message) (sdk.MailResult, error) {
			return sdk.MailResult{}, apperr.Errorf(apperr.Invalid, "550 5.1.1 Mailbox does not exist")
		}
	})
	if _, err := r.staffInviter().Send(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	r.eventually("status Bounced", func() bool { return r.status("c1") == "Bounced" })
	r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, "Mail failed", "550 5.1.1 Mailbox does not exist", "The mail could not be delivered.")
}

func TestMailServerDownIsOutlasted(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	keys := make(chan string, 10)
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.SendFn = func(_ context.Context, _ string, m sdk.Message) (sdk.MailResult, error) {
			keys <- m.Key
			if tries.Add(1) == 1 {
				return sdk.MailResult{}, apperr.Errorf(apperr.Unavailable, "No connection.")
			}
			return sdk.MailResult{}, nil
		}
	})
	if _, err := r.staffInviter().Send(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	first := <-keys
	r.clock.advance(10e9)
	r.eventually("status Sent", func() bool { return r.status("c1") == "Sent" })
	if second := <-keys; second != first {
		t.Errorf("keys %q and %q differ", first, second)
	}
}
