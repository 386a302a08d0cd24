package store_test

import (
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestStaffSeen: everybody of the biller and nobody of another, with the last time
// they signed in.
func TestStaffSeen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		dana, luis := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.a.ID, "luis@northwind.example")
		other := mustStaff(t, w, w.b.ID, "dana@northwind.example")
		mustSignIn(t, w, dana)
		first, err := w.StaffSeen(t.Context(), w.a.ID)
		if err != nil {
			t.Fatal(err)
		}
		w.pass(time.Hour)
		mustSignIn(t, w, dana)
		mustSignIn(t, w, other)
		if err := w.DisableStaff(t.Context(), w.a.ID, luis.ID, true); err != nil {
			t.Fatal(err)
		}
		list, err := w.StaffSeen(t.Context(), w.a.ID)
		if err != nil || len(list) != 2 {
			t.Fatalf("%+v, %v", list, err)
		}
		byID := func(list []books.StaffSeen, id string) (found books.StaffSeen) {
			for _, p := range list {
				if p.ID == id {
					found = p
				}
			}
			return found
		}
		if now, before := byID(list, dana.ID), byID(first, dana.ID); before.LastSignIn.IsZero() || !now.LastSignIn.After(before.LastSignIn) || now.Disabled {
			t.Errorf("signed in twice: %s after %s", now.LastSignIn, before.LastSignIn)
		}
		if p := byID(list, luis.ID); !p.Disabled || !p.LastSignIn.IsZero() || p.Email != "luis@northwind.example" {
			t.Errorf("never signed in: %+v", p)
		}
		if list, err := w.StaffSeen(t.Context(), "none"); err != nil || len(list) != 0 {
			t.Errorf("of no biller: %+v, %v", list, err)
		}
	})
}
