package store_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
)

// TestAsksOutlastANight: what staff are mailed is tried for at least six hours,
// at the waits of the outbox: five minutes at most, halved at random.
func TestAsksOutlastANight(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		if _, err := w.AskStaffLink(t.Context(), "dana@northwind.example", "", netip.Addr{}); err != nil {
			t.Fatal(err)
		}
		var most int
		must(t, w.db.R.Get(&most, `SELECT MIN(max_attempts) FROM jobs WHERE kind = $1`, store.AskJob))
		if least := time.Duration(most-10) * 150 * time.Second; least < 5*time.Hour {
			t.Errorf("%d tries end after %s", most, least)
		}
		staff, err := w.AddStaff(t.Context(), books.Staff{BillerID: w.a.ID, Email: "new@northwind.example", Name: "New", Role: books.Viewer})
		must(t, err)
		_, err = w.SetStaffPassword(t.Context(), staff.BillerID, staff.ID, "", "hash")
		must(t, err)
		must(t, w.db.R.Get(&most, `SELECT MAX(max_attempts) FROM jobs WHERE kind = $1`, store.AskJob))
		if least := time.Duration(most) * 150 * time.Second; least < 7*24*time.Hour {
			t.Errorf("a new password is told for %s: %d tries", least, most)
		}
	})
}

// TestTriesAreForgotten: what is past goes when anybody signs in, with a password or
// without, however many sign in at once; what still counts stays.
func TestTriesAreForgotten(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		left := func() (tries, asks int) {
			t.Helper()
			must(t, w.db.R.Get(&tries, `SELECT COUNT(*) FROM staff_tries`))
			must(t, w.db.R.Get(&asks, `SELECT COUNT(*) FROM staff_asks`))
			return tries, asks
		}
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		for n := range 3 {
			_, _, err := w.TakeGuess(ctx, fmt.Sprint("email ", n), network(n))
			must(t, err)
			must(t, w.RefuseGuess(ctx, fmt.Sprint(n, "@northwind.example"), 1))
		}
		mustSignIn(t, w, dana)
		if tries, asks := left(); tries != 3*3+1 || asks != 3 {
			t.Errorf("%d tries and %d asks count still, want 10 and 3", tries, asks)
		}
		w.pass(8 * 24 * time.Hour)
		mustSignIn(t, w, dana)
		if tries, asks := left(); tries != 0 || asks != 0 {
			t.Errorf("%d tries and %d asks are left", tries, asks)
		}
		for range 8 {
			atOnce(func(n int) {
				account := fmt.Sprint("email ", n)
				if _, _, err := w.TakeGuess(ctx, account, network(n)); err != nil {
					t.Error(err)
				}
				if err := w.ReturnGuess(ctx, account, network(n)); err != nil {
					t.Error(err)
				}
				if _, _, err := w.TakeGuess(ctx, account, network(15-n)); err != nil {
					t.Error(err)
				}
			})
			w.pass(25 * time.Hour)
		}
	})
}

// TestLinksThatEverybodyAsksFor: so many an hour are asked for from everywhere, for
// nobody's address like for somebody's; who is refused does not count.
func TestLinksThatEverybodyAsksFor(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		mustStaff(t, w, w.a.ID, "dana@northwind.example")
		all := books.LinksAsked()
		one := books.Budgets("ask", network(1))[1].Limit
		for n := range one + 5 {
			_, err := w.AskStaffLink(ctx, fmt.Sprint(n, "@northwind.example"), "", network(1))
			must(t, err)
		}
		var counted int
		must(t, w.db.R.Get(&counted, `SELECT tries FROM staff_tries WHERE name = $1`, all.Name))
		if counted != one {
			t.Errorf("%d are counted, want the %d that were let through", counted, one)
		}
		_, err := w.db.W.Exec(`UPDATE staff_tries SET tries = $2 WHERE name = $1`, all.Name, all.Limit-1)
		must(t, err)
		for i, address := range []string{"dana@northwind.example", "nobody@northwind.example", "dana@northwind.example"} {
			retryAt, err := w.AskStaffLink(ctx, address, "", network(2+i))
			must(t, err)
			if wait := retryAt.Sub(w.clock()); retryAt.IsZero() != (i == 0) || i > 0 && wait != time.Hour {
				t.Errorf("%d, %s: wait %v", i, address, wait)
			}
		}
		w.pass(time.Hour)
		if retryAt, err := w.AskStaffLink(ctx, "dana@northwind.example", "", network(9)); err != nil || !retryAt.IsZero() {
			t.Errorf("an hour later: wait until %v, %v", retryAt, err)
		}
	})
}
