package mail

import (
	"context"
	"slices"
	"sync"
	"time"
)

// idleLimit is how long an unused connection is kept; servers close theirs
// after a few minutes.
const idleLimit = 30 * time.Second

// pool bounds the connections to the server and keeps idle ones for reuse.
type pool struct {
	dial func(ctx context.Context) (*conn, error)
	// patience is how long a kept connection may take to show that it is alive.
	patience time.Duration
	gate     *gate

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(size int, patience time.Duration, dial func(context.Context) (*conn, error)) *pool {
	return &pool{dial: dial, patience: patience, gate: newGate(size)}
}

// get returns a connection that answered just now: a kept one if fresh is
// false and one is alive, else a new one. Every success needs a put or a drop.
// Whoever waits for others' mails gives up in time to leave some for its own.
func (p *pool) get(ctx context.Context, sender string, fresh bool) (*conn, error) {
	if err := p.enter(ctx, sender); err != nil {
		return nil, err
	}
	for !fresh {
		c := p.takeIdle()
		if c == nil {
			break
		}
		if c.alive(p.patience) {
			c.sender = sender
			return c, nil
		}
		c.close()
	}
	c, err := p.dial(ctx)
	if err != nil {
		p.gate.leave(sender)
		return nil, err
	}
	c.sender = sender
	return c, nil
}

// enter waits for at most half of the time that ctx leaves.
func (p *pool) enter(ctx context.Context, sender string) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	if err := p.gate.enter(ctx, sender); err != nil {
		return &stepError{stepWait, err}
	}
	return nil
}

func (p *pool) takeIdle() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	c.expiry.Stop()
	c.reused = true
	return c
}

// put keeps the connection for the next mail.
func (p *pool) put(c *conn) {
	defer p.gate.leave(c.sender)
	p.mu.Lock()
	closed := p.closed
	if !closed {
		c.expiry = time.AfterFunc(idleLimit, func() { p.expire(c) })
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if closed {
		c.quit()
	}
}

// drop closes a connection of unknown state.
func (p *pool) drop(c *conn) {
	c.close()
	p.gate.leave(c.sender)
}

func (p *pool) expire(c *conn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.quit()
	}
}

func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.expiry.Stop()
		c.quit()
	}
}
