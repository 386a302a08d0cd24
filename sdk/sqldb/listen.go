package sqldb

import (
	"context"
	"fmt"
	"time"

	"github.com/lib/pq"
)

const (
	// maxPayloads and maxPayload bound what is kept of a flood of notifications.
	maxPayloads = 100
	maxPayload  = 256
)

// Listen calls notify with the payload of each notification that reaches the
// channel, over a connection of its own to the direct address, until ctx is
// done; it then returns nil. After the connection was made or made anew, notify
// gets "": anything may have been missed. On SQLite it only waits for ctx.
// notify is called from one goroutine and must not block. Listen fails at once
// if the server refuses the channel; a lost connection is mended for ever.
//
// Every role of the database may notify every channel: a notification is a hint
// to look, and nothing in it is to be believed. Use ListenPaced where looking
// costs something.
func Listen(ctx context.Context, cfg Config, channel string, notify func(payload string)) error {
	if cfg.Driver != Postgres {
		<-ctx.Done()
		return nil
	}
	l := pq.NewListener(cfg.direct().DSN, time.Second, 10*time.Second, nil)
	stop := context.AfterFunc(ctx, func() { _ = l.Close() }) // also ends a Listen that waits for the server
	defer stop()
	if err := l.Listen(channel); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		_ = l.Close() // the cause is returned
		return fmt.Errorf("listen: %w", err)
	}
	notify("")
	check := time.NewTicker(time.Minute)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case n, ok := <-l.Notify:
			switch {
			case !ok:
				return nil
			case n == nil:
				notify("")
			default:
				notify(n.Extra)
			}
		case <-check.C:
			_ = l.Ping() // finds a dead connection; the listener mends it by itself
		}
	}
}

// ListenPaced is Listen that calls wake at once after a quiet time and then at
// most once in gap, with the different payloads that have come since; nil if it
// may have missed some, if there were more than 100 or if one was longer than 256
// bytes. wake may take its time.
func ListenPaced(ctx context.Context, cfg Config, channel string, gap time.Duration, wake func(payloads []string)) error {
	b := &batch{ready: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	defer func() { <-ended }()
	defer cancel()
	go func() {
		defer close(ended)
		b.deliver(ctx, gap, wake)
	}()
	return Listen(ctx, cfg, channel, b.add)
}
