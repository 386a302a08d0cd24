package store_test

import (
	"encoding/json"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func settings(biller string, version int64, value string) addon.Settings {
	return addon.Settings{BillerID: biller, AddonID: portal, Version: version, Entries: map[string]addon.Setting{
		"heading": {Value: json.RawMessage(strconv.Quote(value)), Version: version + 1, At: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC), By: "Dana"},
		"token":   {Sealed: []byte{0, 255, 1}, Version: 1, By: "Dana"},
	}}
}

func mustSave(tb testing.TB, w *world, s addon.Settings) {
	tb.Helper()
	if err := w.SaveSettings(tb.Context(), s); err != nil {
		tb.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustSave(t, w, settings(other, 0, "Theirs"))
		wantCode(t, "save before install", w.SaveSettings(ctx, settings(biller, 0, "Ours")), apperr.NotFound)
		mustInstall(t, w, biller)
		got, err := w.Settings(ctx, biller, portal)
		if diff := cmp.Diff(addon.Settings{BillerID: biller, AddonID: portal}, got); err != nil || diff != "" {
			t.Errorf("before: %v (-want +got):\n%s", err, diff)
		}
		w.pass(time.Second)
		mustSave(t, w, settings(biller, 0, "Ours"))
		wantCode(t, "first version again", w.SaveSettings(ctx, settings(biller, 0, "x")), apperr.Conflict)
		wantCode(t, "a version to come", w.SaveSettings(ctx, settings(biller, 7, "x")), apperr.Conflict)
		mustSave(t, w, settings(biller, 1, "Ours, again"))
		wantCode(t, "stale version", w.SaveSettings(ctx, settings(biller, 1, "x")), apperr.Conflict)

		want := settings(biller, 1, "Ours, again")
		want.Version = 2
		got, err = w.Settings(ctx, biller, portal)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
		i, err := w.Installation(ctx, biller, portal)
		if err != nil || !i.UpdatedAt.Equal(w.now) {
			t.Errorf("the installation does not tell of the change: %+v, %v", i, err)
		}
		theirs := settings(other, 0, "Theirs")
		theirs.Version = 1
		all, err := w.SettingsOf(ctx, portal)
		if diff := cmp.Diff([]addon.Settings{want, theirs}, all); err != nil || diff != "" {
			t.Errorf("all: %v (-want +got):\n%s", err, diff)
		}
		if none, err := w.SettingsOf(ctx, "another"); err != nil || len(none) != 0 {
			t.Errorf("another add-on: %v, %v", none, err)
		}
		if err := w.Suspend(ctx, biller, portal); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "save while suspended", w.SaveSettings(ctx, settings(biller, 2, "x")), apperr.NotFound)
	})
}

func TestOneOfManySavesSettings(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		mustInstall(t, w, biller)
		mustSave(t, w, settings(other, 0, "Theirs"))
		for version := range int64(3) {
			var won atomic.Int64
			var winner atomic.Value
			var wg sync.WaitGroup
			for n := range 16 {
				wg.Go(func() {
					text := strconv.Itoa(n)
					err := w.SaveSettings(t.Context(), settings(biller, version, text))
					if err == nil {
						won.Add(1)
						winner.Store(text)
						return
					}
					wantCode(t, "loser", err, apperr.Conflict)
				})
			}
			wg.Wait()
			got, err := w.Settings(t.Context(), biller, portal)
			if err != nil || won.Load() != 1 || got.Version != version+1 || string(got.Entries["heading"].Value) != strconv.Quote(winner.Load().(string)) {
				t.Errorf("version %d: %d winners, %+v, %v", version, won.Load(), got, err)
			}
		}
		theirs, err := w.Settings(t.Context(), other, portal)
		if err != nil || theirs.Version != 1 {
			t.Errorf("the other biller's: %+v, %v", theirs, err)
		}
	})
}
