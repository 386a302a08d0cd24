package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestLateMailsToStaff: after a night without mail server staff hear of wrong
// passwords, but get no link that nobody waits for any more.
func TestLateMailsToStaff(t *testing.T) {
	t.Parallel()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set, jobs.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		kept := store.New(db, now, store.EnqueueEvent, []byte("the audit key of this test, 32 b."))
		b, err := kept.AddBiller(ctx, sdk.Biller{Slug: "northwind", Name: "Northwind"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kept.AddStaff(ctx, books.Staff{BillerID: b.ID, Email: "dana@northwind.example", Name: "Dana", Role: books.Owner}); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.AskStaffLink(ctx, "dana@northwind.example", "", netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		if err := kept.RefuseGuess(ctx, "dana@northwind.example", books.FreeTries); err != nil {
			t.Fatal(err)
		}
		if _, err := db.W.Exec(`UPDATE staff_asks SET at = $1`, now().Add(-8*time.Hour).UnixMicro()); err != nil {
			t.Fatal(err)
		}
		post := &letters{}
		m := &staffMail{books: kept, mail: post, base: "https://bills.example"}
		worker, err := jobs.NewWorker(jobs.Config{DB: db, Handlers: map[string]jobs.Handler{store.AskJob: m.do}, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if err := worker.RunDue(ctx); err != nil {
			t.Fatal(err)
		}
		if len(post.sent) != 1 || post.sent[0].Subject != "Wrong passwords for your account" {
			t.Errorf("mails: %+v", post.sent)
		}
	})
}
