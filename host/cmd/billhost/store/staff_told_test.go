package store_test

import (
	"slices"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestStaffWithAnAbility: whoever holds it and may sign in, of this biller.
func TestStaffWithAnAbility(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		add := func(biller, address string, role books.Role) books.Staff {
			p, err := w.AddStaff(t.Context(), books.Staff{BillerID: biller, Email: address, Name: "Dana", Role: role})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		with := func(biller, ability string) (addresses []string) {
			list, err := w.StaffWith(t.Context(), biller, ability)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range list {
				if p.BillerID != biller || !p.Can(ability) {
					t.Errorf("%+v", p)
				}
				addresses = append(addresses, p.Email)
			}
			return addresses
		}
		add(w.a.ID, "operator@a.example", books.Operator)
		add(w.a.ID, "owner@a.example", books.Owner)
		add(w.a.ID, "viewer@a.example", books.Viewer)
		manager := add(w.a.ID, "manager@a.example", books.Manager)
		gone := add(w.a.ID, "gone@a.example", books.Owner)
		if err := w.DisableStaff(t.Context(), w.a.ID, gone.ID, true); err != nil {
			t.Fatal(err)
		}
		add(w.b.ID, "owner@b.example", books.Owner)

		if got := with(w.a.ID, "staff:invite"); !slices.Equal(got, []string{"operator@a.example", "owner@a.example", "manager@a.example"}) {
			t.Errorf("who may invite: %q", got)
		}
		if err := w.SetStaffRole(t.Context(), w.a.ID, manager.ID, books.Viewer); err != nil {
			t.Fatal(err)
		}
		if got := with(w.a.ID, "staff:configure"); !slices.Equal(got, []string{"operator@a.example", "owner@a.example"}) {
			t.Errorf("who may configure: %q", got)
		}
		if got := with(w.b.ID, "staff:invite"); !slices.Equal(got, []string{"owner@b.example"}) {
			t.Errorf("of the other biller: %q", got)
		}
		if got := with(w.a.ID, "staff:fly"); len(got) != 0 {
			t.Errorf("nobody's ability: %q", got)
		}
	})
}
