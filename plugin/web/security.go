package web

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// recentShown is how many activities the security page lists.
const recentShown = 20

// securityPage is where a person looks after their sign-in.
type securityPage struct {
	portalPage
	// Notice is a notice after a redirect.
	Notice string
	// Pending is a new address that waits for its code; empty if none does.
	Pending  string
	Browsers []browserRow
	Recent   []activityRow
	// Accepted are the versions of the user agreement.
	Accepted []acceptanceRow
}

// browserRow is a browser that is signed in.
type browserRow struct {
	ID, Name, IP string
	Seen         template.HTML
	Current      bool
}

// activityRow is something that happened.
type activityRow struct {
	What, From string
	When       template.HTML
}

func (s *Web) securityRoutes() []publicRoute {
	return []publicRoute{
		{"GET /security", member, s.securityPage},
		{"POST /security/sessions/end", member, s.endSession},
		{"POST /security/sessions/others", member, s.endOthers},
		{"GET /security/agreements/{version}/{file}", signedIn, s.myProof},
		{"GET /security/email", member, s.addressForm},
		{"POST /security/email", member, s.changeAddress},
		{"POST /security/email/confirm", member, s.confirmAddress},
	}
}

func (s *Web) securityPage(v *visit) error {
	ctx := v.r.Context()
	browsers, err := s.service.SignedInBrowsers(ctx, v.caller, v.cookie(cookieSession))
	if err != nil {
		return err
	}
	recent, err := s.service.RecentActivity(ctx, v.caller, v.session, recentShown)
	if err != nil {
		return err
	}
	page := securityPage{portalPage: v.portalPage(v.T("security.title"), "false"), Notice: v.securityNotice(recent)}
	if page.Accepted, err = v.myAcceptances(); err != nil {
		return err
	}
	pending, err := s.service.PendingAddress(ctx, v.caller, v.session)
	if err != nil && !errors.Is(err, portal.ErrNoAddressChange) {
		return err
	}
	page.Pending = pending.Email
	for _, b := range browsers {
		page.Browsers = append(page.Browsers, browserRow{ID: b.ID, Name: v.browserName(b.Agent), IP: b.IP, Seen: v.TimeMoment(b.SeenAt), Current: b.Current})
	}
	slices.SortStableFunc(page.Browsers, func(a, b browserRow) int {
		switch {
		case a.Current == b.Current:
			return 0
		case a.Current:
			return -1
		}
		return 1
	})
	for _, a := range recent {
		page.Recent = append(page.Recent, activityRow{What: v.did(a), From: v.from(a), When: v.TimeMoment(a.At)})
	}
	return s.pages.security.Render(v.w, v.r, http.StatusOK, page)
}

// from says where somebody did something from.
func (v *visit) from(a portal.Activity) string {
	if a.By.ID != "" {
		return v.T("security.by", "Biller", v.Name())
	}
	name := v.browserName(a.Agent)
	if a.IP == "" {
		return name
	}
	return name + ", " + a.IP
}

// browserName is what people call the browser.
func (f frame) browserName(agent string) string { return f.Browser(agent) }

// did says what happened; of a profile that the person sees, which.
func (v *visit) did(a portal.Activity) string {
	if g, err := v.session.Customer(a.CustomerID); err == nil && a.Action == portal.ActionAccessAdded {
		return v.T("security.added", "Customer", g.Name)
	}
	return v.T("activity." + string(a.Action))
}

// securityNotice says what was done just now: an address alone makes no notice.
func (v *visit) securityNotice(recent []portal.Activity) string {
	q := v.r.URL.Query()
	did := map[string]portal.Action{
		"ended": portal.ActionSessionEnded, "others": portal.ActionSessionEnded,
		"password": portal.ActionPasswordChanged, "email": portal.ActionAddressChanged,
	}[q.Get("notice")]
	if q.Get("notice") == "others" && q.Get("n") == "0" {
		return v.N("security.others", 0)
	}
	if !slices.ContainsFunc(recent, func(a portal.Activity) bool { return a.Action == did && v.justNow(a.At) }) {
		return ""
	}
	switch q.Get("notice") {
	case "ended":
		return v.T("security.ended")
	case "others":
		n, err := strconv.Atoi(q.Get("n"))
		if err != nil || n < 0 {
			n = 0
		}
		return v.N("security.others", n)
	case "password":
		return v.T("change.done")
	case "email":
		return v.T("address.done", "Email", v.session.Email)
	}
	return ""
}

// endSession is **Sign out** of another browser.
func (s *Web) endSession(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	id := f.Value("session")
	name, err := v.signedInName(id)
	if err != nil {
		return err
	}
	done, err := v.withPassword(againPage{Button: v.T("security.end", "Browser", name)}, f, func(password string) error {
		err := s.service.EndSession(v.r.Context(), v.caller, v.cookie(cookieSession), password, id)
		if apperr.Is(err, apperr.NotFound) {
			return nil // it is over, as was wanted
		}
		return err
	})
	if !done {
		return err
	}
	return v.redirect("/security?notice=ended")
}

// signedInName is what people call the browser of a session of theirs.
func (v *visit) signedInName(id string) (string, error) {
	browsers, err := v.web.service.SignedInBrowsers(v.r.Context(), v.caller, v.cookie(cookieSession))
	if err != nil {
		return "", err
	}
	for _, b := range browsers {
		if b.ID == id {
			return v.browserName(b.Agent), nil
		}
	}
	return v.T("security.browser.unknown"), nil
}

// endOthers is **Sign out everywhere else**.
func (s *Web) endOthers(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	ended := 0
	done, err := v.withPassword(againPage{Button: v.T("security.everywhere")}, f, func(password string) (err error) {
		ended, err = s.service.EndOtherSessions(v.r.Context(), v.caller, v.cookie(cookieSession), password)
		return err
	})
	if !done {
		return err
	}
	return v.redirect("/security?notice=others&n=" + strconv.Itoa(ended))
}
