package pages_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// framing remembers why the last page said that a request was refused.
type framing struct {
	platform
	why *string
}

func (f framing) Frame(w http.ResponseWriter, r *http.Request, p addon.Page) {
	*f.why = p.Refused
	f.platform.Frame(w, r, p)
}

// TestRefusedRequestsAreLogged: of staff and of customers, and the platform is told
// why, so that its audit can say so.
func TestRefusedRequestsAreLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	var why string
	says := client(func(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error {
		status := 200
		if _, wanted, ok := strings.Cut(p.Request.URL.RawQuery, "status="); ok {
			status, _ = strconv.Atoi(wanted)
		}
		return answer(status, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "x")(ctx, id, p, onHead)
	})
	h, _ := MustHandler(t, says, func(c *pages.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Platform = framing{platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{ID: "s1", BillerID: "northwind", Abilities: []string{"staff:invite"}}, nil
		}}, &why}
	})
	for _, tc := range []struct {
		name, method, url, site string
		h                       http.Handler
		status                  int
		why, line               string
	}{
		{"a page that may be opened", "GET", staffOrigin + "/admin/addons/demo/", "", h.Staff(), 200, "", ""},
		{"a page that is not there", "GET", staffOrigin + "/admin/addons/none/", "", h.Staff(), 404, "", ""},
		{"an ability", "GET", staffOrigin + "/admin/addons/demo/settings", "", h.Staff(), 403, "role", "why=role method=GET addon=demo staff=s1 biller=northwind ip=192.0.2.1"},
		{"a form of another site", "POST", staffOrigin + "/admin/addons/demo/", "cross-site", h.Staff(), 403, "origin", `why=origin method=POST addon="" staff=s1 biller=northwind`},
		{"a customer's", "POST", portalOrigin + "/portal/northwind/sign-in", "cross-site", h.Public(), 403, "", `why=origin method=POST addon=demo biller=northwind staff="" ip=192.0.2.1`},
		{"what the add-on refuses staff", "GET", staffOrigin + "/admin/addons/demo/?status=403", "", h.Staff(), 403, "role", "why=role method=GET addon=demo biller=northwind staff=s1 ip=192.0.2.1"},
		{"what is not there", "GET", staffOrigin + "/admin/addons/demo/?status=404", "", h.Staff(), 404, "", `why="unknown id" method=GET addon=demo biller=northwind staff=s1`},
		{"what the add-on refuses customers", "GET", portalOrigin + "/portal/northwind/secret-token?status=403", "", h.Public(), 403, "", `why=role method=GET addon=demo biller=northwind staff="" ip=192.0.2.1`},
		{"somebody else's invoice", "GET", portalOrigin + "/portal/northwind/secret-token?status=404", "", h.Public(), 404, "", `why="unknown id" method=GET addon=demo biller=northwind`},
		{"a network that tries too often", "POST", portalOrigin + "/portal/northwind/sign-in?status=429", "", h.Public(), 429, "", "why=throttled method=POST addon=demo biller=northwind"},
	} {
		log.Reset()
		why = ""
		r := httptest.NewRequest(tc.method, tc.url, nil)
		r.Header.Set("Sec-Fetch-Site", tc.site)
		w := httptest.NewRecorder()
		tc.h.ServeHTTP(w, r)
		if w.Code != tc.status || why != tc.why || !strings.Contains(log.String(), tc.line) || (tc.line == "") == strings.Contains(log.String(), "request refused") || strings.Contains(log.String(), "secret-token") {
			t.Errorf("%s: %d, %q\n%s", tc.name, w.Code, why, log.String())
		}
	}
}

// TestFloodsOfStrangersHideNothing: what customers and strangers are refused leaves
// the log room for what staff are, of the same reason.
func TestFloodsOfStrangersHideNothing(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	h, _ := MustHandler(t, client(answer(200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, "x")), func(c *pages.Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.Platform = platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{ID: "s1", BillerID: "northwind", Abilities: []string{"staff:invite"}}, nil
		}}
	})
	foreign := func(to http.Handler, address string) {
		r := httptest.NewRequest(http.MethodPost, address, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		to.ServeHTTP(httptest.NewRecorder(), r)
	}
	for range refusal.Lines + 1 {
		foreign(h.Public(), portalOrigin+"/portal/northwind/sign-in")
	}
	if n := strings.Count(log.String(), "request refused"); n != refusal.Lines {
		t.Errorf("%d lines of strangers, want %d", n, refusal.Lines)
	}
	foreign(h.Staff(), staffOrigin+"/admin/addons/demo/")
	if !strings.Contains(log.String(), `why=origin method=POST addon="" staff=s1`) {
		t.Error("that of staff is hidden")
	}
}
