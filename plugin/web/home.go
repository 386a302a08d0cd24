package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// maxOpenInvoices is how many open invoices the home page lists.
const maxOpenInvoices = 200

// portalPage is the frame of pages behind the sign-in.
type portalPage struct {
	frame
	// Profile is the customer looked at, Profiles all that may be.
	Profile     portal.Grant
	Profiles    []portal.Grant
	SignInEmail string
	// Current is the value of the tab's aria-current.
	Current string
}

// homePage lists what one customer owes.
type homePage struct {
	portalPage
	Offers []offer
	// Added is a notice after **Add**.
	Added          string
	Total, Summary string
	Groups         []dueGroup
	Chart          *dueChart
	Open           []openInvoice
	More           bool
}

// offer is a customer that can be added, and where.
type offer struct {
	portal.Offer
	// Add and Dismiss take posts; Dismiss is empty for what an invitation offers.
	Add, Dismiss string
}

func (v *visit) offers(list []portal.Offer) []offer {
	out := make([]offer, len(list))
	for i, o := range list {
		out[i] = offer{Offer: o, Add: v.Path("/offers/" + url.PathEscape(o.InvitationID) + "/add")}
		if o.Match() {
			path := v.Path("/matches/" + url.PathEscape(o.CustomerID))
			out[i].Add, out[i].Dismiss = path+"/add", path+"/dismiss"
		}
	}
	return out
}

// HowToPay says whom to call, to those who may pay.
func (p homePage) HowToPay() template.HTML {
	if !p.Profile.MayPay() {
		return p.Rich("home.viewer", "Biller", p.Name())
	}
	return p.ask("home.pay")
}

// openInvoice is a row of the home page.
type openInvoice struct {
	Href, Title, Number string
	Due                 template.HTML
	Badge               badge
	Balance, Of         string
}

// portalPage picks the customer: the one chosen before, if it is still granted, else
// the one the person has had longest, so that adding others switches nothing.
func (v *visit) portalPage(title, current string) portalPage {
	p := portalPage{frame: v.titled(title), Profiles: v.session.Grants, SignInEmail: v.session.Email, Current: current}
	if chosen, err := v.session.Customer(v.cookie(cookieProfile)); err == nil {
		p.Profile = chosen
	} else if first, ok := v.session.First(); ok {
		p.Profile = first
	} else {
		p.Profile.Name = v.session.Email
	}
	return p
}

// home shows the open invoices of the chosen customer: one call to the host for
// the biller, one for the invoices.
func (s *Web) home(v *visit) error {
	offers, err := s.service.Offers(v.r.Context(), v.caller, v.cookie(cookieSession))
	if err != nil {
		return err
	}
	p := homePage{portalPage: v.portalPage(v.T("home.title"), "page"), Offers: v.offers(offers)}
	if p.Added = v.added(p.Profile); p.Added == "" {
		p.Added = v.addedMany()
	}
	if p.Profile.CustomerID == "" && len(offers) == 0 {
		return v.message(http.StatusForbidden, messagePage{
			Icon: "lock", Heading: v.T("message.noaccess.title"), Lead: v.ask("message.noaccess"),
			Does: &action{Label: v.T("menu.signout"), Href: v.Path("/sign-out")},
		})
	}
	if p.Profile.CustomerID != "" {
		list, err := s.host.Invoices.ListInvoices(v.r.Context(), sdk.InvoiceQuery{CustomerID: p.Profile.CustomerID, OpenOnly: true, Limit: maxOpenInvoices})
		if err != nil {
			return err
		}
		p.fill(list, v.Today(s.now()))
	}
	return s.pages.home.Render(v.w, v.r, http.StatusOK, p)
}

func (p *homePage) fill(list sdk.InvoicePage, today time.Time) {
	p.More = list.Next != ""
	for _, inv := range list.Invoices {
		row := openInvoice{
			Href: p.Path("/invoices/" + url.PathEscape(inv.ID)), Title: heading(p.frame, inv), Number: inv.Number,
			Due: p.TimeDay(inv.DueOn), Badge: dueBadge(p.Text, inv, today), Balance: p.Money(inv.Balance),
		}
		if inv.Paid.Minor != 0 {
			row.Of = p.T("home.of", "Total", p.Money(inv.Total))
		}
		p.Open = append(p.Open, row)
	}
	due := dueOf(list.Invoices, today)
	p.Total = due.total().text(p.Text)
	p.Groups = due.groups(p.Text)
	p.Chart = due.chart(p.Text)
	key := "home.summary"
	if p.More {
		key = "home.summary.more"
	}
	p.Summary = p.N(key, len(list.Invoices), "Date", p.Day(today))
}

