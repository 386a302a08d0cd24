package manifest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/Masterminds/semver/v3"
)

var (
	idPattern       = regexp.MustCompile(`^[a-z][a-z0-9-]{1,38}[a-z0-9]$`)
	iconName        = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)
	iconFile        = regexp.MustCompile(`^([A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+\.(svg|png)$`)
	platformPattern = regexp.MustCompile(`^(linux|darwin|freebsd|windows)/(amd64|arm64|386|arm|riscv64|ppc64le|s390x)$`)
)

// Validate returns an *Error that lists everything wrong with m, or nil. Parse
// has called it already; it is for manifests made in Go.
func (m *Manifest) Validate() error {
	if problems := check(m); len(problems) > 0 {
		return &Error{Name: FileName, Problems: problems}
	}
	return nil
}

// AcceptsHost reports whether the version of the contract lies in m.Host.
func (m *Manifest) AcceptsHost(version string) bool {
	v, err := semver.StrictNewVersion(version)
	if err != nil {
		return false
	}
	allowed, err := semver.NewConstraint(m.Host)
	return err == nil && allowed.Check(v)
}

// checker gathers problems by path.
type checker struct{ problems []Problem }

func check(m *Manifest) []Problem {
	c := &checker{}
	c.identity(m)
	c.versions(m)
	c.capabilities(m)
	c.permissions(m)
	c.abilities(m)
	c.pages(m)
	c.slots(m)
	c.settings(m)
	c.platforms(m)
	c.origins(m)
	return c.problems
}

func (c *checker) add(at, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: at, Message: fmt.Sprintf(format, args...)})
}

// text checks a text for people: its length in characters, and no control characters.
func (c *checker) text(at, s string, least, most int) {
	n := length(s)
	switch {
	case n == 0 && least > 0:
		c.add(at, "is missing; write up to %d characters", most)
	case n < least || n > most:
		c.add(at, "has %d characters; use %d to %d", n, least, most)
	case strings.ContainsFunc(s, unicode.IsControl):
		c.add(at, "has a line break or control character; write it on one line")
	}
}

// known checks that value is one of the words of a list.
func (c *checker) known(at, noun, value string, words []string) {
	switch {
	case value == "":
		c.add(at, "is missing; choose from %s", strings.Join(words, ", "))
	case !slices.Contains(words, value):
		c.add(at, "%s", unknown(noun, value, words))
	}
}

func (c *checker) identity(m *Manifest) {
	switch {
	case m.ID == "":
		c.add("id", "is missing; choose a name for good, such as customer-portal")
	case !idPattern.MatchString(m.ID):
		c.add("id", "%q is not an id; use 3 to 40 lower-case letters, digits and hyphens, starting with a letter", m.ID)
	case slices.Contains([]string{"host", "billhost"}, m.ID):
		c.add("id", "%q is what the platform calls a part of itself; choose another name", m.ID)
	}
	c.text("name", m.Name, 1, 60)
	c.text("summary", m.Summary, 1, 160)
	c.text("publisher", m.Publisher, 1, 80)
	c.text("license", m.License, 0, 60)
	if n := length(m.Description); n > 10000 {
		c.add("description", "has %d characters; use at most 10000", n)
	}
	switch {
	case m.Icon == "":
		c.add("icon", "is missing; give a file of the package such as icon.svg, or a name such as people")
	case !iconName.MatchString(m.Icon) && !iconFile.MatchString(m.Icon):
		c.add("icon", "%q is neither a .svg or .png file of the package nor a name such as people", m.Icon)
	}
	if m.Homepage != "" && !webAddress(m.Homepage) {
		c.add("homepage", "%q is not a web address; write it with https://", m.Homepage)
	}
}

func (c *checker) versions(m *Manifest) {
	if m.Version == "" {
		c.add("version", "is missing; write three numbers, such as 1.0.0")
	} else if _, err := semver.StrictNewVersion(m.Version); err != nil || len(m.Version) > 64 {
		c.add("version", "%q is not a version; write three numbers, such as 1.0.0", m.Version)
	}
	if m.Host == "" {
		c.add("host", `is missing; write the range the add-on works with, such as ">=1.0.0 <2.0.0"`)
	} else if _, err := semver.NewConstraint(m.Host); err != nil || len(m.Host) > 100 {
		c.add("host", `%q is not a version range; write it like ">=1.0.0 <2.0.0"`, m.Host)
	}
}

func (c *checker) capabilities(m *Manifest) {
	c.words("capabilities", "capability", m.Capabilities, Capabilities())
	hasPages := m.Pages.Public.Prefix != "" || len(m.Pages.Staff) > 0 || len(m.Slots) > 0
	switch {
	case len(m.Capabilities) == 0:
		c.add("capabilities", "is missing; list at least one of %s", strings.Join(Capabilities(), ", "))
	case hasPages && !m.HasCapability("pages"):
		c.add("capabilities", "pages is missing, but the manifest lists pages or slots; add it")
	case !hasPages && m.HasCapability("pages"):
		c.add("capabilities", "pages is listed, but there are no pages and no slots; list them or remove it")
	}
}

// words checks a list of known words for unknown and repeated ones.
func (c *checker) words(at, noun string, list, words []string) {
	for i, w := range list {
		c.known(index(at, i), noun, w, words)
		if w != "" && slices.Index(list, w) < i {
			c.add(index(at, i), "%s is listed twice; remove one of them", w)
		}
	}
}

func (c *checker) abilities(m *Manifest) {
	seen := map[string]bool{}
	for i, a := range m.Abilities {
		at := index("abilities", i)
		c.known(at+".name", "ability", a.Name, AbilityNames())
		if a.Name != "" && seen[a.Name] {
			c.add(at+".name", "%s is listed twice; remove one of them", a.Name)
		}
		seen[a.Name] = true
		c.text(at+".title", a.Title, 1, 60)
	}
}

func (c *checker) platforms(m *Manifest) {
	if len(m.Platforms) == 0 {
		c.add("platforms", "is missing; list the systems the add-on is built for, such as linux/amd64")
	}
	for i, p := range m.Platforms {
		switch {
		case !platformPattern.MatchString(p):
			c.add(index("platforms", i), "%q is not a platform; write system/processor, such as linux/amd64", p)
		case slices.Index(m.Platforms, p) < i:
			c.add(index("platforms", i), "%s is listed twice; remove one of them", p)
		}
	}
}

func (c *checker) origins(m *Manifest) {
	for i, o := range m.RedirectOrigins {
		if u, err := url.Parse(o); err != nil || !webAddress(o) || u.Scheme+"://"+u.Host != o {
			c.add(index("redirect_origins", i), "%q is not an origin; write only https:// and the host, such as https://pay.example.com", o)
		}
	}
}

// webAddress reports whether s is an https address of a host, without user names.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Hostname() != "" && u.User == nil &&
		strings.ToLower(u.Host) == u.Host && !strings.ContainsFunc(s, notPrintable)
}

func notPrintable(r rune) bool { return r <= ' ' || r == '*' || !unicode.IsPrint(r) }

func length(s string) int { return utf8.RuneCountInString(strings.TrimSpace(s)) }

func index(at string, i int) string { return fmt.Sprintf("%s[%d]", at, i) }

// entry is the path of a map's entry.
func entry(at, key string) string {
	return at + "." + strings.Map(func(r rune) rune {
		if strings.ContainsRune(".[", r) {
			return '_'
		}
		return r
	}, key)
}
