package jobs

import (
	"math/rand/v2"
	"time"
)

// Exponential returns a Backoff that doubles from base up to most, each wait
// drawn between half and the whole of it, so that jobs that failed together do
// not come back together.
func Exponential(base, most time.Duration) func(attempt int) time.Duration {
	return func(attempt int) time.Duration {
		wait := most
		if shift := max(attempt-1, 0); shift < 32 && base<<shift>>shift == base {
			wait = min(base<<shift, most)
		}
		return jitter(wait)
	}
}

// jitter draws a duration between half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
