package web_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/web"
)

func TestCodingOf(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]web.Coding{
		"":                            {Plain: true},
		"gzip, deflate, br, zstd":     {Gzip: true, Plain: true},
		"GZIP":                        {Gzip: true, Plain: true},
		"x-gzip":                      {Gzip: true, Plain: true},
		"br":                          {Plain: true},
		"gzip;q=0":                    {Plain: true},
		"gzip; q=0.001":               {Gzip: true, Plain: true},
		"gzip;q=0.5, identity":        {Plain: true},
		"gzip;q=0.5, identity;q=0.5":  {Gzip: true, Plain: true},
		"identity;q=0":                {},
		"identity;q=0, gzip;q=0.2":    {Gzip: true},
		"*":                           {Gzip: true, Plain: true},
		"*;q=0":                       {},
		"gzip, *;q=0":                 {Gzip: true},
		"gzip, identity;q=0.5, *;q=0": {Gzip: true, Plain: true},
		"gzip;q=0, *":                 {Plain: true},
		"gzip;q=nonsense":             {Plain: true},
		"gzip;q=2":                    {Plain: true},
		"gzip;q=NaN":                  {Plain: true},
		"gzipped, deflate":            {Plain: true},
		", ,gzip ;q=1 ,":              {Gzip: true, Plain: true},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		if accept != "" {
			r.Header.Set("Accept-Encoding", accept)
		}
		if got := web.CodingOf(r); got != want {
			t.Errorf("%q: %+v, want %+v", accept, got, want)
		}
	}
}

func TestServeAssetsCompresses(t *testing.T) {
	t.Parallel()
	prefix := "/static/" + web.AssetsHash() + "/"
	h := web.ServeAssets(prefix)
	ask := func(method, accept, known string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, prefix+"portal.css", nil)
		r.Header.Set("Accept-Encoding", accept)
		r.Header.Set("If-None-Match", known)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if v := w.Header().Get("Vary"); v != "Accept-Encoding" {
			t.Errorf("Vary = %q", v)
		}
		return w
	}
	plain, small := ask(http.MethodGet, "", ""), ask(http.MethodGet, "gzip", "")
	z, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil || !bytes.Equal(got, plain.Body.Bytes()) || small.Header().Get("Content-Encoding") != "gzip" || plain.Header().Get("Content-Encoding") != "" {
		t.Errorf("%v, header %v", err, small.Header())
	}
	if a, b := plain.Header().Get("ETag"), small.Header().Get("ETag"); a == b || a == "" || b == "" {
		t.Errorf("ETags %s and %s", a, b)
	}
	if w := ask(http.MethodGet, "gzip", small.Header().Get("ETag")); w.Code != http.StatusNotModified {
		t.Errorf("known: %d", w.Code)
	}
}

func TestGzipIsWorthIt(t *testing.T) {
	t.Parallel()
	for content, smaller := range map[string]bool{"": false, "x": false, string(bytes.Repeat([]byte("body{}"), 100)): true} {
		got, err := web.Gzip([]byte(content))
		if err != nil || (got != nil) != smaller {
			t.Errorf("%d bytes: %d, %v", len(content), len(got), err)
		}
	}
}
