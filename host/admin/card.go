package admin

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// card is an add-on as the pages show it.
type card struct {
	ID, Name, Version, Publisher, Summary string
	// Icon is the name of one of the platform's; IconHref is where the add-on's own
	// is served, if it has one.
	Icon, IconHref string
	// Does is what it can do, in a word each.
	Does []feature
	// Href is the add-on's page in the marketplace, Open its own first page;
	// empty if it has none, or none that this person may open.
	Href, Open string
	// Settings is where they are set; empty if there are none that this person may.
	Settings string
	// Enabled is an installed add-on; Installed is false also while staff have not
	// agreed to all it asks for.
	Enabled, Installed bool
	// Run is how an installed add-on is doing.
	Run   RunState
	State OfferState
	// Installable is what this person may install, or agree to, now.
	Installable bool
	Size        string
}

// Label is the state in the words of a badge; empty for one that can be installed.
func (c card) Label() string {
	if c.State == Available {
		return ""
	}
	return strings.ToUpper(string(c.State[:1])) + string(c.State[1:])
}

// Action is what the button says that leads to the consent.
func (c card) Action() string {
	if c.Enabled {
		return "Review what it asks for"
	}
	return "Install"
}

func (h *Handler) card(o Offer, inst addon.Installation, staff addon.Staff) card {
	m := o.Manifest
	c := card{
		ID: m.ID, Name: m.Name, Version: m.Version, Publisher: m.Publisher, Summary: m.Summary, Does: features(m),
		Icon: "addon", Href: h.home() + "/" + m.ID, Installed: agreed(m, inst), Enabled: inst.State == addon.Enabled,
		Size: megabytes(o.Size), State: o.State,
	}
	switch {
	case web.HasIcon(m.Icon):
		c.Icon = m.Icon
	case m.IconFile() != "":
		c.IconHref = c.Href + "/icon?v=" + url.QueryEscape(m.Version)
	}
	if path, ok := firstPage(m); ok && mayOpen(m, path, staff) {
		c.Open = h.StaffPath + "/addons/" + m.ID + path
	}
	if c.Enabled {
		c.Run = h.Runner.State(m.ID)
	}
	if c.Enabled && mayConfigure(m, staff) {
		c.Settings = h.settingsPath(m.ID)
	}
	c.Installable = !c.Installed && (c.State == Available || c.Enabled) && inst.State != addon.Purging
	return c
}

// feature is one thing that an add-on can do.
type feature struct{ Icon, Title string }

func features(m *manifest.Manifest) []feature {
	var list []feature
	for _, name := range m.Capabilities {
		switch name {
		case "invite":
			list = append(list, feature{"plane", "Invitations"})
		case "signup":
			list = append(list, feature{"person", "Sign-up"})
		case "report":
			list = append(list, feature{"report", "Reports"})
		}
	}
	if m.Pages.Public.Prefix != "" {
		list = append(list, feature{"external", "Pages for customers"})
	}
	if len(m.Pages.Staff) > 0 {
		list = append(list, feature{"people", "Pages for staff"})
	}
	return list
}

// agreed reports whether the add-on is on with all that it asks for; if it asks
// for more than before, staff are asked again.
func agreed(m *manifest.Manifest, inst addon.Installation) bool {
	return !slices.ContainsFunc(m.Permissions, func(p manifest.Permission) bool { return !inst.Granted(p.Name) }) && inst.State == addon.Enabled
}

// firstPage returns the staff page people land on.
func firstPage(m *manifest.Manifest) (string, bool) {
	if nav := m.SlotsNamed(addon.SlotNav); len(nav) > 0 {
		return nav[0].Path, true
	}
	if len(m.Pages.Staff) > 0 {
		return m.Pages.Staff[0].Path, true
	}
	return "", false
}

// mayOpen reports whether the person holds the ability that the staff page needs.
func mayOpen(m *manifest.Manifest, path string, staff addon.Staff) bool {
	page, ok := m.StaffPageFor(path)
	return ok && staff.Can(page.Ability)
}

// megabytes says a size for people; empty if it is not known.
func megabytes(n int64) string {
	if n <= 0 {
		return ""
	}
	if n < 1e5 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// permission is one line of what an add-on may do.
type permission struct{ Icon, Title, Name, Reason string }

func permissions(m *manifest.Manifest) []permission {
	var list []permission
	for _, p := range m.Permissions {
		list = append(list, permission{permissionIcon(p.Name), manifest.PermissionTitle(p.Name), p.Name, p.Reason})
	}
	return list
}

func permissionIcon(name string) string {
	switch name {
	case "customers:read":
		return "customers"
	case "customers:write":
		return "pen"
	case "invoices:read":
		return "invoice"
	case "payments:write":
		return "card"
	case "mail:send":
		return "plane"
	case "billers:read":
		return "home"
	case "staff:notify":
		return "bell"
	case "audit:write":
		return "document"
	case "database":
		return "database"
	}
	return "lock"
}

// addition is one thing that appears with an add-on: "A tab" Title "on every
// customer".
type addition struct{ Icon, Before, Title, After string }

func additions(m *manifest.Manifest) []addition {
	var list []addition
	for _, s := range m.Slots {
		switch s.Name {
		case addon.SlotNav:
			list = append(list, addition{"addon", "A page", s.Title, "under Add-ons"})
		case addon.SlotCustomerTab:
			list = append(list, addition{"person", "A tab", s.Title, "on every customer"})
		case addon.SlotReportSection:
			list = append(list, addition{"report", "A section", s.Title, "in Customer Reports"})
		}
	}
	if p := m.Pages.Public.Prefix; p != "" {
		list = append(list, addition{"external", "Pages for your customers below", "/" + p + "/", ""})
	}
	return list
}

// matches reports whether every word of the search stands in what the card says.
func (c card) matches(search string) bool {
	text := strings.ToLower(c.Name + " " + c.Summary + " " + c.Publisher)
	for _, f := range c.Does {
		text += " " + strings.ToLower(f.Title)
	}
	for word := range strings.FieldsSeq(strings.ToLower(search)) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
