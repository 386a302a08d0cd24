package pages

import (
	"net/http"
	"regexp"
	"strings"
)

const (
	maxCookies = 20
	maxCookie  = 4096
)

// cookieName is what an add-on may call a cookie. Without hyphens, so that the
// name a browser keeps can be taken apart in one way only.
var cookieName = regexp.MustCompile(`^[A-Za-z0-9_]{1,64}$`)

// jar gives an add-on cookies of its own: the browser keeps them under a name
// that says whose they are, and the add-on sees only its own for one biller.
type jar struct {
	prefix string
	secure bool
}

// slugName writes a slug without hyphens, so that no two of letters, digits, "-", "_"
// and "." look alike.
var slugName = strings.NewReplacer("-", "_", "_", ".", ".", "~")

// newJar returns the jar of an add-on for a biller. secure is false only on
// plain HTTP in development, where browsers refuse the prefix __Host-.
func newJar(addonID, slug string, secure bool) jar {
	prefix := addonID + "-" + slugName.Replace(slug) + "-"
	if secure {
		prefix = "__Host-" + prefix
	}
	return jar{prefix: prefix, secure: secure}
}

// in returns the Cookie header the add-on sees, "" without any cookie of its own.
func (j jar) in(r *http.Request) string {
	var own []string
	for _, c := range r.Cookies() {
		if name, ok := strings.CutPrefix(c.Name, j.prefix); ok && cookieName.MatchString(name) {
			own = append(own, name+"="+c.Value)
		}
	}
	return strings.Join(own, "; ")
}

// out returns the Set-Cookie lines for the browser, and how many of the add-on's
// were dropped because they are malformed, misnamed or too large.
func (j jar) out(lines []string) (kept []string, dropped int) {
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil || len(line) > maxCookie || !cookieName.MatchString(c.Name) || len(kept) == maxCookies {
			dropped++
			continue
		}
		own := http.Cookie{
			Name: j.prefix + c.Name, Value: c.Value, Quoted: c.Quoted, Path: "/", MaxAge: c.MaxAge, Expires: c.Expires,
			HttpOnly: true, Secure: j.secure, SameSite: http.SameSiteLaxMode,
		}
		kept = append(kept, own.String())
	}
	return kept, dropped
}
