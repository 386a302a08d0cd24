package pages

import (
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

const maxHeaderValue = 8 << 10

// answerHeaders are what an add-on may say about its answer besides Location
// and Set-Cookie; the host says the rest.
func answerHeaders() []string {
	return []string{"Content-Type", "Content-Language", "Content-Disposition", "Content-Encoding", "Content-Length",
		"Content-Range", "Accept-Ranges", "Cache-Control", "Etag", "Last-Modified", "Expires", "Vary", "Retry-After",
		"X-Robots-Tag"}
}

// copyAnswer copies what may pass of an add-on's header. A malformed value is
// dropped like an unknown name.
func copyAnswer(to, from http.Header) {
	for _, name := range answerHeaders() {
		values := slices.DeleteFunc(slices.Clone(from[name]), func(v string) bool {
			return len(v) > maxHeaderValue || !httpguts.ValidHeaderFieldValue(v)
		})
		if len(values) > 0 {
			to[name] = values
		}
	}
	if !oneLength(to["Content-Length"]) {
		to.Del("Content-Length")
	}
	if kind := to.Get("Content-Type"); kind != "" {
		to.Set("Content-Type", withCharset(kind))
	}
	if what := from.Get("Clear-Site-Data"); forgettable(what) {
		to.Set("Clear-Site-Data", what)
	}
}

// oneLength reports whether every proxy reads the same length. With two it might take
// the next answer, which is for somebody else, for the rest of this one.
func oneLength(said []string) bool {
	if len(said) != 1 {
		return false
	}
	n, err := strconv.ParseInt(said[0], 10, 64)
	return err == nil && n >= 0 && strconv.FormatInt(n, 10) == said[0]
}

// forgettable reports whether an add-on may have the browser forget that: pages,
// and what scripts stored, but no cookies, which belong to other billers too.
func forgettable(what string) bool {
	for kind := range strings.SplitSeq(what, ",") {
		if kind = strings.TrimSpace(kind); kind != `"cache"` && kind != `"storage"` {
			return false
		}
	}
	return true
}

// withCharset adds the charset to a text that names none: it is UTF-8.
func withCharset(contentType string) string {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["charset"] != "" || !strings.HasPrefix(kind, "text/") {
		return contentType
	}
	return contentType + "; charset=utf-8"
}

func isHTML(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && kind == "text/html"
}

// destination returns where a redirect leads if that is at or below prefix on
// the page's own origin, or on one of the origins. Everything else is an error.
func destination(location string, page *url.URL, prefix string, origins []string) (string, error) {
	refused := apperr.Errorf(apperr.Internal, "add-on redirects to where it may not")
	ref, err := url.Parse(location)
	if err != nil || location == "" || strings.ContainsFunc(location, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "", refused
	}
	u := page.ResolveReference(ref)
	if sameOrigin(u, page) {
		if !web.IsSafePath(local(u), prefix) {
			return "", refused
		}
		return local(u), nil
	}
	if u.User == nil && u.Opaque == "" && slices.Contains(origins, u.Scheme+"://"+u.Host) {
		return u.String(), nil
	}
	return "", refused
}

// publicPolicy returns the Content-Security-Policy of a public page. Where a
// form may redirect to, form-action must allow too.
func publicPolicy(nonce string, origins []string) string {
	return "default-src 'none'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self' data:; font-src 'self'; " +
		strings.Join(append([]string{"form-action 'self'"}, origins...), " ") +
		"; base-uri 'none'; frame-ancestors 'none'; script-src 'none'"
}

// secure sets the headers that every answer at the boundary carries.
func secure(h http.Header, policy string) {
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "strict-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// keepPrivate stops caches from keeping a page or a cookie for somebody else, and
// what the add-on says nothing of: some keep files by the ending of their name.
func keepPrivate(h http.Header) {
	if len(h["Set-Cookie"]) > 0 || isHTML(h.Get("Content-Type")) && !isPrivate(h) || h.Get("Cache-Control") == "" {
		keepNowhere(h)
	}
}

// isPrivate tells whether shared caches do not keep the answer.
func isPrivate(h http.Header) bool {
	cc := strings.ToLower(h.Get("Cache-Control"))
	return strings.Contains(cc, "no-store") || strings.Contains(cc, "private")
}

func keepNowhere(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Del("Expires")
}
