package sqldb

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// batch gathers the payloads of notifications until somebody takes them.
type batch struct {
	ready chan struct{}

	mu       sync.Mutex
	payloads map[string]bool
	// overflow means that the payloads do not tell everything.
	overflow bool
}

// add keeps a payload; "" means that anything may have happened.
func (b *batch) add(payload string) {
	b.mu.Lock()
	switch {
	case b.overflow:
	case payload == "" || len(payload) > maxPayload || len(b.payloads) == maxPayloads && !b.payloads[payload]:
		b.overflow, b.payloads = true, nil
	default:
		if b.payloads == nil {
			b.payloads = map[string]bool{}
		}
		b.payloads[payload] = true
	}
	b.mu.Unlock()
	select {
	case b.ready <- struct{}{}:
	default:
	}
}

// take returns the payloads in order; nil if they do not tell everything.
func (b *batch) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	payloads, overflow := b.payloads, b.overflow
	b.payloads, b.overflow = nil, false
	if overflow {
		return nil
	}
	return slices.Sorted(maps.Keys(payloads))
}

// deliver calls wake until ctx ends.
func (b *batch) deliver(ctx context.Context, gap time.Duration, wake func([]string)) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.ready:
		}
		wake(b.take())
		pause.Reset(gap)
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		}
	}
}
