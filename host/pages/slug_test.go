package pages_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// anySlug is a platform and its installations, of billers with any slug.
type anySlug struct{ platform }

func (anySlug) BillerBySlug(_ context.Context, slug string) (sdk.Biller, error) {
	return sdk.Biller{ID: slug, Slug: slug, Name: slug}, nil
}

func (anySlug) Installation(_ context.Context, biller, addonID string) (addon.Installation, error) {
	return addon.Installation{BillerID: biller, AddonID: addonID, State: addon.Enabled}, nil
}

// TestCookiesOfBillersWhoseNamesLookAlike: a cookie that one biller's pages set comes
// back to that one alone.
func TestCookiesOfBillersWhoseNamesLookAlike(t *testing.T) {
	t.Parallel()
	var came string
	h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		came = p.Request.Header.Get("Cookie")
		_, err := onHead(204, http.Header{"Set-Cookie": {"session=1"}})
		return err
	}, func(c *pages.Config) { c.Platform, c.Installations = anySlug{}, anySlug{} })
	ask := func(slug string, cookies ...*http.Cookie) []*http.Cookie {
		r := httptest.NewRequest("GET", portalOrigin+"/portal/"+slug+"/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, r)
		return w.Result().Cookies()
	}
	slugs := []string{"a-b", "a_b", "a.b", "a--b", "a-_b", "a__b", "ab", "a"}
	for _, mine := range slugs {
		set := ask(mine)
		if len(set) != 1 {
			t.Fatalf("%s: cookies %v", mine, set)
		}
		for _, other := range slugs {
			if ask(other, set...); (came != "") != (mine == other) {
				t.Errorf("%s of %s came to %s: %q", set[0].Name, mine, other, came)
			}
		}
	}
}

// TestWhatIsAllowed: who asks with another method is told which there are.
func TestWhatIsAllowed(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("x"), dana("staff:invite"))
	for url, handler := range map[string]http.Handler{portalOrigin + "/portal/northwind/": h.Public(), staffOrigin + "/admin/addons/demo/": h.Staff()} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("TRACE", url, nil))
		if got := w.Header().Get("Allow"); w.Code != 405 || got != "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" {
			t.Errorf("%s: %d, Allow %q", url, w.Code, got)
		}
	}
}
