package supervisor

import "time"

const (
	// settled is how long an add-on must have been healthy for its next failure
	// to count as the first.
	settled = 10 * time.Minute
	// maxCrashes within crashWindow break an add-on.
	maxCrashes  = 5
	crashWindow = 10 * time.Minute
)

// failure is one end of a process, or of an attempt to start it, that nobody
// asked for.
type failure struct {
	at time.Time
	// healthyFor is how long the process had been healthy; 0 if it never was.
	healthyFor time.Duration
	// crash is true if the process ended by itself or did not answer; false if
	// it said what is wrong, or never ran.
	crash bool
}

// pace decides when an add-on that failed starts again.
type pace struct {
	first, longest time.Duration

	rest    time.Duration
	crashes []time.Time
}

// fail returns how long to rest: doubling from first to longest, and from first
// again after an add-on was settled. jitter, from 0 to 1, takes up to a quarter
// off, so that add-ons that fell together do not rise together. broken means
// that it shall not start again by itself.
func (p *pace) fail(f failure, jitter float64) (rest time.Duration, broken bool) {
	if f.healthyFor > settled {
		p.rest, p.crashes = 0, nil
	}
	p.rest = min(max(2*p.rest, p.first), p.longest)
	if f.crash {
		p.crashes = append(p.crashes, f.at)
	}
	for len(p.crashes) > 0 && f.at.Sub(p.crashes[0]) > crashWindow {
		p.crashes = p.crashes[1:]
	}
	return p.rest - time.Duration(jitter*float64(p.rest)/4), len(p.crashes) >= maxCrashes
}

// reset forgets all failures: somebody acted, or another version runs.
func (p *pace) reset() { p.rest, p.crashes = 0, nil }
