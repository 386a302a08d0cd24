package manifest

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// Pages says where an add-on has pages of its own.
type Pages struct {
	// Public are the pages anybody may open; Prefix is empty if there are none.
	Public PublicPages `yaml:"public"`
	// Staff are the pages for a biller's staff.
	Staff []StaffPage `yaml:"staff"`
}

// PublicPages says where the public pages live.
type PublicPages struct {
	// Prefix is the first path segment: "portal" puts the pages of a biller
	// below /portal/{biller}/. It is one add-on's on a platform: a second one that
	// wants it is refused.
	Prefix string `yaml:"prefix"`
}

// StaffPage is one entry point for staff. It covers the paths below it too,
// unless another entry is nearer.
type StaffPage struct {
	// Path is asked from the add-on; "/" is its first page.
	Path string `yaml:"path"`
	// Title is the link's text.
	Title string `yaml:"title"`
	// Ability is what a member of staff needs to open it.
	Ability string `yaml:"ability"`
}

var (
	prefixPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,38}[a-z0-9]$`)
	pathPattern   = regexp.MustCompile(`^/[A-Za-z0-9._~/-]*$`)
)

// ReservedPrefixes returns the first path segments that belong to the platform.
func ReservedPrefixes() []string {
	return []string{"admin", "addon-static", "addons", "dev", "healthz", "metrics", "readyz", "sign-in", "sign-out", "static"}
}

// StaffPageFor returns the entry that covers the path, the nearest one first.
// False means no member of staff may open it.
func (m *Manifest) StaffPageFor(p string) (StaffPage, bool) {
	var best StaffPage
	found := false
	for _, page := range m.Pages.Staff {
		if covers(page.Path, p) && (!found || len(page.Path) > len(best.Path)) {
			best, found = page, true
		}
	}
	return best, found
}

func covers(entry, p string) bool {
	entry = strings.TrimSuffix(entry, "/")
	return p == entry || strings.HasPrefix(p, entry+"/")
}

func (c *checker) pages(m *Manifest) {
	if p := m.Pages.Public.Prefix; p != "" {
		c.prefix(p)
	}
	seen := map[string]bool{}
	for i, page := range m.Pages.Staff {
		at := index("pages.staff", i)
		c.path(at+".path", page.Path)
		if page.Path != "" && seen[page.Path] {
			c.add(at+".path", "%q is listed twice; remove one of them", page.Path)
		}
		seen[page.Path] = true
		c.text(at+".title", page.Title, 1, 60)
		c.ability(at+".ability", page.Ability, m)
	}
}

func (c *checker) prefix(p string) {
	const at = "pages.public.prefix"
	switch {
	case !prefixPattern.MatchString(p):
		c.add(at, "%q cannot be a path segment; use 2 to 40 lower-case letters, digits and hyphens, such as portal", p)
	case slices.Contains(ReservedPrefixes(), p):
		c.add(at, "%q belongs to the platform; choose another word, such as portal", p)
	}
}

func (c *checker) path(at, p string) {
	switch {
	case p == "":
		c.add(at, `is missing; write the path the add-on answers, such as "/"`)
	case !pathPattern.MatchString(p) || path.Clean(p) != p:
		c.add(at, `%q is not a plain path; start with "/" and use letters, digits, "-", "_", "." and "/" without "..", "//" or a "/" at the end`, p)
	}
}

func (c *checker) ability(at, name string, m *Manifest) {
	switch {
	case name == "":
		c.add(at, "is missing; name the ability staff need, such as %s", AbilityNames()[0])
	case !slices.Contains(AbilityNames(), name):
		c.add(at, "%s", unknown("ability", name, AbilityNames()))
	case !m.HasAbility(name):
		c.add(at, "%s is not listed under abilities; add it there with a title", name)
	}
}
