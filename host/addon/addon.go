// Package addon holds the words of the host: installations, staff, pages and
// slots. It is a leaf that every other package of the host imports.
package addon

import (
	"html/template"
	"net/url"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
)

// Slot names a platform may draw in its own pages.
const (
	SlotNav           = "nav.addons"
	SlotCustomerTab   = "customer.tab"
	SlotReportSection = "report.section"
)

// AbilityInstall lets a staff user install and remove add-ons.
const AbilityInstall = "addons:install"

// AbilityConfigure lets a staff user change the settings of installed add-ons.
const AbilityConfigure = "staff:configure"

// Installation is one add-on enabled for one biller, with what its staff
// agreed to. The version that runs is the platform's, not the installation's.
type Installation struct {
	BillerID, AddonID string
	State             State
	// Permissions are the granted ones; the host refuses every other.
	Permissions []string
	// Version is the one whose permissions were agreed to.
	Version     string
	InstalledBy string
	InstalledAt time.Time
	UpdatedAt   time.Time
	// ExportedAt is when the biller last took its data out; zero for never since
	// the add-on was installed last.
	ExportedAt time.Time
	// Purge says who has the data deleted; zero unless the state is Purging.
	Purge Purge
}

// Purge is an order to delete what an add-on keeps for a biller.
type Purge struct {
	StaffID, By string
	// KeepExport has the server that purges write the data to a file first.
	KeepExport bool
}

// Granted tells whether the biller agreed to the permission.
func (i Installation) Granted(permission string) bool {
	return i.State == Enabled && slices.Contains(i.Permissions, permission)
}

// State of an installation.
type State string

// States of an installation. Suspended keeps the data and closes the pages;
// Purging is a suspended one whose data is being deleted for good.
const (
	Enabled   State = "enabled"
	Suspended State = "suspended"
	Purging   State = "purging"
)

// Staff is a signed-in person who works for a biller, as the platform says.
type Staff struct {
	ID, Name, Email string
	BillerID        string
	// Abilities are what the person's role may do: those that manifests name
	// ("staff:invite") and AbilityInstall.
	Abilities []string
	// Locale is the language tag of the person's choice; empty means the biller's.
	Locale string
	// AuthenticatedAt is when the person last proved who they are. The host sends
	// people whose proof is old to sign in again before it deletes data or operates
	// an add-on, and when an add-on's page asks for it. Zero, for a platform that does
	// not tell, asks for nothing.
	AuthenticatedAt time.Time
}

// Can tells whether the staff user holds the ability.
func (s Staff) Can(ability string) bool { return slices.Contains(s.Abilities, ability) }

// Viewer tells an add-on who the person is, with those abilities that it names.
func (s Staff) Viewer(names func(ability string) bool) sdk.Viewer {
	v := sdk.Viewer{StaffID: s.ID, Name: s.Name, AuthenticatedAt: s.AuthenticatedAt}
	for _, ability := range s.Abilities {
		if names(ability) {
			v.Abilities = append(v.Abilities, ability)
		}
	}
	return v
}

// Fresh tells whether the person proved who they are less than sdk.FreshLife ago, or
// the platform does not tell.
func (s Staff) Fresh(now time.Time) bool {
	return sdk.Viewer{AuthenticatedAt: s.AuthenticatedAt}.Fresh(now)
}

// AskAgain is the path at which people prove again who they are, which leads to the
// path back then; signIn is the platform's SignInPath.
func AskAgain(signIn, back string) string {
	return signIn + "?reauth=1&next=" + url.QueryEscape(back)
}

// Page is what the platform's frame is drawn around.
type Page struct {
	// Title is the <title>, without the platform's name.
	Title string
	// Status is the HTTP status; 0 means 200.
	Status int
	// Active names the place in the navigation: "marketplace" or
	// "addon:customer-portal".
	Active string
	// Refused is why the host refused the request, one of the reasons of package
	// refusal: a platform may keep that in its audit. Empty if it was not refused.
	Refused string
	// Body goes inside <main>. It is safe: the host's own templates or a
	// fragment that passed the allow-list.
	Body template.HTML
}

// SlotView is one add-on's place in a platform page.
type SlotView struct {
	AddonID string
	Slot    string
	// Title is the manifest's, for a tab or a section heading.
	Title string
	// Href is set for SlotNav: the add-on's own page.
	Href string
}

// AuditRecord is an audit event with what only the host knows.
type AuditRecord struct {
	// Key is the add-on's: a platform keeps one record for each. Empty for none.
	Key             string
	At              time.Time
	AddonID         string
	StaffID         string
	PortalUserClaim string
	Action          string
	Object          string
	CustomerID      string
	RequestID       string
	RemoteIP        string
	Detail          map[string]string
}
