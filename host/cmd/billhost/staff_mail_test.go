package main

import (
	"context"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// letters is a mail server in memory.
type letters struct {
	sent []addon.Mail
	// busy is how often the server has no time.
	busy int
}

func (l *letters) MessageID(biller, by, key string) string { return biller + "/" + by + "/" + key }

func (l *letters) Send(_ context.Context, m addon.Mail) (addon.Receipt, error) {
	if l.busy > 0 {
		l.busy--
		return addon.Receipt{}, apperr.Wrap(apperr.Unavailable, "busy", errors.New("421"))
	}
	l.sent = append(l.sent, m)
	return addon.Receipt{}, nil
}

func TestStaffMail(t *testing.T) {
	t.Parallel()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set, jobs.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := t.Context()
		kept := store.New(db, now, store.EnqueueEvent, []byte("the audit key of this test, 32 b."))
		for _, slug := range []string{"northwind", "harbor"} {
			b, err := kept.AddBiller(ctx, sdk.Biller{Slug: slug, Name: slug + " Ltd"})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kept.AddStaff(ctx, books.Staff{BillerID: b.ID, Email: "Dana@accounts.example", Name: "Dana", Role: books.Owner}); err != nil {
				t.Fatal(err)
			}
		}
		post := &letters{}
		m := &staffMail{books: kept, mail: post, base: "https://bills.example"}
		worker, err := jobs.NewWorker(jobs.Config{DB: db, Handlers: map[string]jobs.Handler{store.AskJob: m.do}, Now: now, Backoff: jobs.Exponential(time.Microsecond, time.Microsecond)})
		if err != nil {
			t.Fatal(err)
		}
		do := func() []addon.Mail {
			t.Helper()
			if err := worker.RunDue(ctx); err != nil {
				t.Fatal(err)
			}
			sent := post.sent
			post.sent = nil
			return sent
		}
		ask := func(address string) {
			t.Helper()
			if _, err := kept.AskStaffLink(ctx, address, "/admin/customers?q=a&b", netip.Addr{}); err != nil {
				t.Fatal(err)
			}
		}
		ask("nobody@accounts.example")
		if sent := do(); len(sent) != 0 {
			t.Fatalf("mails to nobody: %+v", sent)
		}
		ask("dana@accounts.example")
		sent := do()
		if len(sent) != 1 || sent[0].To != "Dana@accounts.example" || sent[0].MessageID == "" {
			t.Fatalf("mails: %+v", sent)
		}
		links := regexp.MustCompile(`https://bills.example/sign-in/(\S+)\?next=%2Fadmin%2Fcustomers%3Fq%3Da%26b`).FindAllStringSubmatch(sent[0].Text, -1)
		if len(links) != 2 || !strings.Contains(sent[0].Text, "harbor Ltd:") {
			t.Fatalf("text:\n%s", sent[0].Text)
		}
		for _, l := range links {
			if _, err := kept.SignIn(ctx, l[1]); err != nil {
				t.Errorf("the link does not work: %v", err)
			}
		}
		if err := kept.RefuseGuess(books.WithActor(ctx, books.Actor{IP: "192.0.2.1"}), "dana@accounts.example", books.FreeTries); err != nil {
			t.Fatal(err)
		}
		if sent := do(); len(sent) != 1 || !strings.Contains(sent[0].Text, "from 192.0.2.1") || strings.Contains(sent[0].Text, "/sign-in/forgot?") {
			t.Errorf("notice: %+v", sent)
		}

		post.busy = 2
		ask("dana@accounts.example")
		for deadline := time.Now().Add(time.Minute); len(do()) == 0; {
			if time.Now().After(deadline) {
				t.Fatal("a mail that could not go out is forgotten")
			}
		}
		var left int
		if err := db.R.Get(&left, `SELECT COUNT(*) FROM staff_asks`); err != nil || left != 0 {
			t.Errorf("%d asks are left, %v", left, err)
		}
	})
}
