package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestScheduleOncePerInterval(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		count := func() (n int) {
			must(t, w.db.R.GetContext(ctx, &n, `
				SELECT COUNT(*)
				FROM jobs
				WHERE biller_id = $1 AND kind = $2`, "north", portal.JobSync))
			return n
		}
		before := count() // the one of Enable
		for range 3 {
			w.clock.Add(time.Minute)
			must(t, w.Schedule(ctx, w.caller, portal.JobSync, 24*time.Hour))
		}
		if got := count() - before; before != 1 || got != 1 {
			t.Errorf("%d jobs at first and %d more, want 1 and 1", before, got)
		}
		w.clock.Add(24 * time.Hour)
		must(t, w.Schedule(ctx, w.caller, portal.JobSync, 24*time.Hour))
		if got := count() - before; got != 2 {
			t.Errorf("%d more jobs a day later, want 2", got)
		}
	})
}

func TestDisabledBillerAndPurge(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		must(t, w.Disable(ctx, w.caller))
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("Session while disabled = %v", err)
		}
		if first, err := w.Enable(ctx, w.caller); err != nil || first {
			t.Fatalf("Enable again: first %v, %v", first, err)
		}
		if _, err := w.Session(ctx, c, session); err != nil {
			t.Errorf("Session after enabling again = %v", err)
		}
		must(t, w.Purge(ctx, w.caller))
		if _, err := w.Service.Customer(ctx, w.caller, "c1"); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("Customer after Purge = %v", err)
		}
		if _, err := w.Service.Customer(ctx, w.other, "c1"); err != nil {
			t.Errorf("the other biller after Purge = %v", err)
		}
	})
}

// TestPurgeIsFinal: what was under way while a biller was purged, a sync for
// example, leaves nothing behind.
func TestPurgeIsFinal(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		counts := race(func(n int) error {
			if n == 8 {
				return w.Purge(ctx, w.caller)
			}
			list := customers()
			for i := range list {
				list[i].ID, list[i].Version = fmt.Sprintf("n%d-%d", n, i), 2
			}
			if err := w.ApplyCustomers(ctx, w.caller, list); err != nil {
				return err
			}
			return w.Schedule(ctx, w.caller, portal.JobSync, time.Duration(n+1)*time.Hour)
		})
		if counts[""] != 16 {
			t.Errorf("answers = %v", counts)
		}
		w.wantRows(t, map[string]int{"billers": 0, "customers": 0, "customer_terms": 0, "jobs": 0})
		if first, err := w.Enable(ctx, w.caller); err != nil || !first {
			t.Fatalf("Enable after purge: first %v, %v", first, err)
		}
		must(t, w.ApplyCustomers(ctx, w.caller, customers()))
		w.wantRows(t, map[string]int{"customers": 4})
		w.wantOther(t)
	})
}
