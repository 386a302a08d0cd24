package books

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

// Ids that stand in an audit record where a staff user's would.
const (
	// CommandLine did what an operator typed.
	CommandLine = "command-line"
)

// Actions that the platform itself records. Add-ons have their own.
const (
	AuditBillerAdded    = "biller.added"
	AuditAdopted        = "audit.adopted"
	AuditExported       = "audit.exported"
	AuditStaffAdded     = "staff.added"
	AuditStaffRole      = "staff.role_changed"
	AuditStaffDisabled  = "staff.disabled"
	AuditStaffEnabled   = "staff.enabled"
	AuditStaffLink      = "staff.link_made"
	AuditStaffSignedIn  = "staff.signed_in"
	AuditStaffRefused   = "staff.sign_in_refused"
	AuditStaffSignedOut = "staff.signed_out"
	AuditStaffPassword  = "staff.password_changed"
	AuditStaffBlocked   = "staff.sign_in_blocked"
	AuditStaffDenied    = "staff.request_refused"
)

// Actor is who asks and from where, as far as an audit record wants it. It
// travels in the context.
type Actor struct {
	// StaffID is the person who is signed in, or CommandLine; empty if nobody is.
	StaffID string
	// Name says more than the id where nobody is signed in.
	Name      string
	IP        string
	Agent     string
	RequestID string
	// Device tells the browser from others; empty without one.
	Device string
}

type actorKey struct{}

// WithActor returns a context in whose audit records a is the actor.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the actor; the zero Actor if there is none.
func ActorFrom(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// AuditEntry is a record of the audit as people read it.
type AuditEntry struct {
	addon.AuditRecord
	ID string
	// Seq is the record's place in the biller's chain, from 1; 0 for a record that
	// no chain holds.
	Seq int64
	// StaffName and CustomerName are today's names; empty for nobody, and for
	// people and customers the books do not know.
	StaffName, CustomerName string
}

// AuditFilter chooses records of one biller. Zero fields choose everything.
type AuditFilter struct {
	// From is the first moment, Until the first moment after.
	From, Until time.Time
	// StaffID is a staff user's id or CommandLine. PortalUsers chooses what
	// customers did.
	StaffID     string
	PortalUsers bool
	// Group is one of AuditGroups, by name; Action one action.
	Group, Action string
	CustomerID    string
	// AddonID is an add-on's id; Platform chooses what no add-on is about.
	AddonID  string
	Platform bool
	// After and Before are cursors of a list; at most one is set.
	After, Before string
	// Limit is how many; 50 if 0, 1,000 at most.
	Limit int
}

// AuditList is a page of records, the newest first. Prev and Next are the
// cursors of the pages around it, empty where there is none.
type AuditList struct {
	Entries    []AuditEntry
	Prev, Next string
}

// AuditHead names the end of a biller's chain. Kept elsewhere, it proves later
// that nothing up to there was changed or cut off.
type AuditHead struct {
	Seq  int64
	Hash string
}

// AuditBreak is the first place where a chain does not hold.
type AuditBreak struct {
	// Seq is the place in the chain, ID the record; either may be unknown.
	Seq     int64
	ID      string
	Problem string
}

// AuditReport is what a check of a biller's chain found.
type AuditReport struct {
	// Records are those that hold, counted from the first.
	Records int64
	Head    AuditHead
	// Break is nil if everything holds.
	Break *AuditBreak
}
