package pages_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host/pages"
)

// swapped are add-ons that a test exchanges.
type swapped struct{ list addons }

func (s *swapped) Active() []pages.Addon { return s.list }

// shelf is a boundary whose add-on has static files worth compressing.
type shelf struct {
	*pages.Handler
	addons *swapped
	dir    string // of compressed copies
	css    string
}

func mustShelf(tb testing.TB) *shelf {
	tb.Helper()
	a := demo(tb)
	s := &shelf{addons: &swapped{addons{a}}, dir: filepath.Join(tb.TempDir(), "compressed"), css: strings.Repeat("body{color:red}\n", 500)}
	if err := os.Mkdir(filepath.Join(a.StaticDir, "deep"), 0o700); err != nil {
		tb.Fatal(err)
	}
	for name, content := range map[string]string{"app.css": s.css, "deep/app.css": "/*deep*/" + s.css, "deep%2Fapp.css": "/*flat*/" + s.css, "logo.png": s.css, "tiny.js": "x"} {
		if err := os.WriteFile(filepath.Join(a.StaticDir, name), []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	s.Handler, _ = MustHandler(tb, html("x"), func(c *pages.Config) { c.Addons, c.CompressedDir = s.addons, s.dir })
	return s
}

func (s *shelf) get(method, path string, header ...string) *http.Response {
	r := httptest.NewRequest(method, portalOrigin+path, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Static().ServeHTTP(w, r)
	return w.Result()
}

func mustBody(tb testing.TB, res *http.Response) string {
	tb.Helper()
	body := io.Reader(res.Body)
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(body)
		if err != nil {
			tb.Fatal(err)
		}
		body = z
	}
	b, err := io.ReadAll(body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

func TestStaticFilesAreCompressed(t *testing.T) {
	t.Parallel()
	s := mustShelf(t)
	const base = staticBase
	for _, tt := range []struct {
		path, accept string
		status       int
		coding, body string
	}{
		{"/app.css", "gzip, deflate, br", 200, "gzip", s.css},
		{"/app.css", "", 200, "", s.css},
		{"/app.css", "gzip;q=0", 200, "", s.css},
		{"/app.css", "identity;q=0, gzip;q=0.1", 200, "gzip", s.css},
		{"/app.css", "identity;q=0, br", 406, "", ""},
		{"/logo.png", "gzip", 200, "", s.css},
		{"/logo.png", "gzip, identity;q=0", 406, "", ""},
		{"/tiny.js", "gzip", 200, "", "x"},
		{"/deep/app.css", "gzip", 200, "gzip", "/*deep*/" + s.css},
		{"/deep%252Fapp.css", "gzip", 200, "gzip", "/*flat*/" + s.css},
		{"/nothing.css", "gzip", 404, "", ""},
		{"/../app.css", "gzip", 404, "", ""},
	} {
		res := s.get(http.MethodGet, base+tt.path, "Accept-Encoding", tt.accept)
		body := mustBody(t, res)
		if res.StatusCode != tt.status || res.Header.Get("Content-Encoding") != tt.coding || tt.status == 200 && body != tt.body {
			t.Errorf("%s for %q: %d %q, %d bytes", tt.path, tt.accept, res.StatusCode, res.Header.Get("Content-Encoding"), len(body))
		}
		if tt.status == 404 {
			continue
		}
		if res.Header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary = %q", tt.path, res.Header.Get("Vary"))
		}
		if tt.status == 200 && !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control = %q", tt.path, res.Header.Get("Cache-Control"))
		}
		if tt.coding != "" && res.Header.Get("Content-Type") != "text/css; charset=utf-8" {
			t.Errorf("%s: Content-Type = %q", tt.path, res.Header.Get("Content-Type"))
		}
	}
	plain, small := s.get(http.MethodGet, base+"/app.css"), s.get(http.MethodHead, base+"/app.css", "Accept-Encoding", "gzip")
	if a, b := plain.Header.Get("ETag"), small.Header.Get("ETag"); a == b || a == "" || b == "" {
		t.Errorf("ETags %s and %s", a, b)
	}
	if n, err := io.Copy(io.Discard, small.Body); err != nil || n != 0 {
		t.Errorf("HEAD has a body of %d bytes, %v", n, err)
	}
	known := s.get(http.MethodGet, base+"/app.css", "Accept-Encoding", "gzip", "If-None-Match", small.Header.Get("ETag"))
	if known.StatusCode != http.StatusNotModified {
		t.Errorf("known: %d", known.StatusCode)
	}
}

// TestCompressedCopiesFollowThePackage looks where copies lie, what an earlier
// process left, and that they go with their package.
func TestCompressedCopiesFollowThePackage(t *testing.T) {
	t.Parallel()
	s := mustShelf(t)
	old := filepath.Join(s.dir, "0123456789ab")
	if err := os.MkdirAll(old, 0o700); err != nil {
		t.Fatal(err)
	}
	var forged bytes.Buffer
	z := gzip.NewWriter(&forged)
	if _, err := z.Write([]byte("forged")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "app.css.gz"), forged.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			if got := mustBody(t, s.get(http.MethodGet, staticBase+"/app.css", "Accept-Encoding", "gzip")); got != s.css {
				t.Errorf("what an earlier process left counts: %.20q", got)
			}
		})
	}
	wg.Wait()
	if got := mustNames(t, s.dir, "*", "*"); len(got) != 1 || !strings.HasSuffix(got[0], "app.css.gz") {
		t.Errorf("copies = %v", got)
	}
	if got := mustNames(t, s.addons.list[0].StaticDir, "*.gz"); len(got) != 0 {
		t.Errorf("%v lie in the verified package", got)
	}

	next := demo(t)
	next.Digest = "fedcba9876543210"
	next.PreviousDigest, next.PreviousStaticDir = s.addons.list[0].Digest, s.addons.list[0].StaticDir
	if err := os.WriteFile(filepath.Join(next.StaticDir, "app.css"), []byte("/*2*/"+s.css), 0o600); err != nil {
		t.Fatal(err)
	}
	s.addons.list = addons{next}
	for path, want := range map[string]string{"/addon-static/demo/fedcba987654/app.css": "/*2*/" + s.css, staticBase + "/app.css": s.css} {
		if got := mustBody(t, s.get(http.MethodGet, path, "Accept-Encoding", "gzip")); got != want {
			t.Errorf("%s: %.20q", path, got)
		}
	}
	last := demo(t)
	last.Digest, last.StaticDir = "aaaaaaaaaaaaaaaa", next.StaticDir
	s.addons.list = addons{last}
	mustBody(t, s.get(http.MethodGet, "/addon-static/demo/aaaaaaaaaaaa/app.css", "Accept-Encoding", "gzip"))
	if got := mustNames(t, s.dir, "*"); len(got) != 1 || filepath.Base(got[0]) != "aaaaaaaaaaaa" {
		t.Errorf("left: %v", got)
	}
}

