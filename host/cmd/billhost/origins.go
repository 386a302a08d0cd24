package main

import (
	"net/http"
	"slices"
	"strings"
)

// splitOrigins keeps staff pages on BASE_URL's host name and all others off it,
// so that nothing on a customers' page can act for staff. In development both
// may share one origin.
func splitOrigins(c Config, next http.Handler) http.Handler {
	staff := hostname(c.BaseURL)
	if staff == hostname(c.PortalBaseURL) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		onStaff := hostname("//"+r.Host) == staff
		if !shared(r.URL.Path) && onStaff != staffPath(r.URL.Path) {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// shared paths are the same for everybody: files, and health.
func shared(path string) bool {
	return path == "/healthz" || path == "/readyz" || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/addon-static/")
}

func staffPath(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return slices.Contains([]string{"", "admin", "sign-in", "sign-out", "dev"}, first)
}
