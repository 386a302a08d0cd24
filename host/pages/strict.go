package pages

import "net/http"

// hsts asks browsers to come over HTTPS only, for two years, on this host name and
// those below it.
const hsts = "max-age=63072000; includeSubDomains"

// nothing is a policy that allows nothing; inert also takes away what a document
// could do by itself.
const (
	nothing = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	inert   = nothing + "; sandbox"
)

// Strict sets on every answer of next what holds for all of them, files, redirects
// and errors included: a policy that allows nothing, no framing, no guessing of
// types, and, where https says that browsers come over HTTPS, HSTS. What next
// sets itself counts instead. Put it outermost.
func Strict(https bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		secure(h, nothing)
		if https {
			h.Set("Strict-Transport-Security", hsts)
		}
		next.ServeHTTP(w, r)
	})
}
