package store_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func operation(action, from, to string) addon.Operation {
	return addon.Operation{StaffID: "s1", By: "Olga <olga@example.com>", Action: action, AddonID: portal, From: from, To: to}
}

// outcome is what the platform records itself.
func outcome(action, from, to, detail string) addon.Operation {
	return addon.Operation{StaffID: addon.PlatformID, By: addon.PlatformName, Action: action, AddonID: portal, From: from, To: to, Detail: detail}
}

// wantOperations compares the portal's audit, the newest first; hello has none.
func wantOperations(t *testing.T, w *world, want ...addon.Operation) {
	t.Helper()
	got, err := w.Operations(t.Context(), portal, 100)
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(addon.Operation{}, "ID", "At"), cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Errorf("operations: %v (-want +got):\n%s", err, diff)
	}
	if other, err := w.Operations(t.Context(), "hello", 100); err != nil || len(other) != 0 {
		t.Errorf("operations of another add-on: %+v, %v", other, err)
	}
}

func TestApprovals(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		approve, take := operation(addon.ActionApprove, "", "1.0.0"), operation(addon.ActionDisapprove, "", "")
		mustDo(t, w.Disapprove(ctx, take))
		mustDo(t, w.Approve(ctx, approve))
		first := w.clock()
		w.pass(time.Hour)
		mustDo(t, w.Approve(ctx, approve))
		list, err := w.Approvals(ctx)
		if diff := cmp.Diff(map[string]addon.Approval{portal: {AddonID: portal, ApprovedBy: approve.By, ApprovedAt: first}}, list); err != nil || diff != "" {
			t.Errorf("%v %s", err, diff)
		}
		mustDo(t, w.Disapprove(ctx, take))
		if list, err := w.Approvals(ctx); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}
		wantOperations(t, w, take, approve)
	})
}

// TestWantFromRaces lets 16 operators press Upgrade at once: one of them is
// recorded, and a page that is out of date changes nothing.
func TestWantFromRaces(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx, v2 := t.Context(), addon.Version{Version: "2.0.0", Digest: "d2"}
		up := operation(addon.ActionUpgrade, "1.0.0", "2.0.0")
		_, err := w.WantFrom(ctx, "", v2, up)
		wantCode(t, "want what does not run", err, apperr.NotFound)
		mustActive(t, w)
		var wins atomic.Int32
		var wg sync.WaitGroup
		for range 16 {
			wg.Go(func() {
				done, err := w.WantFrom(ctx, "d1", v2, up)
				if err != nil {
					t.Error(err)
				}
				if done {
					wins.Add(1)
				}
			})
		}
		wg.Wait()
		if wins.Load() != 1 {
			t.Errorf("%d callers changed it", wins.Load())
		}
		wantOperations(t, w, up)
		mustDo(t, w.Promote(ctx, portal, "d2", time.Minute))
		_, err = w.WantFrom(ctx, "d1", addon.Version{Version: "1.0.0", Digest: "d1"}, up)
		wantCode(t, "an old page", err, apperr.Conflict)
		switched := outcome(addon.ActionSwitched, "1.0.0", "2.0.0", "")
		wantOperations(t, w, switched, up)
		a, err := w.ActiveOf(ctx, portal)
		if err != nil || a.Next.Digest != "" || a.Digest != "d2" {
			t.Errorf("active = %+v, %v", a, err)
		}
	})
}

func purge(keep bool) (addon.Purge, addon.Operation) {
	o := operation(addon.ActionPurge, "0.1.0", "")
	o.BillerID = biller
	return addon.Purge{StaffID: o.StaffID, By: o.By, KeepExport: keep}, o
}

func TestPurgeLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		p, o := purge(false)
		_, err := w.BeginPurge(ctx, biller, p, o)
		wantCode(t, "never installed", err, apperr.NotFound)
		mustInstall(t, w, biller)
		_, err = w.BeginPurge(ctx, biller, p, o)
		wantCode(t, "enabled", err, apperr.Conflict)
		mustDo(t, w.Exported(ctx, biller, portal)) // an export before the removal does not count
		mustDo(t, w.Suspend(ctx, biller, portal))
		_, err = w.BeginPurge(ctx, biller, p, o)
		wantCode(t, "not exported", err, apperr.Conflict)
		mustDo(t, w.Exported(ctx, biller, portal))
		i, err := w.Installation(ctx, biller, portal)
		if err != nil || !i.ExportedAt.Equal(w.clock()) {
			t.Errorf("installation = %+v, %v", i, err)
		}
		mustReserve(t, w)
		begun, err := w.BeginPurge(ctx, biller, p, o)
		if err != nil || !begun {
			t.Fatalf("BeginPurge = %t, %v", begun, err)
		}
		if begun, err := w.BeginPurge(ctx, biller, p, o); err != nil || begun {
			t.Errorf("BeginPurge again = %t, %v", begun, err)
		}
		wantOperations(t, w, o)
		_, err = w.Install(ctx, installation(biller))
		wantCode(t, "install meanwhile", err, apperr.Conflict)
		wantCode(t, "agree meanwhile", w.Agree(ctx, biller, portal, "2", nil), apperr.NotFound)
		list, err := w.Purging(ctx)
		if err != nil || len(list) != 1 || list[0].BillerID != biller || list[0].Purge != p || list[0].State != addon.Purging {
			t.Errorf("Purging = %+v, %v", list, err)
		}
		claims(t, w)
		done := o
		done.Action = addon.ActionPurged
		for _, want := range []bool{true, false} {
			if ended, err := w.EndPurge(ctx, biller, done); err != nil || ended != want {
				t.Errorf("EndPurge = %t, %v", ended, err)
			}
		}
		wantOperations(t, w, done, o)
		_, err = w.Installation(ctx, biller, portal)
		wantCode(t, "purged", err, apperr.NotFound)
		if mails, err := w.CustomerMails(ctx, biller, "c1", 10); err != nil || len(mails) != 0 {
			t.Errorf("mails = %+v, %v", mails, err)
		}
		if mails, err := w.CustomerMails(ctx, other, "c1", 10); err != nil || len(mails) != 1 {
			t.Errorf("the other biller's mails = %+v, %v", mails, err)
		}
		if i, err := w.Installation(ctx, other, portal); err != nil || i.State != addon.Enabled {
			t.Errorf("the other biller = %+v, %v", i, err)
		}
		mustInstall(t, w, biller)
	})
}

// mustReserve leaves a mail of the biller behind, although the add-on is removed.
func mustReserve(t *testing.T, w *world) {
	t.Helper()
	mustInstall(t, w, biller)
	if _, err := w.ReserveMail(t.Context(), entry(biller, "k1"), caps(), time.Minute); err != nil {
		t.Fatal(err)
	}
	mustDo(t, w.Suspend(t.Context(), biller, portal))
	mustDo(t, w.Exported(t.Context(), biller, portal))
}

// claims: one server at a time, until it is taken for dead.
func claims(t *testing.T, w *world) {
	t.Helper()
	claim := func() bool {
		ok, err := w.ClaimPurge(t.Context(), biller, portal, time.Minute)
		mustDo(t, err)
		return ok
	}
	if !claim() || claim() {
		t.Error("not one claim")
	}
	for range 3 {
		w.pass(40 * time.Second)
		if ok, err := w.RenewPurge(t.Context(), biller, portal, time.Minute); err != nil || !ok {
			t.Errorf("RenewPurge = %t, %v", ok, err)
		}
	}
	if claim() {
		t.Error("a renewed claim is taken")
	}
	w.pass(time.Minute)
	if ok, err := w.RenewPurge(t.Context(), biller, portal, time.Minute); err != nil || ok {
		t.Errorf("RenewPurge of an old claim = %t, %v", ok, err)
	}
	if !claim() {
		t.Error("a dead server keeps its claim")
	}
	mustDo(t, w.ReleasePurge(t.Context(), biller, portal))
	if !claim() {
		t.Error("a released claim is taken")
	}
	if ok, err := w.ClaimPurge(t.Context(), other, portal, time.Minute); err != nil || ok {
		t.Errorf("claim of what is not purged = %t, %v", ok, err)
	}
}

// TestPurgeRaces orders and ends a purge 16 times at once.
func TestPurgeRaces(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustInstall(t, w, biller)
		mustDo(t, w.Suspend(t.Context(), biller, portal))
		p, o := purge(true)
		for _, do := range []func() (bool, error){
			func() (bool, error) { return w.BeginPurge(t.Context(), biller, p, o) },
			func() (bool, error) { return w.ClaimPurge(t.Context(), biller, portal, time.Minute) },
			func() (bool, error) { return w.EndPurge(t.Context(), biller, o) },
		} {
			var wins atomic.Int32
			var wg sync.WaitGroup
			for range 16 {
				wg.Go(func() {
					ok, err := do()
					if err != nil && !apperr.Is(err, apperr.NotFound) {
						t.Error(err)
					}
					if ok {
						wins.Add(1)
					}
				})
			}
			wg.Wait()
			if wins.Load() != 1 {
				t.Errorf("%d winners", wins.Load())
			}
		}
		wantOperations(t, w, o, o)
	})
}
