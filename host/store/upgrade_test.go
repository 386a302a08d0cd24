package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// mustActive makes the portal and another add-on run in version 1.0.0.
func mustActive(t *testing.T, w *world) addon.Active {
	t.Helper()
	for _, id := range []string{"hello", portal} {
		mustDo(t, w.SetActive(t.Context(), addon.Active{AddonID: id, Version: "1.0.0", Digest: "d1"}))
	}
	return addon.Active{AddonID: portal, Version: "1.0.0", Digest: "d1", UpdatedAt: w.now}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantActive compares the portal; hello must be as it was.
func wantActive(t *testing.T, w *world, what string, want addon.Active) {
	t.Helper()
	got, err := w.ActiveOf(t.Context(), portal)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%s: %v (-want +got):\n%s", what, err, diff)
	}
	other, err := w.ActiveOf(t.Context(), "hello")
	if err != nil || other.Digest != "d1" || other.Next.Digest != "" || other.Failed.Reason != "" {
		t.Errorf("%s: the other add-on is %+v, %v", what, other, err)
	}
}

// TestUpgradeLife compares the statements with the rules of addon.Active.
func TestUpgradeLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, v1, v2 := t.Context(), addon.Version{Version: "1.0.0", Digest: "d1"}, addon.Version{Version: "2.0.0", Digest: "d2"}
		wantCode(t, "want what does not run", w.Want(ctx, portal, v2), apperr.NotFound)
		wantCode(t, "promote what does not run", w.Promote(ctx, portal, "d2", time.Minute), apperr.NotFound)
		want := mustActive(t, w)
		step := func() time.Time { w.pass(time.Second); want.UpdatedAt = w.now; return w.now }

		step()
		mustDo(t, w.Want(ctx, portal, v2))
		want.Next = v2
		wantActive(t, w, "wanted", want)
		step()
		mustDo(t, w.Want(ctx, portal, v1))
		want.Next = addon.Version{}
		wantActive(t, w, "taken back", want)
		wantCode(t, "promote what is not wanted", w.Promote(ctx, portal, "d2", time.Minute), apperr.Conflict)

		mustDo(t, w.Want(ctx, portal, v2))
		want.Next = v2
		now := step()
		changed, err := w.Refuse(ctx, portal, "d2", "it fell over")
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		want, _ = want.Refused(v2, "it fell over", now)
		wantActive(t, w, "refused", want)

		mustDo(t, w.Want(ctx, portal, v2))
		want.Next, want.Failed = v2, addon.Refusal{}
		now = step()
		for range 2 { // another host comes second
			mustDo(t, w.Promote(ctx, portal, "d2", time.Minute))
		}
		want, _ = want.Promoted(v2, now.Add(time.Minute))
		wantActive(t, w, "promoted", want)

		now = step()
		changed, err = w.Refuse(ctx, portal, "d2", "it crashed")
		if err != nil || !changed {
			t.Fatal(changed, err)
		}
		want, _ = want.Refused(v2, "it crashed", now)
		wantActive(t, w, "rolled back", want)

		mustDo(t, w.Want(ctx, portal, v2))
		now = step()
		mustDo(t, w.Promote(ctx, portal, "d2", time.Minute))
		want.Next, want.Failed = v2, addon.Refusal{}
		want, _ = want.Promoted(v2, now.Add(time.Minute))
		w.pass(time.Minute)
		for _, digest := range []string{"d2", "d1", ""} {
			if changed, err := w.Refuse(ctx, portal, digest, "too late"); err != nil || changed {
				t.Errorf("refuse %q after probation: %t, %v", digest, changed, err)
			}
		}
		wantActive(t, w, "kept", want)
		step()
		mustDo(t, w.Retry(ctx, addon.Operation{AddonID: portal, Action: addon.ActionRetry}))
		wantActive(t, w, "retry", want)
		wantOperations(t, w,
			addon.Operation{Action: addon.ActionRetry, AddonID: portal}, outcome(addon.ActionSwitched, "1.0.0", "2.0.0", ""),
			outcome(addon.ActionReturned, "2.0.0", "1.0.0", "it crashed"), outcome(addon.ActionSwitched, "1.0.0", "2.0.0", ""),
			outcome(addon.ActionRefused, "1.0.0", "2.0.0", "it fell over"))
		wantCode(t, "retry what does not run", w.Retry(ctx, addon.Operation{AddonID: "nothing"}), apperr.NotFound)
	})
}

// TestOneOutcome promotes and refuses one version 16 times at once: it was one or
// the other for all.
func TestOneOutcome(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustActive(t, w)
		mustDo(t, w.Want(t.Context(), portal, addon.Version{Version: "2.0.0", Digest: "d2"}))
		var refused, promoted atomic.Int64
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				if i%2 == 0 {
					if err := w.Promote(t.Context(), portal, "d2", 0); err == nil {
						promoted.Add(1)
					} else if !apperr.Is(err, apperr.Conflict) {
						t.Error(err)
					}
					return
				}
				changed, err := w.Refuse(t.Context(), portal, "d2", "r")
				if err != nil {
					t.Error(err)
				}
				if changed {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		a, err := w.ActiveOf(t.Context(), portal)
		mustDo(t, err)
		won := a.Digest == "d2" && promoted.Load() == 8 && refused.Load() == 0
		lost := a.Digest == "d1" && promoted.Load() == 0 && refused.Load() == 1
		if !won && !lost || a.Next.Digest != "" {
			t.Errorf("%d promoted, %d refused, active = %+v", promoted.Load(), refused.Load(), a)
		}
	})
}

// TestStay ends a probation without a return, once of 16 times.
func TestStay(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, v2 := t.Context(), addon.Version{Version: "2.0.0", Digest: "d2"}
		want := mustActive(t, w)
		if stayed, err := w.Stay(ctx, portal, "d1", "never promoted"); err != nil || stayed {
			t.Errorf("without a probation: %t, %v", stayed, err)
		}
		mustDo(t, w.Want(ctx, portal, v2))
		mustDo(t, w.Promote(ctx, portal, "d2", time.Minute))
		var stays atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				stayed, err := w.Stay(ctx, portal, "d2", "it crashed")
				if err != nil {
					t.Error(err)
				}
				if stayed {
					stays.Add(1)
				}
			})
		}
		wg.Wait()
		if stays.Load() != 1 {
			t.Errorf("%d callers ended the probation", stays.Load())
		}
		want.Next, want.UpdatedAt = v2, w.now
		want, _ = want.Promoted(v2, time.Time{})
		want.Failed = addon.Refusal{Version: v2, Reason: "it crashed", At: w.now}
		wantActive(t, w, "stayed", want)
		if changed, err := w.Refuse(ctx, portal, "d2", "again"); err != nil || changed {
			t.Errorf("refused after it: %t, %v", changed, err)
		}
		wantOperations(t, w, outcome(addon.ActionStayed, "2.0.0", "1.0.0", "it crashed"), outcome(addon.ActionSwitched, "1.0.0", "2.0.0", ""))
	})
}
