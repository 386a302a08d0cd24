package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestChecksThatCannotBeReadRefuse takes away the tables that checks read, one after
// another: what needs the check answers an error, opens no page, starts no session
// and changes nothing; once the table is back, all works as before.
func TestChecksThatCannotBeReadRefuse(t *testing.T) {
	t.Parallel()
	cfg := dbtest.SQLite(t)
	r := newRig(t, cfg, nil)
	db := dbtest.MustOpen(t, cfg)
	member := r.registered("c1", elena)
	link := r.invited("c3", treasurer)
	signing := r.browser(northwind)
	signing.press(signing.open(link), "Sign Up", "email", treasurer, "password", secret)
	r.eventually("the mails are done", func() bool { return r.status("c1") == "Registered" })
	requests := map[string]func() *page{
		"home":     func() *page { return member.do(http.MethodGet, "/", nil) },
		"invoice":  func() *page { return member.do(http.MethodGet, "/invoices/inv1", nil) },
		"security": func() *page { return member.do(http.MethodGet, "/security", nil) },
		"sign in": func() *page {
			return r.browser(northwind).do(http.MethodPost, "/sign-in", url.Values{"email": {elena}, "password": {secret}})
		},
		"forgot": func() *page { return r.browser(northwind).do(http.MethodPost, "/forgot", url.Values{"email": {elena}}) },
		"sign out elsewhere": func() *page {
			return member.do(http.MethodPost, "/security/sessions/others", url.Values{"current": {secret}})
		},
		"change password": func() *page {
			return member.do(http.MethodPost, "/security/password", url.Values{"current": {secret}, "password": {"another meadow lantern"}})
		},
		"change address": func() *page {
			return member.do(http.MethodPost, "/security/email", url.Values{"current": {secret}, "email": {"e@new.example"}})
		},
		"erase":      func() *page { return member.do(http.MethodPost, "/security/erase", url.Values{"current": {secret}}) },
		"invitation": func() *page { return r.browser(northwind).do(http.MethodGet, link, nil) },
		"code":       func() *page { return signing.do(http.MethodPost, "/sign-up/confirm", url.Values{"code": {"000000"}}) },
		"accept": func() *page {
			return signing.do(http.MethodPost, "/sign-up/agreement", url.Values{"version": {"1"}, "accept": {"1"}})
		},
	}
	owned := func() []string { // a session whose cookie nobody got opens nothing
		return slices.DeleteFunc(strings.Split(mustOwned(t, db), "\n"), func(row string) bool { return strings.HasPrefix(row, "sessions ") })
	}
	before := owned()
	pages, guarded := []string{"home", "invoice", "security"}, []string{"sign out elsewhere", "change password", "change address", "erase"}
	for table, refused := range map[string][]string{
		"sessions":    append(append([]string{"sign in"}, pages...), guarded...),
		"users":       append(append([]string{"sign in"}, pages...), guarded...),
		"grants":      append(append([]string{"sign in"}, pages...), guarded...),
		"agreements":  append(append([]string{"sign in"}, pages...), guarded...),
		"acceptances": append(append([]string{"sign in"}, pages...), guarded...),
		"throttles":   append([]string{"sign in", "forgot", "code"}, guarded...),
		"devices":     {"sign in"},
		"activity":    {"sign in", "forgot"},
		"tokens":      {"invitation", "forgot"},
		"billers":     append([]string{"sign in"}, pages...),
		"signups":     {"code", "accept"},
	} {
		if _, err := db.W.Exec(`ALTER TABLE ` + table + ` RENAME TO gone`); err != nil {
			t.Fatal(err)
		}
		for _, name := range refused {
			p := requests[name]()
			if p.status < 500 {
				t.Errorf("%s without %s: status %d, %v", name, table, p.status, p.header)
			}
			for _, c := range (&http.Response{Header: p.header}).Cookies() {
				if c.Name == "session" {
					t.Errorf("%s without %s starts a session", name, table)
				}
			}
			p.lacks("You owe", "INV-1047", "Where you are signed in", "Harbor View")
		}
		if _, err := db.W.Exec(`ALTER TABLE gone RENAME TO ` + table); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(before, owned()); diff != "" {
			t.Fatalf("without %s something changed:\n%s", table, diff)
		}
	}
	requests["home"]().wants(200, "You owe")
	b := r.browser(northwind)
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
}
