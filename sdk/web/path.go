package web

import (
	"net/url"
	"path"
	"strings"
)

// SafePath returns next if it is a path of our own below prefix, with its query,
// and prefix+"/" otherwise. prefix has no trailing slash and may be empty. Use
// it on every address that came with a request before redirecting there.
func SafePath(next, prefix string) string {
	if IsSafePath(next, prefix) {
		return next
	}
	return prefix + "/"
}

// IsSafePath reports whether next is a path at or below prefix that no browser
// reads as another site: no scheme or host, no "//", no backslash, no control
// character and no "..", escaped or not.
func IsSafePath(next, prefix string) bool {
	if len(next) > 2000 || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f || r == 0xfffd }) {
		return false
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	escaped := strings.ToLower(u.EscapedPath())
	if strings.Contains(escaped, "%2f") || strings.Contains(escaped, "%5c") || strings.Contains(escaped, "%2e") ||
		strings.ContainsFunc(u.Path, func(r rune) bool { return r < ' ' || r == 0x7f || r == 0xfffd }) {
		return false
	}
	cleaned := path.Clean(u.Path)
	if cleaned != u.Path && cleaned+"/" != u.Path {
		return false
	}
	return cleaned == prefix || strings.HasPrefix(u.Path, prefix+"/")
}
