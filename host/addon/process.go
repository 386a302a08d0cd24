package addon

import "time"

// HeartbeatEvery is how often a running host says that it lives.
const HeartbeatEvery = 3 * time.Second

// hostGone is how old the last heartbeat of a host is that counts as gone.
const hostGone = 5 * HeartbeatEvery

// Process is what one running host says about one add-on. All hosts on a database
// can read it.
type Process struct {
	// HostID is new at every start of a host; Host names it for people, as
	// "machine:process id".
	HostID, Host string
	AddonID      string
	// Version is the version that answers; if none does, the one that is to.
	Version
	// State is one of the states of package supervisor, since Since.
	State string
	Since time.Time
	// RetryAt is when the add-on starts again by itself; zero if it does not.
	RetryAt time.Time
	// Error is why it does not serve, for the operator.
	Error string
	// PID is the add-on's process, 0 if there is none.
	PID int
	// Protection names what bounds the process; empty for none, or no process.
	Protection []string
	// Heartbeat is when the host said this last.
	Heartbeat time.Time
}

// Stale tells whether the host has been silent for so long, at the time now, that
// it has gone without a word.
func (p Process) Stale(now time.Time) bool { return now.Sub(p.Heartbeat) > hostGone }
