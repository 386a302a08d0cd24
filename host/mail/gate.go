package mail

import (
	"context"
	"slices"
	"sync"
)

// gate lets as many in as there are connections. One sender alone may not have
// them all, and who has fewest comes first: mails that a server is slow to take,
// or a flood of one biller, do not keep the mails of others.
type gate struct {
	most int // of one sender

	mu      sync.Mutex
	free    int
	held    map[string]int
	waiting []*waiter
}

type waiter struct {
	sender string
	in     chan struct{} // closed when it is let in
}

func newGate(size int) *gate {
	return &gate{most: max(1, size*3/4), free: size, held: map[string]int{}}
}

// enter waits for a place; every success needs a leave.
func (g *gate) enter(ctx context.Context, sender string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := &waiter{sender: sender, in: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, w)
	g.admit()
	g.mu.Unlock()
	select {
	case <-w.in:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.waiting, w); i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
		return ctx.Err()
	}
	return nil // let in at the last moment
}

func (g *gate) leave(sender string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free++
	if g.held[sender]--; g.held[sender] == 0 {
		delete(g.held, sender)
	}
	g.admit()
}

// admit lets in whom it may.
func (g *gate) admit() {
	for g.free > 0 {
		next := -1
		for i, w := range g.waiting {
			if n := g.held[w.sender]; n < g.most && (next < 0 || n < g.held[g.waiting[next].sender]) {
				next = i
			}
		}
		if next < 0 {
			return
		}
		w := g.waiting[next]
		g.waiting = slices.Delete(g.waiting, next, next+1)
		g.free--
		g.held[w.sender]++
		close(w.in)
	}
}
