package pages_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

// proven is Dana, who proved at that time who she is, at noon.
func proven(at time.Time) func(*pages.Config) {
	return func(c *pages.Config) {
		c.Now = func() time.Time { return noon }
		c.Platform = platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{ID: "s1", Name: "Dana", BillerID: "northwind", Abilities: []string{"staff:invite"}, AuthenticatedAt: at}, nil
		}}
	}
}

var (
	old = noon.Add(-sdk.FreshLife)
	// wantsProof is an add-on whose every page wants a fresh proof.
	wantsProof = answer(http.StatusUnauthorized, http.Header{"Content-Type": {"text/html"}, "Location": {"/admin/elsewhere"}}, "<p>Nothing has happened yet.")
)

// TestPagesAskForAFreshProof: 401 leads to where people prove again who they are, and
// from there to the page they came from, which is never another site's.
func TestPagesAskForAFreshProof(t *testing.T) {
	t.Parallel()
	const first = "/admin/addons/demo/"
	for _, tt := range []struct{ name, method, path, referer, back string }{
		{"a page", "GET", "erase?a=1&b=%2F", "", first + "erase?a=1&b=%2F"},
		{"a page, whatever led there", "GET", "erase", staffOrigin + "/admin/", first + "erase"},
		{"the head of a page", "HEAD", "erase", "", first + "erase"},
		{"a form", "POST", "approve?a=1", staffOrigin + first + "list?page=2", first + "list?page=2"},
		{"a form in a page of the platform", "POST", "approve", staffOrigin + "/admin/customers/c1?tab=demo", "/admin/customers/c1?tab=demo"},
		{"a form without a Referer", "POST", "approve", "", first},
		{"a Referer that tells the site only", "POST", "approve", staffOrigin + "/", first},
		{"outside the staff area", "POST", "approve", staffOrigin + "/sign-out", first},
		{"another site", "POST", "approve", "https://evil.example/admin/addons/demo/list", first},
		{"a name that begins like ours", "POST", "approve", staffOrigin + ".evil.example/admin/", first},
		{"our name as a user", "POST", "approve", "https://staff.example@evil.example/admin/", first},
		{"two slashes", "POST", "approve", staffOrigin + "//evil.example/admin/", first},
		{"dots", "POST", "approve", staffOrigin + "/admin/../sign-out", first},
		{"escaped dots", "POST", "approve", staffOrigin + "/admin/%2e%2e/sign-out", first},
		{"a backslash", "POST", "approve", staffOrigin + `/admin/\evil.example`, first},
		{"no address", "POST", "approve", "https://[", first},
		{"another scheme", "POST", "approve", "javascript:alert(1)", first},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, tok := MustHandler(t, wantsProof, proven(old))
			r := httptest.NewRequest(tt.method, staffOrigin+first+tt.path, nil)
			r.Header.Set("Referer", tt.referer)
			w := httptest.NewRecorder()
			h.Staff().ServeHTTP(w, r)
			if got, want := w.Header().Get("Location"), "/sign-in?reauth=1&next="+url.QueryEscape(tt.back); w.Code != http.StatusSeeOther || got != want {
				t.Errorf("%d to %s, want %s", w.Code, got, want)
			}
			if w.Header().Get("Cache-Control") != "no-store" || strings.Contains(w.Body.String(), "Nothing") || tok.alive != 0 {
				t.Errorf("%v, %d tokens alive, %s", w.Header(), tok.alive, w.Body)
			}
		})
	}
}

// TestProofIsNotAskedForInCircles: whoever has just proven who they are, or whose
// platform does not tell, sees what the add-on says instead.
func TestProofIsNotAskedForInCircles(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]time.Time{
		"just proven": noon, "nearly too old": old.Add(time.Second), "a clock ahead": noon.Add(time.Minute), "a platform that does not tell": {},
	} {
		for _, method := range []string{"GET", "POST"} {
			h, _ := MustHandler(t, answer(401, http.Header{"Content-Type": {"text/html"}}, "<p>Nothing has happened yet."), proven(at))
			w := httptest.NewRecorder()
			h.Staff().ServeHTTP(w, httptest.NewRequest(method, staffOrigin+"/admin/addons/demo/erase", nil))
			if w.Code != http.StatusUnauthorized || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), "Nothing has happened yet.") {
				t.Errorf("%s, %s: %d to %q: %s", name, method, w.Code, w.Header().Get("Location"), w.Body)
			}
		}
	}
}

// TestOldProofsOpenOtherPages: it is the add-on that asks.
func TestOldProofsOpenOtherPages(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("<p>hi"), proven(old))
	w := httptest.NewRecorder()
	h.Staff().ServeHTTP(w, httptest.NewRequest("GET", staffOrigin+"/admin/addons/demo/", nil))
	if w.Code != http.StatusOK {
		t.Errorf("%d: %s", w.Code, w.Body)
	}
}
