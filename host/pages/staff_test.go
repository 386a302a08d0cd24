package pages_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

func TestStaff(t *testing.T) {
	t.Parallel()
	redirect := func(to string) client { return answer(303, http.Header{"Location": {to}}, "") }
	csv := answer(200, http.Header{"Content-Type": {"text/csv"}, "Content-Disposition": {`inline; filename="a.csv"`}, "Set-Cookie": {"a=b"}}, "a,b")
	dead := client(func(context.Context, string, wire.PageRequest, wire.OnHead) error { return errors.New("killed") })
	tests := []struct {
		name, path string
		abilities  []string
		client     client
		status     int
		want       string
		header     map[string]string
	}{
		{"page", "/", []string{"staff:invite"}, html(`<title>List</title><h1 id=a>Hi</h1><script>x</script>`), 200, `[List|addon:demo]<h1 id="demo-a">Hi</h1>`, nil},
		{"title of the manifest", "/x/y", []string{"staff:invite"}, html(`<p>x`), 200, `[Demo|addon:demo]<p>x</p>`, nil},
		{"form with errors", "/x", []string{"staff:invite"}, answer(422, http.Header{"Content-Type": {"text/html"}}, "<p>x"), 422, "<p>x</p>", nil},
		{"without the slash", "", []string{"staff:invite"}, html(""), 308, "", map[string]string{"Location": "/admin/addons/demo/"}},
		{"other ability", "/settings", []string{"staff:invite"}, html("x"), 403, "You may not open this page", nil},
		{"nearer page's ability", "/settings/a", []string{"staff:configure"}, html("ok"), 200, "[Settings|addon:demo]ok", nil},
		{"other ability, escaped", "/%73ettings", []string{"staff:invite"}, html("x"), 403, "You may not open this page", nil},
		{"other ability, escaped below", "/settin%67s/%61", []string{"staff:invite"}, html("x"), 403, "You may not open this page", nil},
		{"nearer page's ability, escaped", "/%73ettings/a", []string{"staff:configure"}, html("ok"), 200, "[Settings|addon:demo]ok", nil},
		{"escaped once more is another page", "/%2573ettings", []string{"staff:invite"}, html("ok"), 200, "[Demo|addon:demo]ok", nil},
		{"escaped path does not change the page", "/x%2f..%2fsettings", []string{"staff:invite"}, html("x"), 404, "not here", nil},
		{"no abilities", "/", nil, html("x"), 403, "You may not open this page", nil},
		{"unknown add-on", "/../../other/", []string{"staff:invite"}, html("x"), 404, "not here", nil},
		{"redirect in the staff area", "/", []string{"staff:invite"}, redirect("/admin/customers/7?tab=demo&notice=sent"), 303, "", map[string]string{"Location": "/admin/customers/7?tab=demo&notice=sent"}},
		{"redirect elsewhere", "/", []string{"staff:invite"}, redirect("https://bank.example/"), 502, "does not answer", map[string]string{"Location": ""}},
		{"redirect out of the area", "/", []string{"staff:invite"}, redirect("/sign-out"), 502, "does not answer", nil},
		{"download", "/x.csv", []string{"staff:invite"}, csv, 200, "a,b", map[string]string{
			"Content-Disposition": `attachment; filename=a.csv`, "Content-Security-Policy": "sandbox", "Set-Cookie": "", "X-Content-Type-Options": "nosniff"}},
		{"download for all caches", "/x.csv", []string{"staff:invite"}, answer(200, http.Header{"Content-Type": {"text/csv"}, "Cache-Control": {"public, max-age=60"}}, "a,b"), 200, "a,b", map[string]string{"Cache-Control": "no-store"}},
		{"download for this browser", "/x.csv", []string{"staff:invite"}, answer(200, http.Header{"Content-Type": {"text/csv"}, "Cache-Control": {"private, max-age=60"}}, "a,b"), 200, "a,b", map[string]string{"Cache-Control": "private, max-age=60"}},
		{"SVG is a download", "/x", []string{"staff:invite"}, answer(200, http.Header{"Content-Type": {"image/svg+xml"}}, "<svg/>"), 200, "<svg/>", map[string]string{"Content-Disposition": "attachment"}},
		{"XHTML is a download", "/x", []string{"staff:invite"}, answer(200, http.Header{"Content-Type": {"application/xhtml+xml"}}, "x"), 200, "x", map[string]string{"Content-Disposition": "attachment"}},
		{"killed", "/?q=1", []string{"staff:invite"}, dead, 502, `href="/admin/addons/demo/?q=1">Try again`, nil},
		{"too large", "/", []string{"staff:invite"}, html(strings.Repeat("x", 5<<20)), 502, "does not answer", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, tok := MustHandler(t, tt.client, dana(tt.abilities...))
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", staffOrigin+"/admin/addons/demo"+tt.path, nil)
			r.Header.Set("Cookie", "__Host-demo-northwind-session=x; billhost=y")
			h.Staff().ServeHTTP(w, r)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %.300s, want %d with %q", w.Code, w.Body, tt.status, tt.want)
			}
			for name, want := range tt.header {
				if got := w.Header().Get(name); (want == "") != (got == "") || !strings.Contains(got, want) {
					t.Errorf("%s = %q, want %q", name, got, want)
				}
			}
			if tt.status >= 400 && tt.status != 422 && strings.Count(w.Body.String(), "<b>") > 0 {
				t.Errorf("the text repeats the heading: %s", w.Body)
			}
			if tok.alive != 0 {
				t.Errorf("%d tokens alive", tok.alive)
			}
		})
	}
}

