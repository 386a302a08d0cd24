package books

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Lives of what signs staff in.
const (
	// StaffLinkLife is how long a one-time link works.
	StaffLinkLife = 15 * time.Minute
	// StaffIdle ends a session that nobody used.
	StaffIdle = 30 * time.Minute
	// StaffSessionLife ends every session.
	StaffSessionLife = 12 * time.Hour
)

// Role is what a staff user is to the biller.
type Role string

// The roles, from most to least.
const (
	// Operator is an owner who also operates the add-ons of the whole platform.
	Operator Role = "operator"
	Owner    Role = "owner"
	Manager  Role = "manager"
	Viewer   Role = "viewer"
)

// StaffSeen is a staff user with the last sign-in, zero for none yet.
type StaffSeen struct {
	Staff
	LastSignIn time.Time
}

// Roles lists every role.
func Roles() []Role { return []Role{Operator, Owner, Manager, Viewer} }

// ParseRole returns the role of that name, or Invalid.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	return "", apperr.Field("role", "The role must be operator, owner, manager or viewer.")
}

// CheckStaffName returns the name as it is kept, or Invalid: names stand in mails
// and on pages, so they are one line of plain text.
func CheckStaffName(name string) (string, error) {
	const longest = 200
	name = Squeeze(name)
	unseen := func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) || r == utf8.RuneError }
	switch {
	case name == "":
		return "", apperr.Field("name", "Enter a name.")
	case len(name) > longest || strings.ContainsFunc(name, unseen):
		return "", apperr.Field("name", "Enter a name of at most 200 letters, without control characters.")
	}
	return name, nil
}

// Abilities are what the role may do in add-ons.
func (r Role) Abilities() []string {
	switch r {
	case Operator:
		return append(Owner.Abilities(), addon.AbilityOperate)
	case Owner:
		return []string{addon.AbilityInstall, "staff:invite", "staff:configure", "staff:report"}
	case Manager:
		return []string{"staff:invite", "staff:report"}
	case Viewer:
		return []string{"staff:report"}
	}
	return nil
}

// CanEdit tells whether the role may change customers.
func (r Role) CanEdit() bool { return r == Operator || r == Owner || r == Manager }

// CanAudit tells whether the role may look at the audit of its biller.
func (r Role) CanAudit() bool { return r == Operator || r == Owner || r == Manager }

// Staff is a person who works for a biller.
type Staff struct {
	ID, BillerID string
	Email, Name  string
	Role         Role
	// Disabled people cannot sign in, and their sessions have ended.
	Disabled bool
	// HasPassword tells that the person chose one. AuthenticatedAt is when the
	// session began, and Proof with what; all are set by Session only.
	HasPassword     bool
	AuthenticatedAt time.Time
	Proof           string
}

// Fresh tells whether the person has just proven who they are.
func (s Staff) Fresh(now time.Time) bool { return now.Sub(s.AuthenticatedAt) < FreshLife }

// NeedsPassword tells whether a new password wants the current one: not of
// somebody who has none, nor of somebody who has just come by a link, which is how
// a forgotten password is replaced.
func (s Staff) NeedsPassword(now time.Time) bool {
	return s.HasPassword && (s.Proof != ProofLink || !s.Fresh(now))
}

// Addon returns the person as add-ons know them.
func (s Staff) Addon() addon.Staff {
	return addon.Staff{ID: s.ID, Name: s.Name, Email: s.Email, BillerID: s.BillerID, Abilities: s.Role.Abilities(), AuthenticatedAt: s.AuthenticatedAt}
}
