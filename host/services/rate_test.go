package services_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestTightLoop calls the host without end for one biller, in 16 loops and with
// a new token each time; another biller notices nothing.
func TestTightLoop(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	ctx := t.Context()
	loop := func() int {
		var done atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				for range 400 {
					token := w.IssueRequest(services.Grant{BillerID: biller, AddonID: portal, Permissions: all()})
					if ask(ctx, w, token) == nil {
						done.Add(1)
					}
					w.Revoke(token)
				}
			})
		}
		wg.Wait()
		return int(done.Load())
	}
	if n := loop(); n != 5000 {
		t.Errorf("%d calls were answered at once, want 5,000", n)
	}
	h := mustHost(t, w, services.Grant{BillerID: biller, Permissions: all()})
	_, err := h.Billers.Biller(ctx)
	wantCode(t, "the next call", err, apperr.TooManyRequests)
	if apperr.RetryAfterOf(err) != time.Second {
		t.Errorf("RetryAfter = %s", apperr.RetryAfterOf(err))
	}
	_, err = mustHost(t, w, services.Grant{BillerID: other, Permissions: all()}).Billers.Biller(ctx)
	wantCode(t, "another biller", err, "")
	w.now.Add(2)
	if n := loop(); n != 1000 {
		t.Errorf("%d calls were answered 2 seconds later, want 1,000", n)
	}
	w.now.Add(3600)
	if n := loop(); n != 5000 {
		t.Errorf("%d calls were answered after a rest, want 5,000", n)
	}
}

func ask(ctx context.Context, w *world, token string) error {
	h, err := w.Addon(portal).For(ctx, token)
	if err != nil {
		return err
	}
	_, err = h.Billers.Biller(ctx)
	return err
}
