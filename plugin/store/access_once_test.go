package store_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// TestOneOpenInvitationToAnAddress: a requester whose address becomes the
// customer's own is invited with that, and the earlier link ends.
func TestOneOpenInvitationToAnAddress(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		r := w.requested(t, w.invited(t, "c1"), colleague)
		_, err := w.Approve(ctx, w.caller, r.ID, portal.RightViewer)
		must(t, err)
		own := token(w.take(t))
		cu := customers()[0]
		cu.Email, cu.Version = colleague, 2
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{cu}))
		w.clock.Add(2 * time.Minute)
		current := w.invited(t, "c1")
		for link, want := range map[string]portal.LinkOutcome{own: portal.LinkRevoked, current: portal.LinkFresh} {
			view, err := w.Open(ctx, public(w.caller), link, "", "")
			must(t, err)
			if view.Outcome != want {
				t.Errorf("outcome %q, want %q", view.Outcome, want)
			}
		}
		w.wantNoRequests(t)
	})
}