func TestStaffViewer(t *testing.T) {
	t.Parallel()
	var got wire.PageRequest
	h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		got = p
		_, err := onHead(204, http.Header{})
		return err
	}, func(c *pages.Config) {
		c.Platform = platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{ID: "s1", Name: "Dana", BillerID: "northwind", Abilities: []string{"staff:invite", "addons:install", "staff:report"}, AuthenticatedAt: noon}, nil
		}}
	})
	r := httptest.NewRequest("GET", staffOrigin+"/admin/addons/demo/a", nil)
	r.Header.Set("Cookie", "__Host-demo-northwind-session=x; billhost=y")
	h.Staff().ServeHTTP(httptest.NewRecorder(), r)
	if diff := cmp.Diff([]string{"staff:invite"}, got.Call.Viewer.Abilities); diff != "" {
		t.Error(diff)
	}
	if v := got.Call.Viewer; v.StaffID != "s1" || v.Name != "Dana" || !v.AuthenticatedAt.Equal(noon) || got.Call.BasePath != "/admin/addons/demo" || got.Request.URL.Path != "/a" || got.Surface != wire.Staff {
		t.Errorf("call = %+v, path %s", got.Call, got.Request.URL.Path)
	}
	if got.Request.Header.Get("Cookie") != "" {
		t.Errorf("cookies on a staff page: %s", got.Request.Header.Get("Cookie"))
	}
}

