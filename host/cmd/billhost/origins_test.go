package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestSplitOrigins(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	c := Config{BaseURL: "https://billing.example.com", PortalBaseURL: "https://pay.example.com"}
	for _, tc := range []struct {
		host, path string
		status     int
	}{
		{"billing.example.com", "/admin/", 200}, {"billing.example.com:443", "/sign-in/x", 200}, {"billing.example.com", "/", 200},
		{"billing.example.com", "/portal/northwind/", 404}, {"pay.example.com", "/portal/northwind/", 200},
		{"pay.example.com", "/admin/", 404}, {"pay.example.com", "/sign-in", 404}, {"pay.example.com", "/", 404}, {"evil.example", "/admin/", 404},
		{"pay.example.com", "/static/x/portal.css", 200}, {"10.0.0.1", "/healthz", 200}, {"billing.example.com", "/addon-static/x", 200},
	} {
		r := httptest.NewRequest(http.MethodGet, tc.path, nil)
		r.Host = tc.host
		w := httptest.NewRecorder()
		splitOrigins(c, ok).ServeHTTP(w, r)
		if w.Code != tc.status {
			t.Errorf("%s%s: %d, want %d", tc.host, tc.path, w.Code, tc.status)
		}
	}
}
