package store_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/password"
)

// TestOwnNameIsNoPassword: wherever a password is chosen, the words of the customer's
// names make none, and the other biller's customers of the same address do not matter.
func TestOwnNameIsNoPassword(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		must(t, w.ApplyCustomers(ctx, w.other, []portal.Customer{{ID: "c9", Name: "Violet Tractor", DisplayName: "Harbour", Email: "jane@acme.com", Version: 1}}))
		const own, company = "Doe-R3sidence 2026!", "oldmill.bakery.2026"
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{
			{ID: "c1", Name: "Jane Doe", DisplayName: "Doe Residence", Company: "Old Mill Bakery", Email: "jane@acme.com", Version: 2},
		}))
		proof := w.proven(t, "jane@acme.com")
		for _, chosen := range []string{own, company} {
			if _, err := w.FinishProof(ctx, c, proof, chosen, []string{"c1"}); !errors.Is(err, password.ErrName) {
				t.Errorf("signing up from the portal link with %q: %v", chosen, err)
			}
		}
		link := w.invited(t, "c1")
		_, err := w.Register(ctx, c, link, "jane@acme.com", own)
		if !errors.Is(err, password.ErrName) {
			t.Errorf("signing up with an invitation: %v", err)
		}
		w.registered(t, link, "c1")
		w.deliver(t)
		if _, err = w.ResetPassword(ctx, c, w.asked(t, "jane@acme.com"), company); !errors.Is(err, password.ErrName) {
			t.Errorf("a new password before confirming: %v", err)
		}
		handle, err := w.ResetPassword(ctx, c, w.asked(t, "jane@acme.com"), goodPassword)
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: handle.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
		if _, err := w.ChangePassword(ctx, c, in.Session, goodPassword, own); !errors.Is(err, password.ErrName) {
			t.Errorf("changing it: %v", err)
		}
		w.deliver(t)
		if _, err = w.ResetPassword(ctx, c, w.asked(t, "jane@acme.com"), own); !errors.Is(err, password.ErrName) {
			t.Errorf("a new password: %v", err)
		}
	})
}

// TestNames: of customers that the person has, is signing up for or may, and of no others.
func TestNames(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		names := func(c portal.Caller, address string) []string {
			t.Helper()
			list, err := w.Store.Names(ctx, c.BillerID, address)
			must(t, err)
			return list
		}
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{{ID: "c2", Name: "Jane Doe", DisplayName: "Lake House", Email: "jane@acme.com", Version: 2, Archived: true}}))
		both := []string{"Jane Doe Doe Residence "}
		for _, address := range []string{"", "nobody@acme.com"} {
			if got := names(w.caller, address); len(got) != 0 {
				t.Errorf("%q has the names %q", address, got)
			}
		}
		w.signedUp(t, "c1")
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{{ID: "c1", Name: "Jane Doe", DisplayName: "Doe Residence", Email: "other@acme.com", Version: 3}}))
		if diff := cmp.Diff(both, names(w.caller, "jane@acme.com")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if got := names(w.other, "jane@acme.com"); len(got) != 2 {
			t.Errorf("at the other biller: %q", got)
		}
	})
}
