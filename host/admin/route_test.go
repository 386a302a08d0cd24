package admin_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
)

// access says which ability each page takes; empty for all staff.
func access() map[string]string {
	return map[string]string{
		"GET ": "", "GET /{id}": "", "GET /{id}/icon": "", "GET /{id}/installing": "",
		"GET /{id}/install": addon.AbilityInstall, "POST /{id}/install": addon.AbilityInstall,
		"GET /{id}/remove": addon.AbilityInstall, "POST /{id}/remove": addon.AbilityInstall,
		"POST /{id}/export": addon.AbilityInstall, "GET /{id}/purge": addon.AbilityInstall, "POST /{id}/purge": addon.AbilityInstall,
		"GET /{id}/settings": addon.AbilityConfigure, "POST /{id}/settings": addon.AbilityConfigure,
		"GET /{id}/operate": addon.AbilityOperate, "POST /{id}/operate/retry": addon.AbilityOperate,
		"GET /{id}/operate/upgrade": addon.AbilityOperate, "POST /{id}/operate/upgrade": addon.AbilityOperate,
		"GET /{id}/operate/rollback": addon.AbilityOperate, "POST /{id}/operate/rollback": addon.AbilityOperate,
		"POST /{id}/operate/approve": addon.AbilityOperate, "POST /{id}/operate/disapprove": addon.AbilityOperate,
	}
}

// refusing is a handler whose log is kept.
func refusing(tb testing.TB, f *fake, g *grave) (*admin.Handler, *bytes.Buffer) {
	tb.Helper()
	var log bytes.Buffer
	h, err := admin.New(admin.Config{
		Catalog: f, Installations: f, Installer: f, Settings: f, Runner: f, Platform: f, Operator: g, Purger: g,
		Log: slog.New(slog.NewTextHandler(&log, nil)), StaffPath: "/admin", SignInPath: "/sign-in", RemoteIP: remoteIP, Now: func() time.Time { return noon },
	})
	if err != nil {
		tb.Fatal(err)
	}
	return h, &log
}

// TestEveryPageNeedsItsAbility reads the table of routes: each page is refused to
// somebody who may do everything else, to other sites and to nobody, and that is
// logged. A page that nobody has thought of fails.
func TestEveryPageNeedsItsAbility(t *testing.T) {
	t.Parallel()
	f, g := &fake{installed: enabled("customer-portal")}, &grave{}
	h, log := refusing(t, f, g)
	if d := cmp.Diff(access(), h.Routes()); d != "" {
		t.Errorf("whom are these for (-want +got)?\n%s", d)
	}
	everything := []string{addon.AbilityInstall, addon.AbilityConfigure, addon.AbilityOperate, "staff:invite", "staff:report"}
	for pattern, ability := range h.Routes() {
		method, path, _ := strings.Cut(pattern, " ")
		path = "/admin/marketplace" + strings.Replace(path, "{id}", "customer-portal", 1)
		if ability != "" {
			log.Reset()
			f.staff = addon.Staff{ID: "s1", BillerID: "northwind", Abilities: slices.DeleteFunc(slices.Clone(everything), func(a string) bool { return a == ability })}
			w := request(h, method, path, nil)
			route := strings.TrimSpace(method + " /admin/marketplace" + strings.TrimPrefix(pattern, method+" "))
			if w.Code != http.StatusForbidden || f.refused != "role" || !strings.Contains(log.String(), `why=role page="`+route+`" staff=s1 biller=northwind ip=192.0.2.1`) {
				t.Errorf("%s without %s: %d, %q\n%s", pattern, ability, w.Code, f.refused, log)
			}
		}
		f.staff = addon.Staff{ID: "s1", BillerID: "northwind", Abilities: everything}
		if method == http.MethodPost {
			r := httptest.NewRequest(method, path, strings.NewReader("version=1.0.0"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set("Origin", "https://evil.example")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || f.refused != "origin" || !strings.Contains(log.String(), "why=origin") {
				t.Errorf("%s from another site: %d, %q", pattern, w.Code, f.refused)
			}
		}
		f.signedOut = true
		if w := request(h, method, path, nil); w.Code != http.StatusSeeOther || !strings.HasPrefix(w.Header().Get("Location"), "/sign-in?next=%2Fadmin%2Fmarketplace") {
			t.Errorf("%s for nobody: %d to %q", pattern, w.Code, w.Header().Get("Location"))
		}
		f.signedOut = false
	}
	if len(f.installs)+len(f.removes)+len(g.done) != 0 {
		t.Errorf("refused, but done: %v %v %v", f.installs, f.removes, g.done)
	}
}

// TestEveryPageStandsInTheFrame: the platform's frame, which has Sign out, is around
// each page, errors included; pictures have none.
func TestEveryPageStandsInTheFrame(t *testing.T) {
	t.Parallel()
	for _, staff := range []addon.Staff{
		{ID: "s1", BillerID: "northwind"}, {ID: "s1", BillerID: "northwind", Abilities: []string{addon.AbilityInstall, "staff:invite"}},
	} {
		f := &fake{installed: enabled("customer-portal"), staff: staff}
		h := MustHandler(t, f).(*admin.Handler)
		for pattern := range h.Routes() {
			method, path, _ := strings.Cut(pattern, " ")
			if method != http.MethodGet || strings.HasSuffix(path, "/icon") {
				continue
			}
			w := request(h, method, "/admin/marketplace"+strings.Replace(path, "{id}", "customer-portal", 1), nil)
			if framed := strings.HasPrefix(w.Body.String(), "["); !framed && w.Code != http.StatusSeeOther {
				t.Errorf("%s: %d\n%s", pattern, w.Code, w.Body)
			}
		}
		if w := request(h, http.MethodGet, "/admin/marketplace/customer-portal/nowhere", nil); w.Code != http.StatusNotFound || !strings.HasPrefix(w.Body.String(), "[") {
			t.Errorf("a page that is not there: %d\n%s", w.Code, w.Body)
		}
	}
}
