package store_test

import (
	"errors"
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
		must(t, w.Enable(ctx, w.caller))
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
