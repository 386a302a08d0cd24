package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestSafeMethodsChangeNothing sends GET, HEAD and OPTIONS to each address that a
// POST answers, with what the form would carry as a query: no row of anybody's
// changes, no mail goes out, and an address without a page of its own is none.
func TestSafeMethodsChangeNothing(t *testing.T) {
	t.Parallel()
	cfg := dbtest.SQLite(t)
	r := newRig(t, cfg, nil)
	db := dbtest.MustOpen(t, cfg)
	member := r.registered("c1", elena)
	r.twice(member)
	member.press(member.open("/security/email"), "Send a code", "email", "elena@new.example", "current", secret)
	code := codeOf(t, r.mail("security", "elena@new.example", 1))
	signing, proving := r.browser(northwind), r.browser(northwind)
	link := r.invited("c3", treasurer)
	asker := r.browser(northwind)
	asker.press(asker.open(link+"/access"), "Send the request", "name", "Jo", "email", jo).wants(200, "We have asked")
	signing.press(signing.open(link), "Sign Up", "email", treasurer, "password", secret)
	proving.begun(treasurer)
	if _, err := r.staffInviter().Send(t.Context(), "c2"); err != nil {
		t.Fatal(err)
	}
	r.mail("security", treasurer, 1)
	r.eventually("the invitations are sent", func() bool { return r.status("c2") == "Sent" })
	var ids struct{ User, Session, Request string }
	for into, query := range map[*string]string{&ids.User: `SELECT id FROM users`, &ids.Request: `SELECT id FROM access_requests`} {
		if err := db.R.Get(into, query); err != nil {
			t.Fatal(err)
		}
	}
	for n := range member.open("/security").doc.Descendants() {
		if n.Data == "input" && attr(n, "name") == "session" {
			ids.Session = attr(n, "value")
		}
	}
	_, staff := r.office()
	query := "?" + url.Values{
		"email": {elena}, "password": {secret}, "current": {secret}, "code": {code}, "session": {ids.Session}, "customer": {"c1"}, "profile": {"c3"},
		"version": {portal.DefaultAgreementVersion}, "right": {"viewer"}, "name": {"Jo"}, "message": {"x"}, "text": {"New"}, "on": {"2126-01-01"},
	}.Encode()
	token := link[strings.LastIndex(link, "/")+1:]
	before, mails := mustOwned(t, db), len(r.Host.Mails())
	public, ofStaff := mustRoutes(t)
	paged := func(routes []route, path string) bool {
		return slices.ContainsFunc(routes, func(o route) bool { return o.method == http.MethodGet && o.path == path })
	}
	sent := 0
	for _, p := range postRoutes(t) {
		browsers, routes := []*browser{member, signing, proving, r.browser(northwind)}, public
		if p.surface == wire.Staff {
			browsers, routes = []*browser{staff}, ofStaff
		}
		for _, act := range []string{"disable", "remove", "erase", "sign-out", "reset"} {
			path := strings.NewReplacer("{token}", token, "{user}", ids.User, "{act}", act, "{invitation}", "none", "{version}", portal.DefaultAgreementVersion).Replace(p.path)
			for _, id := range []string{"c1", ids.Request} {
				for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
					for _, b := range browsers {
						sent++
						a := b.do(method, strings.ReplaceAll(path, "{id}", id)+query, nil)
						if a.status < 300 && !paged(routes, p.path) || a.status >= 500 {
							t.Errorf("%s %s: status %d", method, p.path, a.status)
						}
					}
				}
			}
			if !strings.Contains(p.path, "{act}") {
				break
			}
		}
	}
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(mustOwned(t, db), "\n")); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if n := len(r.Host.Mails()); n != mails || sent < 300 {
		t.Errorf("%d mails went out at %d requests", n-mails, sent)
	}
	member.open("/").wants(200, "You owe")
}
