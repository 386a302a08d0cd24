package addon

import "time"

// Installing is an installation under way, for one biller: it exists from the
// consent until the add-on runs.
type Installing struct {
	BillerID, AddonID string
	// Version is the one that staff agreed to.
	Version string
	// Run names the attempt; a later one takes over from an earlier one.
	Run  string
	Step InstallStep
	// Done and Total are how far the step is, in bytes; Total is 0 where a step has
	// no bytes.
	Done, Total int64
	// Problem is why it ended without success, for staff; empty while it goes on.
	Problem   string
	UpdatedAt time.Time
}

// InstallStep is what an installation is doing.
type InstallStep string

// The steps of an installation, in their order.
const (
	InstallDownloads InstallStep = "downloading"
	InstallVerifies  InstallStep = "verifying"
	InstallUnpacks   InstallStep = "unpacking"
	InstallStarts    InstallStep = "starting"
)

// InstallSteps returns the steps in their order.
func InstallSteps() []InstallStep {
	return []InstallStep{InstallDownloads, InstallVerifies, InstallUnpacks, InstallStarts}
}

// InstallAlive is how long an installation may say nothing before it counts as
// interrupted: the host that worked on it has gone.
const InstallAlive = 30 * time.Second

// Interrupted reports whether nobody works on it any more.
func (i Installing) Interrupted(now time.Time) bool {
	return i.Problem == "" && now.Sub(i.UpdatedAt) > InstallAlive
}