// switchProfile chooses the customer to look at; only granted ones count.
func (s *Web) switchProfile(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	grant, err := v.session.Customer(f.Text("customer"))
	if err != nil {
		return err
	}
	v.setCookie(cookieProfile, grant.CustomerID, v.session.ExpiresAt)
	return v.redirect("/")
}

// addOffer is **Add**: it makes the grant.
func (s *Web) addOffer(v *visit) error {
	customerID, err := s.service.Add(v.r.Context(), v.caller, v.cookie(cookieSession), v.r.PathValue("id"))
	if errors.Is(err, portal.ErrOfferGone) {
		f, unread := web.ParseForm(v.w, v.r)
		if unread != nil {
			return err
		}
		customerID = f.Value("customer")
	}
	return v.addedOnce(customerID, err)
}

// addedOnce leads home, which tells what was added: also who pressed twice.
func (v *visit) addedOnce(customerID string, err error) error {
	if errors.Is(err, portal.ErrOfferGone) {
		now, lost := v.web.service.Session(v.r.Context(), v.caller, v.cookie(cookieSession))
		if lost != nil {
			return lost
		}
		if _, missing := now.Customer(customerID); missing == nil {
			err = nil
		}
	}
	if err != nil {
		return err
	}
	return v.redirect("/?added=" + url.QueryEscape(customerID))
}

// addAllOffers is **Add all** of the offers that the page listed: each on its own,
// so that one which is gone keeps nobody from the others.
func (s *Web) addAllOffers(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	ctx, session, n := v.r.Context(), v.cookie(cookieSession), 0
	for _, id := range f.Values("offer") {
		_, err := s.service.Add(ctx, v.caller, session, id)
		if err != nil && !errors.Is(err, portal.ErrOfferGone) {
			return err
		}
		if err == nil {
			n++
		}
	}
	for _, id := range f.Values("match") {
		err := s.service.AddMatch(ctx, v.caller, session, id)
		if err != nil && !errors.Is(err, portal.ErrOfferGone) {
			return err
		}
		if err == nil {
			n++
		}
	}
	return v.redirect("/?added=all&n=" + strconv.Itoa(n))
}

// addMatch is **Add** of a customer that has the address: it makes the grant.
func (s *Web) addMatch(v *visit) error {
	id := v.r.PathValue("id")
	return v.addedOnce(id, s.service.AddMatch(v.r.Context(), v.caller, v.cookie(cookieSession), id))
}

// dismissMatch is **Dismiss**; of one that is gone already, too.
func (s *Web) dismissMatch(v *visit) error {
	err := s.service.DismissMatch(v.r.Context(), v.caller, v.cookie(cookieSession), v.r.PathValue("id"))
	if err != nil && !errors.Is(err, portal.ErrOfferGone) {
		return err
	}
	return v.redirect("/")
}

// addedMany counts the customers that were added just now, after **Add all**.
func (v *visit) addedMany() string {
	if web.QueryValue(v.r, "added") != "all" {
		return ""
	}
	recent := 0
	for _, g := range v.session.Grants {
		if v.justNow(g.CreatedAt) {
			recent++
		}
	}
	n, err := strconv.Atoi(web.QueryValue(v.r, "n"))
	if err != nil || n < 1 || recent == 0 {
		return ""
	}
	return v.N("offer.all.done", min(n, recent))
}

// fresh is how long what somebody did is told of on the page that follows.
const fresh = 2 * time.Minute

// justNow reports whether something happened so recently that the page after it
// may say so: an address alone makes no notice.
func (v *visit) justNow(at time.Time) bool {
	ago := v.web.now().Sub(at)
	return ago >= 0 && ago < fresh
}

// added says which customer was added, after the redirect.
func (v *visit) added(shown portal.Grant) string {
	grant, err := v.session.Customer(web.QueryValue(v.r, "added"))
	switch {
	case err != nil || !v.justNow(grant.CreatedAt):
		return ""
	case grant.CustomerID == shown.CustomerID:
		return v.T("offer.added", "Customer", grant.Name)
	}
	return v.T("offer.added.switch", "Customer", grant.Name)
}
