package manifest

import "slices"

// Slot is a place on the platform's own pages that the add-on fills.
type Slot struct {
	// Name is one of SlotNames.
	Name string `yaml:"name"`
	// Title heads the fragment, or is the link's text for nav.addons.
	Title string `yaml:"title"`
	// Path is what the host asks the add-on for; the slot's parameters come in
	// the query. For nav.addons it is the staff page the link opens.
	Path string `yaml:"path"`
	// Ability is what a member of staff needs to see it. It may be left out for
	// nav.addons; Parse then fills in that of the staff page.
	Ability string `yaml:"ability"`
}

// SlotNav is the slot whose entries are links under Add-ons, not fragments.
const SlotNav = "nav.addons"

// SlotNames returns the slots a platform offers.
func SlotNames() []string { return []string{SlotNav, "customer.tab", "report.section"} }

// SlotsNamed returns the add-on's entries for one slot, in the manifest's order.
func (m *Manifest) SlotsNamed(name string) []Slot {
	var found []Slot
	for _, s := range m.Slots {
		if s.Name == name {
			found = append(found, s)
		}
	}
	return found
}

// fillSlots gives links under Add-ons the ability of the page they open.
func (m *Manifest) fillSlots() {
	for i, s := range m.Slots {
		if s.Name != SlotNav || s.Ability != "" {
			continue
		}
		if page, ok := m.StaffPageFor(s.Path); ok {
			m.Slots[i].Ability = page.Ability
		}
	}
}

func (c *checker) slots(m *Manifest) {
	seen := map[[2]string]bool{}
	for i, s := range m.Slots {
		at := index("slots", i)
		c.known(at+".name", "slot", s.Name, SlotNames())
		c.text(at+".title", s.Title, 1, 60)
		c.path(at+".path", s.Path)
		if key := [2]string{s.Name, s.Path}; s.Path != "" && seen[key] {
			c.add(at, "%s with the path %q is listed twice; remove one of them", s.Name, s.Path)
		} else {
			seen[key] = true
		}
		if s.Name == SlotNav {
			c.navSlot(at, s, m)
			continue
		}
		c.ability(at+".ability", s.Ability, m)
	}
}

func (c *checker) navSlot(at string, s Slot, m *Manifest) {
	_, ok := m.StaffPageFor(s.Path)
	if s.Path != "" && !ok {
		c.add(at+".path", "%q is no page for staff; list it under pages.staff", s.Path)
		return
	}
	if s.Ability != "" || !slices.ContainsFunc(m.Pages.Staff, func(p StaffPage) bool { return covers(p.Path, s.Path) }) {
		c.ability(at+".ability", s.Ability, m)
	}
}
