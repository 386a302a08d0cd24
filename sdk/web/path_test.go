package web_test

import (
	"io/fs"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/web"
)

func TestSafePath(t *testing.T) {
	t.Parallel()
	safe := []string{"/portal/nw", "/portal/nw/", "/portal/nw/invoices/7?x=http://a.example#top", "/portal/nw/a%20b", "/portal/nw/?next=%2f%2fevil"}
	unsafe := []string{
		"", "portal/nw/", "//evil.example/portal/nw/", "/\\evil.example", "https://evil.example/portal/nw/", "/portal/nwx", "/portal/", "/",
		"/portal/nw/../other/", "/portal/nw/%2e%2e/other", "/portal/nw/..%2fother", "/portal/nw//x", "/portal/nw/\n", "/portal/nw/\x00",
		"/portal/nw/\xff", "/portal/nw/%00", "/portal/nw/%5c", "javascript:alert(1)", "/portal/nw/ x", "/portal%2fnw/x", "/" + strings.Repeat("portal/nw/", 300),
	}
	for _, next := range safe {
		if got := web.SafePath(next, "/portal/nw"); got != next {
			t.Errorf("SafePath(%q) = %q", next, got)
		}
	}
	for _, next := range unsafe {
		if got := web.SafePath(next, "/portal/nw"); got != "/portal/nw/" {
			t.Errorf("SafePath(%q) = %q", next, got)
		}
	}
	if got := web.SafePath("/x", ""); got != "/x" {
		t.Errorf("SafePath below the root = %q", got)
	}
	if got := web.SafePath("//x", ""); got != "/" {
		t.Errorf("SafePath below the root = %q", got)
	}
}

func FuzzSafePath(f *testing.F) {
	f.Add("/portal/nw/x")
	f.Add("/portal/nw/%2e%2e/x")
	f.Fuzz(func(t *testing.T, next string) {
		got := web.SafePath(next, "/portal/nw")
		r := httptest.NewRequest("GET", "https://own.example/", nil)
		u, err := r.URL.Parse(got)
		if err != nil || u.Host != "own.example" || !strings.HasPrefix(u.Path, "/portal/nw") {
			t.Errorf("SafePath(%q) = %q leads to %v", next, got, u)
		}
	})
}

func TestAssets(t *testing.T) {
	t.Parallel()
	css, err := fs.ReadFile(web.Assets(), "portal.css")
	if err != nil || len(css) > web.MaxCSS {
		t.Errorf("portal.css: %d bytes, %v; at most %d allowed", len(css), err, web.MaxCSS)
	}
	prefix := "/static/" + web.AssetsHash() + "/"
	for path, want := range map[string]struct {
		status int
		kind   string
	}{
		prefix + "portal.css":   {200, "text/css; charset=utf-8"},
		prefix + "copy.js":      {200, "text/javascript; charset=utf-8"},
		prefix + "../assets.go": {404, ""},
		prefix:                  {404, ""},
		"/static/other/copy.js": {404, ""},
		prefix + "none.css":     {404, ""},
		prefix + "./portal.css": {404, ""},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path = path
		web.ServeAssets(prefix).ServeHTTP(w, r)
		if w.Code != want.status || want.kind != "" && w.Header().Get("Content-Type") != want.kind {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
	}
}
