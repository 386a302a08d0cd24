package store_test

import (
	"errors"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// A customer whose event is still on its way is read from the books.
func TestUnheardCustomer(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		view, err := w.Customer(t.Context(), w.caller, "unheard")
		if err != nil || view.Customer.Name != "Fresh Pond LLC" || view.Status != portal.StatusNotInvited {
			t.Fatalf("Customer: %+v, %v", view, err)
		}
		if _, err := w.Customer(t.Context(), w.caller, "nobody"); !errors.Is(err, portal.ErrNoCustomer) {
			t.Errorf("Customer of an unknown id: %v, want ErrNoCustomer", err)
		}
	})
	run(t, func(t *testing.T, w *world) {
		inv, err := w.Invite(t.Context(), w.caller, "unheard")
		if err != nil || inv.Email != "office@freshpond.example" {
			t.Fatalf("Invite: %+v, %v", inv, err)
		}
		if _, err := w.Invite(t.Context(), w.caller, "nobody"); !errors.Is(err, portal.ErrNoCustomer) {
			t.Errorf("Invite of an unknown id: %v, want ErrNoCustomer", err)
		}
		other, err := w.Counts(t.Context(), w.other)
		must(t, err)
		mine, err := w.Counts(t.Context(), w.caller)
		must(t, err)
		if sum(mine) != sum(other)+1 {
			t.Errorf("%d customers here, %d at the other biller: the new one belongs to one biller", sum(mine), sum(other))
		}
	})
}

func sum(counts []portal.Count) int {
	n := 0
	for _, c := range counts {
		n += c.Customers
	}
	return n
}
