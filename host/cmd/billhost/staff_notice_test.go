package main

import (
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/jobs"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestStaffHearOfANewPassword: whoever chooses or changes a password is told by
// mail, once, however long the mail server is away, and nobody else is.
func TestStaffHearOfANewPassword(t *testing.T) {
	t.Parallel()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set, jobs.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		ctx := books.WithActor(t.Context(), books.Actor{IP: "192.0.2.1", Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
		kept := store.New(db, now, store.EnqueueEvent, []byte("the audit key of this test, 32 b."))
		var people []books.Staff
		for _, slug := range []string{"northwind", "harbor"} {
			b, err := kept.AddBiller(ctx, sdk.Biller{Slug: slug, Name: slug + " Ltd"})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range []books.Staff{{Email: "Dana@accounts.example", Name: "Dana\r\nBcc: x@evil.example", Role: books.Manager}, {Email: "boss@" + slug + ".example", Name: "Boss of " + slug, Role: books.Owner}} {
				p.BillerID = b.ID
				added, err := kept.AddStaff(ctx, p)
				if err != nil {
					t.Fatal(err)
				}
				people = append(people, added)
			}
		}
		post := &letters{busy: 3}
		m := &staffMail{books: kept, mail: post, base: "https://bills.example"}
		later := time.Duration(0)
		worker, err := jobs.NewWorker(jobs.Config{
			DB: db, Handlers: map[string]jobs.Handler{store.AskJob: m.do}, Now: func() time.Time { return now().Add(later) }, Backoff: jobs.Exponential(time.Microsecond, time.Microsecond),
		})
		if err != nil {
			t.Fatal(err)
		}
		dana, boss := people[2], people[3]
		if _, err := kept.SetStaffPassword(ctx, dana.BillerID, dana.ID, "", "one"); err != nil {
			t.Fatal(err)
		}
		if _, err := kept.SetStaffPassword(ctx, dana.BillerID, dana.ID, "wrong", "two"); err == nil {
			t.Error("another password was replaced")
		}
		for range 20 { // the mail server comes back after days
			later += 6 * time.Hour
			if err := worker.RunDue(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if len(post.sent) != 1 {
			t.Fatalf("mails: %+v", post.sent)
		}
		letter := post.sent[0]
		for _, want := range []string{
			"Hello Dana Bcc: x@evil.example,\n", "at harbor Ltd was chosen on", "from 192.0.2.1 (Firefox on Linux)", "https://bills.example/sign-in/forgot?next=%2Fadmin%2Faccount\n",
			"Tell an owner of harbor Ltd: Boss of harbor (boss@harbor.example).", "This wasn't you?",
		} {
			if !strings.Contains(letter.Text, want) {
				t.Errorf("no %q in\n%s", want, letter.Text)
			}
		}
		if letter.Subject != "Your Billhost password was chosen" {
			t.Errorf("subject: %q", letter.Subject)
		}
		if letter.To != "Dana@accounts.example" || strings.ContainsAny(letter.Subject+letter.MessageID, "\r\n") || strings.Contains(letter.Text, "northwind") {
			t.Errorf("mail: %+v", letter)
		}

		if _, err := kept.SetStaffPassword(ctx, dana.BillerID, dana.ID, "one", "three"); err != nil {
			t.Fatal(err)
		}
		if err := worker.RunDue(ctx); err != nil || len(post.sent) != 2 || post.sent[1].Subject != "Your Billhost password was changed" || !strings.Contains(post.sent[1].Text, "at harbor Ltd was changed on") {
			t.Errorf("the second password: %v, %+v", err, post.sent[1:])
		}
		if _, err := kept.SetStaffPassword(ctx, boss.BillerID, boss.ID, "", "one"); err != nil {
			t.Fatal(err)
		}
		if err := kept.DisableStaff(ctx, boss.BillerID, boss.ID, true); err != nil {
			t.Fatal(err)
		}
		if err := worker.RunDue(ctx); err != nil || len(post.sent) != 3 || !strings.Contains(post.sent[2].Text, "Tell the person who runs Billhost.") {
			t.Errorf("an owner alone, closed by now: %v, %+v", err, post.sent[2:])
		}
		var left int
		if err := db.R.Get(&left, `SELECT COUNT(*) FROM staff_asks`); err != nil || left != 0 {
			t.Errorf("%d asks are left, %v", left, err)
		}
	})
}

// TestStaffHearOfANewBrowser: whoever signs in with a browser that is new is told by
// mail, of what and how to take the account back.
func TestStaffHearOfANewBrowser(t *testing.T) {
	t.Parallel()
	set, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Run(t, []sqldb.Migrations{set, jobs.Migrations()}, func(t *testing.T, db *sqldb.DB) {
		kept := store.New(db, now, store.EnqueueEvent, []byte("the audit key of this test, 32 b."))
		post := &letters{busy: 1}
		m := &staffMail{books: kept, mail: post, base: "https://bills.example"}
		worker, err := jobs.NewWorker(jobs.Config{DB: db, Handlers: map[string]jobs.Handler{store.AskJob: m.do}, Now: now, Backoff: jobs.Exponential(time.Microsecond, time.Microsecond)})
		if err != nil {
			t.Fatal(err)
		}
		for _, slug := range []string{"northwind", "harbor"} {
			b, err := kept.AddBiller(t.Context(), sdk.Biller{Slug: slug, Name: slug + " Ltd"})
			if err != nil {
				t.Fatal(err)
			}
			p, err := kept.AddStaff(t.Context(), books.Staff{BillerID: b.ID, Email: "dana@accounts.example", Name: "Dana", Role: books.Manager})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := kept.AddStaff(t.Context(), books.Staff{BillerID: b.ID, Email: "boss@" + slug + ".example", Name: "Boss", Role: books.Owner}); err != nil {
				t.Fatal(err)
			}
			for _, device := range []string{"desk", "phone"}[:len(slug)%2+1] { // at harbor one browser alone
				link, err := kept.NewStaffLink(t.Context(), b.ID, p.ID)
				if err != nil {
					t.Fatal(err)
				}
				ctx := books.WithActor(t.Context(), books.Actor{IP: "192.0.2.1", Device: device, Agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
				if _, err := kept.SignIn(ctx, link); err != nil {
					t.Fatal(err)
				}
			}
		}
		for deadline := time.Now().Add(time.Minute); len(post.sent) == 0 && time.Now().Before(deadline); {
			if err := worker.RunDue(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(post.sent) != 1 {
			t.Fatalf("mails: %+v", post.sent)
		}
		letter := post.sent[0]
		if letter.Subject != "New sign-in to your account" || letter.To != "dana@accounts.example" || strings.Contains(letter.Text, "harbor") {
			t.Errorf("mail: %+v", letter)
		}
		for _, want := range []string{
			"Hello Dana,\n", "signed in to your Billhost account at northwind Ltd on ", " UTC from 192.0.2.1 (Firefox on Linux), in a browser",
			"This wasn't you?", "https://bills.example/sign-in/forgot?next=%2Fadmin%2Faccount\n", "That signs everybody else out.", "Tell an owner of northwind Ltd: Boss (boss@northwind.example).",
		} {
			if !strings.Contains(letter.Text, want) {
				t.Errorf("no %q in\n%s", want, letter.Text)
			}
		}
	})
}

func TestBrowsersWithStrangeNames(t *testing.T) {
	t.Parallel()
	m := &staffMail{base: "https://bills.example"}
	text := m.newPassword(books.Candidate{}, nil, books.Ask{Agent: "call+1-555-0100//evil.example/1.0 (Visit evil.example)"})
	if strings.Contains(text, "evil") {
		t.Errorf("what a browser calls itself stands in the mail:\n%s", text)
	}
}
