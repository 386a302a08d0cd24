package marketplace

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// patience is how long after a look began pages wait for its end.
const patience = 2 * time.Second

// Look implements Source. A marketplace that is slow, away or refused does not
// keep anybody waiting: what was known of it and has not expired is shown, and
// nothing of it can be installed.
func (c *Client) Look(ctx context.Context) (Listing, error) {
	v, err := c.lookSoon(ctx)
	if ctx.Err() != nil {
		return Listing{}, ctx.Err()
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && apperr.CodeOf(err) == apperr.Internal {
			err = c.unavailable("The marketplace takes long to answer.", err)
		}
		known, unknown := c.known(ctx)
		if unknown != nil {
			return Listing{Trouble: err}, nil
		}
		v, v.trouble = known, err
	}
	return Listing{slices.Clone(v.offers), slices.Clone(v.withdrawn), v.trouble}, nil
}

// lookSoon is look with patience.
func (c *Client) lookSoon(ctx context.Context) (view, error) {
	c.mu.Lock()
	left := patience
	if c.looking != nil {
		left -= time.Since(c.began)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, max(left, time.Millisecond))
	defer cancel()
	return c.look(ctx)
}

// look returns the marketplace as it is now, or as it was a moment ago. A look that
// has begun goes on when its caller gives up, so that the next one finds its
// outcome; it ends by itself, in Timeout.
func (c *Client) look(ctx context.Context) (view, error) {
	for own := false; ; {
		c.mu.Lock()
		now := c.config.Now()
		if own || c.last.fresh(now, c.config.Every) {
			v := c.last
			c.mu.Unlock()
			return v, v.err
		}
		joined := c.looking != nil
		if !joined {
			c.begin(ctx, now)
		}
		ended := c.looking
		c.mu.Unlock()
		select {
		case <-ended:
			own = !joined || c.config.Every > 0 // else what was joined may have begun too early
		case <-ctx.Done():
			return view{}, ctx.Err()
		}
	}
}

// fresh reports whether the view counts for now.
func (v view) fresh(now time.Time, every time.Duration) bool {
	return !v.at.IsZero() && now.Sub(v.at) < every && !v.expired(now)
}

// begin looks in the background. The caller holds mu.
func (c *Client) begin(ctx context.Context, now time.Time) {
	ended := make(chan struct{})
	c.looking, c.began = ended, time.Now()
	ctx = context.WithoutCancel(ctx)
	go func() {
		defer close(ended)
		v, err := c.refresh(ctx, now)
		v.at, v.err = now, err
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last, c.looking = v, nil
	}()
}
