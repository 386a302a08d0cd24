package supervisor

import (
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

// State of an add-on's process.
type State string

// States of a process.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Healthy  State = "healthy"
	// Degraded processes serve, but were late to say that they live.
	Degraded State = "degraded"
	// BackingOff add-ons start again at Status.RetryAt.
	BackingOff State = "backing off"
	// Broken add-ons crashed 5 times within 10 minutes. They start again when
	// another version is chosen or somebody asks for it.
	Broken State = "broken"
	// Draining processes finish their calls and then end.
	Draining State = "draining"
)

// Status tells how an add-on is doing.
type Status struct {
	AddonID, Version, Digest string
	// State is what it is in since Since.
	State State
	Since time.Time
	// Err is why it is backing off or broken; RetryAt when it starts again, zero
	// if not by itself.
	Err     error
	RetryAt time.Time
	// Report is the end of what the process wrote to stderr before it last
	// ended by itself.
	Report string
	// Failures counts the times it failed since Run began.
	Failures int
	// PID is the running process, 0 if there is none.
	PID int
	// Protection names what bounds that process: ProtectionLimits,
	// ProtectionLandlock.
	Protection []string
	// Serving is the version that answers; zero if none does. Until another one
	// has passed its trial, the one before serves.
	Serving addon.Version
	// Trial is the version that is being tried beside it.
	Trial addon.Version
	// TrialErr is why the last trial failed.
	TrialErr error
	// Wanted is what the store said last.
	Wanted addon.Active
}

// Statuses tells how each add-on is doing, by id.
func (s *Supervisor) Statuses() []Status {
	var list []Status
	for _, w := range s.all() {
		list = append(list, w.status())
	}
	return list
}
