package main

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestNoAnswerTellsACookie walks every page in the browsers of somebody signed in,
// of somebody signing up and of somebody who proves an address, whose cookies hold
// secrets: browser.do looks for them in every answer, here as in all other tests.
func TestNoAnswerTellsACookie(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	member := r.registered("c1", elena)
	member.press(member.open("/security/email"), "Send a code", "email", "elena@new.example", "current", secret)
	signing := r.browser(northwind)
	link := r.invited("c3", treasurer)
	signing.press(signing.open(link), "Sign Up", "email", treasurer, "password", secret)
	proving := r.browser(northwind)
	proving.begun(treasurer)
	for name, b := range map[string]*browser{"session": member, "signup": signing, "proof": proving} {
		if len(b.cookies[name]) < 20 || len(member.cookies["device"]) < 20 {
			t.Fatalf("no cookie %q: %v", name, b.cookies)
		}
	}
	public, _ := mustRoutes(t)
	seen := 0
	for _, b := range []*browser{member, signing, proving} {
		for _, route := range public {
			if route.method == http.MethodPost {
				continue
			}
			for _, id := range []string{"inv1", portal.DefaultAgreementVersion, "none"} {
				if b.do(http.MethodGet, pathParam.ReplaceAllString(route.path, url.PathEscape(id)), nil).status == 200 {
					seen++
				}
			}
		}
		b.open(link)
	}
	if seen < 30 {
		t.Errorf("only %d pages were seen", seen)
	}
}

// TestSignOutClearsTheBrowser: pages are kept nowhere, and who signs out, or comes
// back with a session that is over, has the browser forget what it kept.
func TestSignOutClearsTheBrowser(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	const forget = `"cache", "storage"`
	if p := b.open("/"); p.header.Get("Cache-Control") != "no-store" || p.header.Get("Clear-Site-Data") != "" {
		t.Errorf("a page: %v", p.header)
	}
	elsewhere := r.browser(northwind)
	elsewhere.cookies["session"] = b.cookies["session"]
	if p := b.do(http.MethodPost, "/sign-out", url.Values{}).wants(303); p.header.Get("Clear-Site-Data") != forget || b.cookies["session"] != "" {
		t.Errorf("sign-out: %v", p.header)
	}
	if p := elsewhere.do(http.MethodGet, "/", nil).wants(303); p.header.Get("Clear-Site-Data") != forget {
		t.Errorf("a session that was ended elsewhere: %v", p.header)
	}
	if p := r.browser(northwind).do(http.MethodGet, "/", nil).wants(303); p.header.Get("Clear-Site-Data") != "" {
		t.Errorf("a stranger: %v", p.header)
	}
	b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	if p := b.do(http.MethodPost, "/security/erase", url.Values{"current": {secret}}).wants(200); p.header.Get("Clear-Site-Data") != forget {
		t.Errorf("erasure: %v", p.header)
	}
}
