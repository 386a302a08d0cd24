package pages_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// unreadable are installations in a database that does not answer.
type unreadable struct{}

func (unreadable) Installation(context.Context, string, string) (addon.Installation, error) {
	return addon.Installation{}, errors.New("the database is away")
}

// TestChecksThatCannotBeReadRefuse: where the host cannot read whether an add-on is
// installed, or who is signed in, no add-on is asked, no token is made, and the page
// says that it does not work.
func TestChecksThatCannotBeReadRefuse(t *testing.T) {
	t.Parallel()
	asked := client(func(context.Context, string, wire.PageRequest, wire.OnHead) error {
		t.Error("the add-on was asked")
		return nil
	})
	away := func(c *pages.Config) { c.Installations = unreadable{} }
	nobody := func(c *pages.Config) {
		c.Platform = platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{}, errors.New("the database is away")
		}}
	}
	for name, tt := range map[string]struct {
		change  []func(*pages.Config)
		handler func(*pages.Handler) http.Handler
		url     string
	}{
		"installations, public": {[]func(*pages.Config){away}, (*pages.Handler).Public, portalOrigin + "/portal/northwind/"},
		"installations, staff":  {[]func(*pages.Config){dana("staff:invite"), away}, (*pages.Handler).Staff, staffOrigin + "/admin/addons/demo/"},
		"sessions, staff":       {[]func(*pages.Config){nobody}, (*pages.Handler).Staff, staffOrigin + "/admin/addons/demo/"},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			h, tok := MustHandler(t, asked, tt.change...)
			w := httptest.NewRecorder()
			r := httptest.NewRequest(method, tt.url, nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			tt.handler(h).ServeHTTP(w, r)
			if w.Code < 500 || len(tok.grants) != 0 || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s %s: %d, %d tokens, %v\n%s", method, name, w.Code, len(tok.grants), w.Header(), w.Body)
			}
		}
	}
}
