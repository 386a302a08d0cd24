package host

import "time"

// nagEvery is how often the log repeats a trouble that goes on.
const nagEvery = time.Minute

// nag remembers when the log has told of a trouble that every look finds anew.
type nag struct{ told time.Time }

// due reports whether the log is to tell of the error now: when the trouble begins
// and then once a minute. nil ends it.
func (n *nag) due(err error) bool {
	if err == nil {
		n.told = time.Time{}
		return false
	}
	if time.Since(n.told) < nagEvery {
		return false
	}
	n.told = time.Now()
	return true
}
