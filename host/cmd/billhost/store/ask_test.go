package store_test

import (
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