func TestStaffNeedsASignIn(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("x"))
	w := httptest.NewRecorder()
	h.Staff().ServeHTTP(w, httptest.NewRequest("GET", staffOrigin+"/admin/addons/demo/x?y=1", nil))
	if got := w.Header().Get("Location"); w.Code != 303 || got != "/sign-in?next=%2Fadmin%2Faddons%2Fdemo%2Fx%3Fy%3D1" {
		t.Errorf("%d %s", w.Code, got)
	}
	w = httptest.NewRecorder()
	h.Staff().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+"/admin/addons/demo/", nil))
	if w.Code != 404 {
		t.Errorf("staff page on the portal's host: %d", w.Code)
	}
	h, _ = MustHandler(t, html("x"), dana("staff:invite"))
	r := httptest.NewRequest("POST", staffOrigin+"/admin/addons/demo/", nil)
	r.Header.Set("Origin", portalOrigin)
	w = httptest.NewRecorder()
	h.Staff().ServeHTTP(w, r)
	if w.Code != 403 || !strings.Contains(w.Body.String(), "another website") {
		t.Errorf("post from the portal: %d %s", w.Code, w.Body)
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("x"))
	staff := addon.Staff{ID: "s1", BillerID: "northwind", Abilities: []string{"staff:invite"}}
	for _, tt := range []struct {
		biller, slot string
		want         []addon.SlotView
	}{
		{"northwind", "nav.addons", []addon.SlotView{{AddonID: "demo", Slot: "nav.addons", Title: "Demo", Href: "/admin/addons/demo/"}}},
		{"northwind", "customer.tab", []addon.SlotView{{AddonID: "demo", Slot: "customer.tab", Title: "Demo"}}},
		{"northwind", "report.section", nil},
		{"southgate", "customer.tab", nil},
		{"bare", "customer.tab", nil},
	} {
		staff.BillerID = tt.biller
		got, err := h.Slots(t.Context(), staff, tt.slot)
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%s %s: %v %s", tt.biller, tt.slot, err, diff)
		}
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	staff := addon.Staff{ID: "s1", Name: "Dana", BillerID: "northwind", Abilities: []string{"staff:invite"}}
	tab := addon.SlotView{AddonID: "demo", Slot: "customer.tab", Title: "Demo"}
	r := httptest.NewRequest("GET", staffOrigin+"/admin/customers/7?tab=demo", nil)
	r.Header.Set("Cookie", "a=b")

	var got wire.PageRequest
	ok := html(`<form method=post action="/admin/addons/demo/send"><input name=a></form><a href="?x=1">x</a>`)
	h, _ := MustHandler(t, func(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error {
		got = p
		return ok(ctx, id, p, onHead)
	})
	fragment, err := h.Draw(r, staff, tab, url.Values{"customer": {"7"}})
	if err != nil || string(fragment) != `<form method="post" action="/admin/addons/demo/send"><input name="a"/></form><a href="?x=1">x</a>` {
		t.Errorf("%s %v", fragment, err)
	}
	if got.Surface != wire.Slot || got.Request.Method != "GET" || got.Request.URL.RequestURI() != "/customer?customer=7" || got.Request.Header.Get("Cookie") != "" {
		t.Errorf("request = %+v", got.Request)
	}

	for name, c := range map[string]client{
		"not found": answer(404, http.Header{"Content-Type": {"text/html"}}, "x"),
		"no HTML":   answer(200, http.Header{"Content-Type": {"text/plain"}}, "x"),
		"killed":    func(context.Context, string, wire.PageRequest, wire.OnHead) error { return errors.New("killed") },
	} {
		h, _ := MustHandler(t, c)
		fragment, err := h.Draw(r, staff, tab, nil)
		if err == nil || !strings.Contains(string(fragment), "Demo does not answer") {
			t.Errorf("%s: %s %v", name, fragment, err)
		}
	}
	if _, err := h.Draw(r, staff, addon.SlotView{AddonID: "demo", Slot: "report.section", Title: "Numbers"}, nil); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("slot without the ability: %v", err)
	}
	staff.BillerID = "southgate"
	if _, err := h.Draw(r, staff, tab, nil); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("slot of a suspended add-on: %v", err)
	}
}

func TestStatic(t *testing.T) {
	t.Parallel()
	h, _ := MustHandler(t, html("x"))
	css, script := h.Look()
	for _, tt := range []struct {
		path   string
		status int
		kind   string
	}{
		{staticBase + "/app.css", 200, "text/css; charset=utf-8"},
		{staticBase + "/app.abc123.svg", 200, "image/svg+xml"},
		{staticBase + "/page.html", 404, ""},
		{staticBase + "/none.css", 404, ""},
		{staticBase + "/../app.css", 404, ""},
		{staticBase + "/", 404, ""},
		{"/addon-static/demo/ffffffffffff/app.css", 404, ""},
		{"/addon-static/other/0123456789ab/app.css", 404, ""},
		{css, 200, "text/css; charset=utf-8"},
		{script, 200, "text/javascript; charset=utf-8"},
	} {
		w := httptest.NewRecorder()
		h.Static().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+tt.path, nil))
		if w.Code != tt.status || tt.kind != "" && w.Header().Get("Content-Type") != tt.kind {
			t.Errorf("%s: %d %s", tt.path, w.Code, w.Header().Get("Content-Type"))
		}
		if tt.status == 200 && (!strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Header().Get("X-Content-Type-Options") != "nosniff") {
			t.Errorf("%s: %v", tt.path, w.Header())
		}
	}
	r := httptest.NewRequest("GET", portalOrigin+staticBase+"/app.css", nil)
	r.Header.Set("If-None-Match", `"0123456789ab"`)
	w := httptest.NewRecorder()
	h.Static().ServeHTTP(w, r)
	if w.Code != 304 {
		t.Errorf("conditional: %d", w.Code)
	}
}
