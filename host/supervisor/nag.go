package supervisor

import "time"

// nagEvery is how often the log repeats a trouble that goes on.
const nagEvery = time.Minute

// nag remembers of which troubles the log has told, and when: one that every look
// finds anew stands there when it begins and then once a minute.
type nag map[string]time.Time

// due reports whether the log is to tell of the error now; nil ends the trouble.
func (n nag) due(what string, err error) bool {
	if err == nil {
		delete(n, what)
		return false
	}
	if time.Since(n[what]) < nagEvery {
		return false
	}
	n[what] = time.Now()
	return true
}
