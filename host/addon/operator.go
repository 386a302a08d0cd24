package addon

import "time"

// AbilityOperate lets a staff user operate add-ons for the whole platform:
// choose versions, start add-ons again, approve them.
const AbilityOperate = "addons:operate"

// Actions of operators, as Operation keeps them.
const (
	ActionUpgrade    = "addon.upgrade"
	ActionRollback   = "addon.rollback"
	ActionRetry      = "addon.retry"
	ActionApprove    = "addon.approve"
	ActionDisapprove = "addon.disapprove"
	ActionPurge      = "addon.purge"
	ActionPurged     = "addon.purged"
)

// Outcomes, as Operation keeps them too, in the name of the platform. From is what
// ran, To what took over, was refused, or runs again; of ActionStayed it is the
// withdrawn version that the platform does not return to.
const (
	ActionSwitched = "addon.switched"
	ActionRefused  = "addon.refused"
	ActionReturned = "addon.returned"
	ActionStayed   = "addon.stayed"
)

// Who outcomes are recorded for: StaffID and By.
const (
	PlatformID   = "platform"
	PlatformName = "the platform"
)

// Operation is one thing that somebody did to an add-on of the platform: a line
// of the operators' audit, which belongs to no biller.
type Operation struct {
	ID string
	At time.Time
	// StaffID and By are who did it; StaffID is "command-line" for a command, and
	// PlatformID for an outcome.
	StaffID, By string
	Action      string
	AddonID     string
	// BillerID is whose data it was about; empty for the whole platform.
	BillerID string
	// From and To are versions; empty where the action has none.
	From, To string
	// Detail is why it came so, for the operator; empty where nobody asked.
	Detail string
}

// Approval says that the operator lets billers install an add-on.
type Approval struct {
	AddonID    string
	ApprovedBy string
	ApprovedAt time.Time
}

// Exported is a finished file of what an add-on keeps for a biller.
type Exported struct {
	// FileName and MediaType are the add-on's words, Size is in bytes.
	FileName, MediaType string
	Size                int64
}

// PurgeOrder says which data of a biller to delete.
type PurgeOrder struct {
	AddonID string
	// Name is the add-on's name, typed by a person.
	Name string
	// KeepExport has the server write the data to a file below DataDir/exports
	// first, where it stays for 30 days; else staff must have exported it since they removed the add-on.
	KeepExport bool
}
