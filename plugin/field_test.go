package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// extra is what a form may not change, under every name it has anywhere.
func extra(of url.Values, userID string) url.Values {
	all := url.Values{
		"right": {"payer"}, "state": {"disabled"}, "role": {"owner"}, "user": {userID}, "user_id": {userID}, "id": {userID}, "biller": {contoso}, "biller_id": {contoso},
		"customer_id": {"c3"}, "email_norm": {treasurer}, "password_hash": {"x"}, "confirmed_at": {"1"}, "expires_at": {"9"}, "status": {"registered"}, "by": {"staff"},
	}
	for name, values := range of {
		all[name] = values
	}
	return all
}

// TestFieldsAreReadAndWrittenByTheirRolesOnly holds pages and forms to the table of
// fields in docs/access.md.
func TestFieldsAreReadAndWrittenByTheirRolesOnly(t *testing.T) {
	t.Parallel()
	cfg := dbtest.SQLite(t)
	r := newRig(t, cfg, nil)
	db := dbtest.MustOpen(t, cfg)
	link := r.invited("c3", treasurer)
	member := r.registered("c1", elena)
	member.press(member.open("/security/email"), "Send a code", "email", "elena@new.example", "current", secret)
	var u struct {
		ID   string
		Hash string `db:"password_hash"`
	}
	if err := db.R.Get(&u, `SELECT id, password_hash FROM users`); err != nil {
		t.Fatal(err)
	}
	tab, staff := r.office()
	person := "/customers/c1/people/" + u.ID
	ip := member.call.RemoteIP.String()

	// Read.
	r.browser(northwind).open(link).wants(200, "t•••@harborview.example").lacks(treasurer, "NW-1200", "Dana", elena)
	member.open("/").wants(200, "You owe").lacks("Harbor", "NW-1200", treasurer)
	member.open("/security").wants(200, elena, ip).lacks(u.Hash, u.ID, "argon2id")
	for _, p := range []*page{tab.open(tabOf + "c1"), staff.open(person), staff.open("/customers/c1")} {
		p.wants(200, elena).lacks(u.Hash, "argon2id", ip, "elena@new.example", member.cookies["session"])
	}
	report := r.staff(wire.Slot, portal.AbilityReport)
	report.open("/registrations").wants(200, "@riverafamily.example", "Registered").lacks(u.ID, ip)
	report.open("/customer?customer=c1").wants(403)
	r.staff(wire.Staff, portal.AbilityInvite).open(person).wants(200).lacks("/erase")
	r.staff(wire.Staff, portal.AbilityInvite).do(http.MethodPost, person+"/erase", url.Values{}).wants(403)

	// Write: what the form is about, and nothing else.
	staff.do(http.MethodPost, person+"/right", extra(url.Values{"right": {"viewer"}, "email": {"x@new.example"}}, "other")).wants(303)
	before := mustOwned(t, db)
	if !strings.Contains(before, u.ID+" c1 active") || !strings.Contains(before, "viewer") {
		t.Fatalf("the right is not written:\n%s", before)
	}
	for path, form := range map[string]url.Values{
		"/profile":               {"customer": {"c3"}},
		"/security/sessions/end": {"session": {"x"}},
		"/security/email":        {"email": {"not an address"}},
		"/security/password":     {"current": {"wrong wrong wrong"}, "password": {"another meadow lantern"}},
		"/offers/x/add":          {"customer": {"c3"}},
		"/sign-up/agreement":     {"version": {"7"}},
	} {
		if p := member.do(http.MethodPost, path, extra(form, u.ID)); p.status >= 500 {
			t.Errorf("%s: status %d", path, p.status)
		}
	}
	if diff := cmp.Diff(strings.Split(before, "\n"), strings.Split(mustOwned(t, db), "\n")); diff != "" {
		t.Errorf("forms of a viewer changed:\n%s", diff)
	}
	member.do(http.MethodPost, "/security/password", extra(url.Values{"current": {secret}, "password": {"another meadow lantern"}, "email": {"x@new.example"}}, "other")).wants(303)
	var after struct{ Email, State, Right string }
	if err := db.R.Get(&after, `SELECT u.email, u.state, g.access_right AS right FROM users u JOIN grants g ON g.biller_id = u.biller_id AND g.user_id = u.id`); err != nil {
		t.Fatal(err)
	}
	if after.Email != elena || after.State != "active" || after.Right != "viewer" {
		t.Errorf("a change of the password wrote %+v", after)
	}
}
