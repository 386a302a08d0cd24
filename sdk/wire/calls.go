package wire

import (
	"context"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// Calls counts the calls that a host has under way on one connection. An
// add-on's Drain ends when its handlers have returned, which is a moment before
// their answers have arrived: whoever kills the process waits here too.
type Calls struct {
	mu   sync.Mutex
	n    int
	idle chan struct{} // closed when n becomes 0; nil if nobody waits
}

// DialOption makes the connection that it is dialled with the one that c counts.
func (c *Calls) DialOption() grpc.DialOption { return grpc.WithStatsHandler(callCounter{c}) }

// Wait returns when no call is under way, or with the error of ctx.
func (c *Calls) Wait(ctx context.Context) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.idle == nil {
		c.idle = make(chan struct{})
	}
	idle := c.idle
	c.mu.Unlock()
	return wait(ctx, idle)
}

func (c *Calls) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += n; c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// callCounter hears of each call's begin and end. go-plugin's own streams on
// the connection last as long as it does and are left out.
type callCounter struct{ calls *Calls }

type countedKey struct{}

func (callCounter) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, countedKey{}, ours(info.FullMethodName))
}

func (h callCounter) HandleRPC(ctx context.Context, s stats.RPCStats) {
	if counted, _ := ctx.Value(countedKey{}).(bool); !counted {
		return
	}
	switch s.(type) {
	case *stats.Begin:
		h.calls.add(1)
	case *stats.End:
		h.calls.add(-1)
	}
}

func (callCounter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

func (callCounter) HandleConn(context.Context, stats.ConnStats) {}
