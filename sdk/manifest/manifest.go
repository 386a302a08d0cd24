// Package manifest reads manifest.yaml, the page on which an add-on says who it
// is, what it may do and why, and where it shows itself.
//
// Parse finds every mistake in one go and says where each one is, so an author
// mends the file in one round. A Manifest that Parse returned is valid.
package manifest

import "slices"

// FileName is the manifest's name in an add-on's folder and in its package.
const FileName = "manifest.yaml"

// MaxSize is the largest manifest Parse reads, in bytes.
const MaxSize = 64 << 10

// Manifest is what an add-on declares about itself.
type Manifest struct {
	// ID names the add-on for good: lower-case letters, digits and hyphens, 3–40
	// characters, starting with a letter.
	ID string `yaml:"id"`
	// Name is what people read, up to 60 characters.
	Name string `yaml:"name"`
	// Version is a semantic version such as "1.4.2".
	Version string `yaml:"version"`
	// Summary is one plain sentence for the marketplace, up to 160 characters.
	Summary string `yaml:"summary"`
	// Description is Markdown for the marketplace page; may be empty.
	Description string `yaml:"description"`
	// Icon is a file of the package (.svg or .png) or the name of one of the
	// platform's icons; IconFile tells which.
	Icon string `yaml:"icon"`
	// Publisher is who answers for the add-on.
	Publisher string `yaml:"publisher"`
	// Homepage is an https address; may be empty.
	Homepage string `yaml:"homepage"`
	// License is an SPDX identifier; may be empty.
	License string `yaml:"license"`
	// Host is the range of versions of the contract the add-on works with, such
	// as ">=1.0.0 <2.0.0".
	Host string `yaml:"host"`
	// Capabilities lists the parts the add-on offers; see Capabilities.
	Capabilities []string `yaml:"capabilities"`
	// Permissions lists what the add-on asks a biller for.
	Permissions []Permission `yaml:"permissions"`
	// Abilities lists what a biller's staff may do with the add-on.
	Abilities []Ability `yaml:"abilities"`
	// Pages lists where the add-on has pages of its own.
	Pages Pages `yaml:"pages"`
	// Slots lists where the add-on shows itself on the platform's pages.
	Slots []Slot `yaml:"slots"`
	// Settings is what a biller can set, in the order shown.
	Settings []Setting `yaml:"settings"`
	// Platforms lists the systems the add-on is built for, such as "linux/amd64".
	Platforms []string `yaml:"platforms"`
	// RedirectOrigins lists the https origins, other than the platform's own, to
	// which a Location header may lead.
	RedirectOrigins []string `yaml:"redirect_origins"`
}

// Permission is one thing the add-on asks for.
type Permission struct {
	// Name is one of PermissionNames.
	Name string `yaml:"name"`
	// Reason is the sentence a biller reads before agreeing, 10 to 300 characters.
	Reason string `yaml:"reason"`
}

// Ability is one thing staff may do with the add-on. The platform maps its own
// roles to abilities.
type Ability struct {
	// Name is one of AbilityNames.
	Name string `yaml:"name"`
	// Title is what the biller reads, such as "Invite customers".
	Title string `yaml:"title"`
}

// Capabilities returns the capabilities an add-on may declare.
func Capabilities() []string { return []string{"invite", "signup", "report", "pages", "events"} }

// AbilityNames returns the abilities an add-on may name.
func AbilityNames() []string {
	return []string{"staff:invite", "staff:configure", "staff:report"}
}

// HasCapability reports whether the add-on declares the capability.
func (m *Manifest) HasCapability(name string) bool { return slices.Contains(m.Capabilities, name) }

// HasPermission reports whether the add-on asks for the permission. What a
// biller granted is a different question.
func (m *Manifest) HasPermission(name string) bool {
	return slices.ContainsFunc(m.Permissions, func(p Permission) bool { return p.Name == name })
}

// HasAbility reports whether the add-on names the ability.
func (m *Manifest) HasAbility(name string) bool {
	return slices.ContainsFunc(m.Abilities, func(a Ability) bool { return a.Name == name })
}

// SupportsPlatform reports whether the add-on is built for "os/arch".
func (m *Manifest) SupportsPlatform(platform string) bool {
	return slices.Contains(m.Platforms, platform)
}

// IconFile returns the icon's path in the package, or "" if Icon names one of
// the platform's icons.
func (m *Manifest) IconFile() string {
	if iconName.MatchString(m.Icon) {
		return ""
	}
	return m.Icon
}
