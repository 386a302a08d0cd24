package main

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// route is a line of the tables of routes in plugin/web; needs is member, anyone
// or an ability.
type route struct {
	method, path, needs string
	slot                bool
}

var (
	routeFunc  = regexp.MustCompile(`(?s)func \(s \*Web\) (\w+)\(\) \[\](publicRoute|staffRoute) \{(.*?)\n\}`)
	routeLine  = regexp.MustCompile(`\{"(GET|POST) ([^"]+)", (\w+(?:\.\w+)?), `)
	pathParam  = regexp.MustCompile(`\{\w+\}`)
	routeNeeds = map[string]string{"member": "member", "signedIn": "signedIn", "anyone": "anyone", "portal.AbilityInvite": portal.AbilityInvite, "portal.AbilityConfigure": portal.AbilityConfigure, "portal.AbilityReport": portal.AbilityReport}
)

// mustRoutes reads the tables: those for customers, and those for staff.
func mustRoutes(tb testing.TB) (public, staff []route) {
	tb.Helper()
	files, err := filepath.Glob("web/*.go")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range routeFunc.FindAllStringSubmatch(string(text), -1) {
			for _, line := range routeLine.FindAllStringSubmatch(f[3], -1) {
				r := route{method: line[1], path: strings.TrimSuffix(line[2], "{$}"), needs: routeNeeds[line[3]], slot: f[1] == "slotRoutes"}
				if r.needs == "" {
					tb.Fatalf("%s: the route %v needs %s", file, r, line[3])
				}
				if f[2] == "publicRoute" {
					public = append(public, r)
				} else {
					staff = append(staff, r)
				}
			}
		}
	}
	if len(public) < 50 || len(staff) < 20 {
		tb.Fatalf("found %d and %d routes only", len(public), len(staff))
	}
	return public, staff
}

// form is nil for a GET.
func (r route) form(values url.Values) url.Values {
	if r.method == http.MethodGet {
		return nil
	}
	return values
}

// TestEveryStaffRouteNeedsItsAbility: each line of the tables is refused to staff
// with all other abilities and to the public, and not to staff with its own.
func TestEveryStaffRouteNeedsItsAbility(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	all := []string{portal.AbilityInvite, portal.AbilityConfigure, portal.AbilityReport}
	_, staff := mustRoutes(t)
	for _, route := range staff {
		surface, path := wire.Staff, pathParam.ReplaceAllString(route.path, "none")
		if route.slot {
			surface = wire.Slot
		}
		var others []string
		for _, ability := range all {
			if ability != route.needs {
				others = append(others, ability)
			}
		}
		r.staff(surface, others...).do(route.method, path, route.form(url.Values{})).wants(403, "Your role does not allow this.")
		stranger := r.browser(northwind)
		stranger.surface = surface
		stranger.do(route.method, path, route.form(url.Values{})).wants(403)
		if p := r.staff(surface, route.needs).do(route.method, path, route.form(url.Values{})); p.status == 403 || p.status >= 500 {
			t.Errorf("%s %s: status %d for %s", route.method, route.path, p.status, route.needs)
		}
	}
}

// TestEveryMemberRouteNeedsASession: each line of the table leads to sign-in
// without a session, and every page of a member has Sign out.
func TestEveryMemberRouteNeedsASession(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	public, _ := mustRoutes(t)
	seen := 0
	for _, route := range public {
		if route.needs == "anyone" {
			continue
		}
		stranger := r.browser(northwind)
		stranger.cookies["session"] = "made-up"
		path := pathParam.ReplaceAllString(route.path, "none")
		p := stranger.do(route.method, path, route.form(url.Values{})).wants(303)
		if !strings.HasPrefix(p.location, "/portal/northwind/sign-in") {
			t.Errorf("%s %s leads to %q", route.method, path, p.location)
		}
		if route.method != http.MethodGet {
			continue
		}
		for _, id := range []string{"none", "inv1"} {
			p := b.do(route.method, pathParam.ReplaceAllString(route.path, id), nil)
			if p.status == 200 && strings.HasPrefix(p.header.Get("Content-Type"), "text/html") {
				seen++
				p.find("Sign out")
			}
		}
	}
	if seen < 6 {
		t.Errorf("only %d pages were looked at", seen)
	}
}

// TestPasswordFields: every field for a password is masked, says whether it wants
// the current or a new one, and neither limits nor blocks what is put in.
func TestPasswordFields(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	link := r.invited("c3", "treasurer@harborview.example")
	b := r.registered("c1", elena)
	stranger := r.browser(northwind)
	forgot := r.browser(northwind)
	forgot.press(forgot.open("/forgot"), "Send me a link", "email", elena)
	for _, tt := range []struct {
		b    *browser
		path string
		want map[string]string
	}{
		{stranger, "/sign-in", map[string]string{"password": "current-password"}},
		{stranger, link, map[string]string{"password": "new-password"}},
		{forgot, linkOf(t, r.mail("security", elena, 1)), map[string]string{"password": "new-password"}},
		{b, "/security/password", map[string]string{"current": "current-password", "password": "new-password"}},
		{b, "/security/email", map[string]string{"current": "current-password"}},
		{b, "/security/erase", map[string]string{"current": "current-password"}},
		{b, "POST /security/sessions/others", map[string]string{"current": "current-password"}},
	} {
		method, path, ok := strings.Cut(tt.path, " ")
		if !ok {
			method, path = http.MethodGet, tt.path
		}
		p := tt.b.follow(tt.b.do(method, path, route{method: method}.form(url.Values{}))).wants(200).lacks("onpaste", "oncopy")
		for name, complete := range tt.want {
			in := p.input(name)
			if attr(in, "type") != "password" || attr(in, "autocomplete") != complete || has(in, "maxlength") || has(in, "pattern") || has(in, "readonly") {
				t.Errorf("%s: the field %q is %v", tt.path, name, in.Attr)
			}
		}
		for n := range p.doc.Descendants() {
			if n.Data == "input" && attr(n, "type") == "password" && tt.want[attr(n, "name")] == "" {
				t.Errorf("%s: a further password field %v", tt.path, n.Attr)
			}
		}
	}
}

// TestPasswordsAreTakenExactly: another case, a cut or a space is another password.
func TestPasswordsAreTakenExactly(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.registered("c1", elena)
	for _, other := range []string{strings.ToUpper(secret), strings.ToUpper(secret[:1]) + secret[1:], secret + " ", secret[:len(secret)-1]} {
		b := r.browser(northwind)
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", other).wants(401, "Email or password is wrong.")
		r.clock.advance(portal.SignInDelays().Most)
	}
	b := r.browser(northwind)
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
}
