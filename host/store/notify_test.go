package store_test

import (
	"context"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// change is one method of the store that changes what hosts are to run, or for
// whom.
type change struct {
	method string
	do     func(context.Context, *world) error
}

// changes are all of them, each on what those before have made.
func changes() []change {
	v2, o := addon.Version{Version: "2.0.0", Digest: "d2"}, addon.Operation{AddonID: portal, StaffID: "s", By: "Olga", Action: addon.ActionRetry}
	return []change{
		{"Approve", func(ctx context.Context, w *world) error { return w.Approve(ctx, o) }},
		{"SetActive", func(ctx context.Context, w *world) error {
			return w.SetActive(ctx, addon.Active{AddonID: portal, Version: "1.0.0", Digest: "d1"})
		}},
		{"Install", func(ctx context.Context, w *world) error { _, err := w.Install(ctx, installation(biller)); return err }},
		{"Agree", func(ctx context.Context, w *world) error { return w.Agree(ctx, biller, portal, "1.0.0", nil) }},
		{"SaveSettings", func(ctx context.Context, w *world) error {
			return w.SaveSettings(ctx, addon.Settings{BillerID: biller, AddonID: portal})
		}},
		{"Want", func(ctx context.Context, w *world) error { return w.Want(ctx, portal, v2) }},
		{"Promote", func(ctx context.Context, w *world) error { return w.Promote(ctx, portal, "d2", time.Hour) }},
		{"Refuse", func(ctx context.Context, w *world) error {
			_, err := w.Refuse(ctx, portal, "d2", "crashed")
			return err
		}},
		{"WantFrom", func(ctx context.Context, w *world) error { _, err := w.WantFrom(ctx, "d1", v2, o); return err }},
		{"Refuse", func(ctx context.Context, w *world) error {
			_, err := w.Refuse(ctx, portal, "d2", "no page")
			return err
		}},
		{"Want", func(ctx context.Context, w *world) error { return w.Want(ctx, portal, v2) }},
		{"Promote", func(ctx context.Context, w *world) error { return w.Promote(ctx, portal, "d2", time.Hour) }},
		{"Stay", func(ctx context.Context, w *world) error {
			_, err := w.Stay(ctx, portal, "d2", "crashed")
			return err
		}},
		{"Retry", func(ctx context.Context, w *world) error { return w.Retry(ctx, o) }},
		{"Suspend", func(ctx context.Context, w *world) error { return w.Suspend(ctx, biller, portal) }},
		{"BeginPurge", func(ctx context.Context, w *world) error {
			_, err := w.BeginPurge(ctx, biller, addon.Purge{StaffID: "s", By: "Olga", KeepExport: true}, o)
			return err
		}},
		{"EndPurge", func(ctx context.Context, w *world) error { _, err := w.EndPurge(ctx, biller, o); return err }},
		{"Disapprove", func(ctx context.Context, w *world) error { return w.Disapprove(ctx, o) }},
	}
}

// quiet are the methods that change nothing that hosts act on.
var quiet = []string{
	"Active", "ActiveOf", "Approvals", "Installation", "Installations", "InstallationsOf", "Operations", "Processes", "Purging", "Settings", "SettingsOf",
	"Follow", "ReserveMail", "RenewMail", "AcceptMail", "FailMail", "ReleaseMail", "CustomerMails", "ReportProcesses", "SweepProcesses",
	"BeginInstalling", "TellInstalling", "EndInstalling", "Installing", "Exported", "ClaimPurge", "RenewPurge", "ReleasePurge",
}

// TestEveryChangeNotifies listens while each change is made. A new method of the
// store has to be put into one of the two lists.
func TestEveryChangeNotifies(t *testing.T) {
	t.Parallel()
	w, db := mustPostgres(t)
	heard := make(chan string, 100)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		if err := sqldb.Listen(ctx, db.Config(), "host_public", func(p string) { heard <- p }); err != nil {
			t.Error(err)
		}
	}()
	<-heard // it listens
	known := slices.Clone(quiet)
	for _, c := range changes() {
		known = append(known, c.method)
		w.pass(time.Second)
		if err := c.do(ctx, w); err != nil {
			t.Fatalf("%s: %v", c.method, err)
		}
		if _, err := db.W.Exec(`SELECT pg_notify('host_public', 'that is all')`); err != nil {
			t.Fatal(err)
		}
		if first := <-heard; first != portal {
			t.Errorf("%s tells %q", c.method, first)
		} else if next := <-heard; next != "that is all" {
			t.Errorf("%s tells %q as well", c.method, next)
		}
	}
	methods := reflect.TypeFor[*store.Store]()
	for i := range methods.NumMethod() {
		if name := methods.Method(i).Name; !slices.Contains(known, name) {
			t.Errorf("nobody says whether %s notifies", name)
		}
	}
}

func mustPostgres(t *testing.T) (*world, *sqldb.DB) {
	t.Helper()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	db := dbtest.MustOpen(t, dbtest.Postgres(t, set))
	w := &world{now: time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)}
	w.Store = store.New(db, w.clock)
	return w, db
}

// TestFollow waits for a call after each change.
func TestFollow(t *testing.T) {
	t.Parallel()
	w, _ := mustPostgres(t)
	ctx, cancel := context.WithCancel(t.Context())
	var calls atomic.Int64
	ended := make(chan error, 1)
	go func() {
		ended <- w.Follow(ctx, func() { calls.Add(1) }, func(err error) { t.Error(err) })
	}()
	wait := func(n int64) {
		t.Helper()
		for late := time.Now().Add(time.Minute); calls.Load() < n; time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%d calls, want %d", calls.Load(), n)
			}
		}
	}
	wait(1) // anything may have happened before
	if err := w.SetActive(ctx, addon.Active{AddonID: portal, Version: "1.0.0", Digest: "d1"}); err != nil {
		t.Fatal(err)
	}
	wait(2)
	for n := range int64(2) {
		if err := w.Want(ctx, portal, addon.Version{Version: "1.1.0", Digest: "d2"}); err != nil {
			t.Fatal(err)
		}
		wait(n + 3)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
