package addon

import "time"

// Version names one package of an add-on; the zero value means none.
type Version struct {
	Version string
	// Digest is the SHA-256 of the package in hex.
	Digest string
}

// Refusal is a version that failed its trial or its probation.
type Refusal struct {
	Version
	// Reason is for the operator.
	Reason string
	At     time.Time
}

// Active is which version of an add-on the platform runs, for all billers.
type Active struct {
	AddonID, Version string
	// Digest is the SHA-256 of its package in hex.
	Digest    string
	UpdatedAt time.Time
	// Next is the version that the operator wants instead; it takes over when it
	// has passed its trial.
	Next Version
	// Previous is the version before, to which the platform can go back.
	Previous Version
	// ProbationUntil is until when a failure leads back to Previous; zero means
	// never.
	ProbationUntil time.Time
	// Failed is the last version that was refused; zero after a success.
	Failed Refusal
}

// Current returns the version that runs.
func (a Active) Current() Version { return Version{a.Version, a.Digest} }

// OnProbation tells whether a failure at this time leads back.
func (a Active) OnProbation(now time.Time) bool {
	return a.Previous.Digest != "" && now.Before(a.ProbationUntil)
}

// Promoted returns what the platform runs once the wanted version v has passed
// its trial; ok is false if v is not wanted.
func (a Active) Promoted(v Version, probationUntil time.Time) (_ Active, ok bool) {
	if v.Digest == "" || a.Next.Digest != v.Digest {
		return a, false
	}
	a.Previous = a.Current()
	a.Version, a.Digest = a.Next.Version, a.Next.Digest
	a.Next, a.Failed = Version{}, Refusal{}
	a.ProbationUntil = probationUntil
	return a, true
}

// Refused returns what the platform runs once a version has failed: it is no
// longer wanted, or on probation the previous one runs again; ok is false if it
// is neither.
func (a Active) Refused(v Version, reason string, now time.Time) (_ Active, ok bool) {
	switch {
	case v.Digest == "":
		return a, false
	case a.Next.Digest == v.Digest:
		a.Next = Version{}
	case a.Digest == v.Digest && a.OnProbation(now):
		a.Version, a.Digest = a.Previous.Version, a.Previous.Digest
		a.Previous, a.ProbationUntil = Version{}, time.Time{}
	default:
		return a, false
	}
	a.Failed = Refusal{Version: v, Reason: reason, At: now}
	return a, true
}
