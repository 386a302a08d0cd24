package services

import (
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Rate is how often an add-on may call the host for one biller. Calls that are
// refused count for nothing.
type Rate struct {
	// PerSecond is what it may call in the long run; 500.
	PerSecond int
	// Burst is what it may call at once after a rest; 5,000.
	Burst int
}

func (r Rate) withDefaults() Rate {
	if r.PerSecond == 0 {
		r.PerSecond = 500
	}
	if r.Burst == 0 {
		r.Burst = 5000
	}
	return r
}

// meter counts calls: each installation has a bucket that fills with time.
type meter struct {
	rate Rate
	now  func() time.Time

	mu      sync.Mutex
	buckets map[installation]*bucket
	swept   time.Time
}

type installation struct{ biller, addonID string }

type bucket struct {
	left float64
	seen time.Time
}

func newMeter(r Rate, now func() time.Time) *meter {
	return &meter{rate: r, now: now, buckets: map[installation]*bucket{}, swept: now()}
}

// count takes one call from the installation's bucket.
func (m *meter) count(biller, addonID string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, key := m.now(), installation{biller, addonID}
	m.sweep(now)
	b := m.buckets[key]
	if b == nil {
		b = &bucket{left: float64(m.rate.Burst), seen: now}
		m.buckets[key] = b
	}
	if rest := now.Sub(b.seen); rest > 0 {
		b.left = min(float64(m.rate.Burst), b.left+rest.Seconds()*float64(m.rate.PerSecond))
		b.seen = now
	}
	if b.left < 1 {
		return &apperr.Error{
			Code:       apperr.TooManyRequests,
			Message:    "The add-on asks the platform too often. Please try again in a moment.",
			RetryAfter: time.Second,
		}
	}
	b.left--
	return nil
}

// sweep forgets the buckets that are full again. The caller holds the lock.
func (m *meter) sweep(now time.Time) {
	full := time.Duration(m.rate.Burst) * time.Second / time.Duration(m.rate.PerSecond)
	if now.Sub(m.swept) < full {
		return
	}
	m.swept = now
	for key, b := range m.buckets {
		if now.Sub(b.seen) >= full {
			delete(m.buckets, key)
		}
	}
}
