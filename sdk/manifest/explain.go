package manifest

import (
	"fmt"
	"strings"
)

// Explain returns what the add-on is, what it may do and why, and what it adds,
// in plain words and lines, for a person who decides whether to install it.
func (m *Manifest) Explain() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s by %s\n%s\n", m.Name, m.Version, m.Publisher, m.Summary)
	m.explainPermissions(&b)
	section(&b, "What it adds", m.Adds())
	section(&b, "What staff may do with it", m.abilityTitles())
	section(&b, "What can be set", m.settingLabels())
	if len(m.RedirectOrigins) > 0 {
		section(&b, "Where it may send people", m.RedirectOrigins)
	}
	section(&b, "Runs on", m.Platforms)
	return b.String()
}

// Adds returns what appears once the add-on is installed, one plain phrase each.
func (m *Manifest) Adds() []string {
	var adds []string
	for _, s := range m.Slots {
		switch s.Name {
		case SlotNav:
			adds = append(adds, fmt.Sprintf("A page %s under Add-ons", s.Title))
		case "customer.tab":
			adds = append(adds, fmt.Sprintf("A tab %s on every customer", s.Title))
		case "report.section":
			adds = append(adds, fmt.Sprintf("A section %s in Customer Reports", s.Title))
		}
	}
	if p := m.Pages.Public.Prefix; p != "" {
		adds = append(adds, fmt.Sprintf("Pages for your customers below /%s/", p))
	}
	return adds
}

func (m *Manifest) explainPermissions(b *strings.Builder) {
	if len(m.Permissions) == 0 {
		b.WriteString("\nIt asks for no permissions.\n")
		return
	}
	b.WriteString("\nWhat it may do, and why\n")
	for _, p := range m.Permissions {
		fmt.Fprintf(b, "  %s (%s)\n    %s\n", PermissionTitle(p.Name), p.Name, p.Reason)
	}
}

func (m *Manifest) abilityTitles() []string {
	var titles []string
	for _, a := range m.Abilities {
		titles = append(titles, fmt.Sprintf("%s (%s)", a.Title, a.Name))
	}
	return titles
}

func (m *Manifest) settingLabels() []string {
	var labels []string
	for _, s := range m.Settings {
		labels = append(labels, s.Label)
	}
	return labels
}

func section(b *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n" + title + "\n")
	for _, l := range lines {
		b.WriteString("  " + l + "\n")
	}
}