// TestStaticFilesOutlastAFullDisk serves plain files where no copy can be made.
func TestStaticFilesOutlastAFullDisk(t *testing.T) {
	t.Parallel()
	s := mustShelf(t)
	if err := os.WriteFile(filepath.Dir(s.dir)+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.Handler, _ = MustHandler(t, html("x"), func(c *pages.Config) {
		c.Addons, c.CompressedDir = s.addons, filepath.Join(filepath.Dir(s.dir), "file", "below")
	})
	for range 2 {
		if res := s.get(http.MethodGet, staticBase+"/app.css", "Accept-Encoding", "gzip"); res.StatusCode != 200 || mustBody(t, res) != s.css {
			t.Errorf("%d %v", res.StatusCode, res.Header)
		}
	}
}

func mustNames(tb testing.TB, parts ...string) []string {
	tb.Helper()
	names, err := filepath.Glob(filepath.Join(parts...))
	if err != nil {
		tb.Fatal(err)
	}
	return names
}

func TestTextsSayTheirCharset(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{
		"text/html": "text/html; charset=utf-8", "text/html; charset=latin1": "text/html; charset=latin1", "text/csv;header=present": "text/csv;header=present; charset=utf-8",
		"application/pdf": "application/pdf", "nonsense/": "nonsense/",
	} {
		h, _ := MustHandler(t, answer(200, http.Header{"Content-Type": {kind}}, "x"))
		w := httptest.NewRecorder()
		h.Public().ServeHTTP(w, httptest.NewRequest("GET", portalOrigin+"/portal/northwind/", nil))
		if got := w.Header().Get("Content-Type"); got != want {
			t.Errorf("%q: %q, want %q", kind, got, want)
		}
	}
}
