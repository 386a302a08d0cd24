package store_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func attempt(biller, run string) addon.Installing {
	return addon.Installing{BillerID: biller, AddonID: portal, Version: "0.1.0", Run: run, Step: addon.InstallDownloads, Total: 100}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func TestInstalling(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		_, err := w.Installing(t.Context(), biller, portal)
		wants(t, "none", err, apperr.NotFound)
		must(t, w.BeginInstalling(t.Context(), attempt(other, "theirs")))
		must(t, w.BeginInstalling(t.Context(), attempt(biller, "a")))
		i := attempt(biller, "a")
		i.Step, i.Done, i.Total = addon.InstallUnpacks, 40, 100
		must(t, w.TellInstalling(t.Context(), i))
		got, err := w.Installing(t.Context(), biller, portal)
		must(t, err)
		i.UpdatedAt = got.UpdatedAt
		if diff := cmp.Diff(i, got); diff != "" {
			t.Error(diff)
		}
		wants(t, "a second attempt", w.BeginInstalling(t.Context(), attempt(biller, "b")), apperr.Conflict)

		w.pass(addon.InstallAlive + 1000)
		if got, err = w.Installing(t.Context(), biller, portal); err != nil || !got.Interrupted(w.clock()) {
			t.Errorf("nobody works on it: %+v, %v", got, err)
		}
		must(t, w.BeginInstalling(t.Context(), attempt(biller, "b")))
		wants(t, "the first one comes back", w.TellInstalling(t.Context(), i), apperr.NotFound)
		must(t, w.EndInstalling(t.Context(), i)) // not its own

		failed := attempt(biller, "b")
		failed.Problem = "No network."
		must(t, w.TellInstalling(t.Context(), failed))
		must(t, w.BeginInstalling(t.Context(), attempt(biller, "c")))
		if got, err = w.Installing(t.Context(), biller, portal); err != nil || got.Problem != "" || got.Run != "c" {
			t.Errorf("after trying again: %+v, %v", got, err)
		}
		must(t, w.EndInstalling(t.Context(), got))
		_, err = w.Installing(t.Context(), biller, portal)
		wants(t, "ended", err, apperr.NotFound)
		if got, err = w.Installing(t.Context(), other, portal); err != nil || got.Run != "theirs" || got.Step != addon.InstallDownloads {
			t.Errorf("the other biller's: %+v, %v", got, err)
		}
	})
}

func wants(tb testing.TB, what string, err error, code apperr.Code) {
	tb.Helper()
	if !apperr.Is(err, code) {
		tb.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestOneAttemptAtATime(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		var wg sync.WaitGroup
		var won atomic.Int64
		for n := range 16 {
			wg.Go(func() {
				err := w.BeginInstalling(context.WithoutCancel(t.Context()), attempt(biller, fmt.Sprint(n)))
				if err == nil {
					won.Add(1)
				} else if !apperr.Is(err, apperr.Conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d attempts began", won.Load())
		}
	})
}
