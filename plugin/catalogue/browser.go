package catalogue

import (
	"strings"
	"unicode"

	"github.com/mileusna/useragent"
)

// Browser is what people call the browser that sent a User-Agent header. Its sender
// writes that: nothing that looks like an address comes through.
func (t Text) Browser(agent string) string {
	ua := useragent.Parse(agent)
	switch {
	case !plain(ua.Name):
		return t.T("security.browser.unknown")
	case !plain(ua.OS):
		return ua.Name
	}
	return t.T("security.browser", "Browser", ua.Name, "System", ua.OS)
}

// plain tells whether a name is a word or a few.
func plain(name string) bool {
	return name != "" && len(name) <= 40 && !strings.ContainsFunc(name, func(r rune) bool {
		return r != ' ' && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}
