package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

const (
	biller = "b1"
	other  = "b2"
	portal = "customer-portal"
)

// world is a store whose clock the test moves. The other biller has the same
// add-on and a mail with the same key.
type world struct {
	*store.Store
	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func onBoth(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set}, func(t *testing.T, db *sqldb.DB) {
		w := &world{now: time.Date(2026, 5, 4, 10, 0, 0, 123456000, time.UTC)}
		w.Store = store.New(db, w.clock)
		mustInstall(t, w, other)
		if _, err := w.ReserveMail(t.Context(), entry(other, "k1"), caps(), time.Minute); err != nil {
			t.Fatal(err)
		}
		f(t, w)
	})
}

func installation(biller string) addon.Installation {
	return addon.Installation{
		BillerID: biller, AddonID: portal, Version: "0.1.0", InstalledBy: "staff-1",
		Permissions: []string{"mail:send", "customers:read", "mail:send"},
	}
}

func mustInstall(tb testing.TB, w *world, biller string) addon.Installation {
	tb.Helper()
	i, err := w.Install(tb.Context(), installation(biller))
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func caps() addon.MailCaps { return addon.MailCaps{Hour: 100, Day: 1000} }

func entry(biller, key string) addon.MailEntry {
	return addon.MailEntry{
		BillerID: biller, AddonID: portal, Key: key, Kind: "invitation",
		CustomerID: "c1", ToHash: "h1", MessageID: key + "@example.com",
	}
}

func wantCode(tb testing.TB, what string, err error, code apperr.Code) {
	tb.Helper()
	if got := apperr.CodeOf(err); got != code {
		tb.Errorf("%s: %v, want code %q", what, err, code)
	}
}

func TestInstallationLife(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.Installation(ctx, biller, portal)
		wantCode(t, "before install", err, apperr.NotFound)
		wantCode(t, "suspend before install", w.Suspend(ctx, biller, portal), apperr.NotFound)

		want := installation(biller)
		want.State, want.Permissions = addon.Enabled, []string{"customers:read", "mail:send"}
		want.InstalledAt, want.UpdatedAt = w.now, w.now
		got := mustInstall(t, w, biller)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("installed (-want +got):\n%s", diff)
		}
		_, err = w.Install(ctx, installation(biller))
		wantCode(t, "second install", err, apperr.Conflict)

		w.pass(time.Hour)
		if err := w.Agree(ctx, biller, portal, "0.2.0", []string{"audit:write"}); err != nil {
			t.Fatal(err)
		}
		want.Version, want.Permissions, want.UpdatedAt = "0.2.0", []string{"audit:write"}, w.now
		got, err = w.Installation(ctx, biller, portal)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("agreed %v (-want +got):\n%s", err, diff)
		}
		if err := w.Suspend(ctx, biller, portal); err != nil {
			t.Fatal(err)
		}
		wantCode(t, "agree while suspended", w.Agree(ctx, biller, portal, "1", nil), apperr.NotFound)
		got, err = w.Installation(ctx, biller, portal)
		if err != nil || got.State != addon.Suspended || got.Granted("audit:write") {
			t.Errorf("suspended %+v, %v", got, err)
		}
		if again := mustInstall(t, w, biller); again.State != addon.Enabled || !again.InstalledAt.Equal(w.now) {
			t.Errorf("installed again %+v", again)
		}
		theirs, err := w.Installation(ctx, other, portal)
		if err != nil || theirs.State != addon.Enabled || theirs.Version != "0.1.0" {
			t.Errorf("the other biller's changed: %+v, %v", theirs, err)
		}
	})
}

func TestInstallationLists(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustInstall(t, w, biller)
		hello := installation(biller)
		hello.AddonID, hello.Permissions = "hello", nil
		if _, err := w.Install(ctx, hello); err != nil {
			t.Fatal(err)
		}
		names := func(list []addon.Installation, err error) []string {
			if err != nil {
				t.Fatal(err)
			}
			var s []string
			for _, i := range list {
				s = append(s, i.BillerID+"/"+i.AddonID)
			}
			return s
		}
		if diff := cmp.Diff([]string{"b1/customer-portal", "b1/hello"}, names(w.Installations(ctx, biller))); diff != "" {
			t.Errorf("biller's (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"b1/customer-portal", "b2/customer-portal"}, names(w.InstallationsOf(ctx, portal))); diff != "" {
			t.Errorf("add-on's (-want +got):\n%s", diff)
		}
		if got := names(w.Installations(ctx, "nobody")); got != nil {
			t.Errorf("nobody's = %v", got)
		}
	})
}

func TestInstallHasOneWinner(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for _, round := range []string{"first", "after suspension"} {
			var won, lost atomic.Int32
			race(func() {
				_, err := w.Install(t.Context(), installation(biller))
				switch {
				case err == nil:
					won.Add(1)
				case apperr.Is(err, apperr.Conflict):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
			if won.Load() != 1 || lost.Load() != 15 {
				t.Errorf("%s: %d won, %d lost", round, won.Load(), lost.Load())
			}
			if err := w.Suspend(t.Context(), biller, portal); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// race runs f in 16 goroutines that begin together.
func race(f func()) {
	var wg sync.WaitGroup
	start := make(chan struct{})
	for range 16 {
		wg.Go(func() { <-start; f() })
	}
	close(start)
	wg.Wait()
}

func TestActive(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, a := range []addon.Active{
			{AddonID: portal, Version: "0.1.0", Digest: "d1"},
			{AddonID: "hello", Version: "1.0.0", Digest: "d2"},
			{AddonID: portal, Version: "0.1.0", Digest: "d1"},
		} {
			if err := w.SetActive(ctx, a); err != nil {
				t.Fatal(err)
			}
		}
		wantCode(t, "beside a version that runs", w.SetActive(ctx, addon.Active{AddonID: portal, Version: "0.2.0", Digest: "d3"}), apperr.Conflict)
		want := []addon.Active{
			{AddonID: portal, Version: "0.1.0", Digest: "d1", UpdatedAt: w.now},
			{AddonID: "hello", Version: "1.0.0", Digest: "d2", UpdatedAt: w.now},
		}
		got, err := w.Active(ctx)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("active %v (-want +got):\n%s", err, diff)
		}
	})
}

// TestSetActiveOnce: of 16 that choose 16 versions at once one does, and nobody
// replaces it.
func TestSetActiveOnce(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		var chosen, refused, n atomic.Int64
		race(func() {
			digest := fmt.Sprint("d", n.Add(1))
			switch err := w.SetActive(t.Context(), addon.Active{AddonID: portal, Version: "1.0.0", Digest: digest}); {
			case err == nil:
				chosen.Add(1)
			case apperr.Is(err, apperr.Conflict):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		if chosen.Load() != 1 || refused.Load() != 15 {
			t.Errorf("%d chose, %d were refused", chosen.Load(), refused.Load())
		}
	})
}
