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
	slots    chan struct{}

	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(size int, patience time.Duration, dial func(context.Context) (*conn, error)) *pool {
	return &pool{dial: dial, patience: patience, slots: make(chan struct{}, size)}
}

// get returns a connection that answered just now: a kept one if fresh is
// false and one is alive, else a new one. Every success needs a put or a drop.
func (p *pool) get(ctx context.Context, fresh bool) (*conn, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for !fresh {
		c := p.takeIdle()
		if c == nil {
			break
		}
		if c.alive(p.patience) {
			return c, nil
		}
		c.close()
	}
	c, err := p.dial(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
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
	defer func() { <-p.slots }()
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
	<-p.slots
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
