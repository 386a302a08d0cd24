package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// wantMatches fails unless exactly these customers are offered for their address.
func (w *world) wantMatches(t *testing.T, c portal.Caller, session string, want ...string) {
	t.Helper()
	offers, err := w.Offers(t.Context(), public(c), session)
	must(t, err)
	var got []string
	for _, o := range offers {
		if o.Match() {
			got = append(got, o.CustomerID)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("matches (-want +got):\n%s", diff)
	}
}

// TestMatchIsOffered: an invited sign-up is for the invited customer alone; the
// other one with the address is offered once it is confirmed and accepted, and
// granted only by Add.
func TestMatchIsOffered(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		if diff := cmp.Diff([]portal.Offer{{CustomerID: "c2", CustomerName: "Lake House", Number: "NW-2"}}, offers); diff != "" {
			t.Fatalf("offers (-want +got):\n%s", diff)
		}
		if view, err := w.Session(ctx, c, session); err != nil || len(view.Grants) != 1 {
			t.Errorf("the address alone gives access: %+v, %v", view.Grants, err)
		}
		w.wantStatus(t, "c2", portal.StatusNotInvited)
		for _, id := range []string{"c1", "c3", "c4", "none", "", "a\x00b"} {
			if err := w.AddMatch(ctx, c, session, id); !errors.Is(err, portal.ErrOfferGone) {
				t.Errorf("AddMatch of %q: %v", id, err)
			}
		}
		if err := w.AddMatch(ctx, public(w.other), session, "c2"); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("at the other biller: %v", err)
		}
		must(t, w.AddMatch(ctx, c, session, "c2"))
		view, err := w.Session(ctx, c, session)
		must(t, err)
		if len(view.Grants) != 2 || view.Grants[1].CustomerID != "c2" || !view.Grants[1].MayPay() {
			t.Errorf("grants = %+v", view.Grants)
		}
		w.wantStatus(t, "c2", portal.StatusRegistered)
		w.wantMatches(t, w.caller, session)
		list, err := w.Store.RecentActivity(ctx, "north", view.UserID, 1)
		must(t, err)
		if len(list) != 1 || list[0].Action != portal.ActionAccessAdded || list[0].CustomerID != "c2" || list[0].IP == "" {
			t.Errorf("kept %+v", list)
		}
		seen, err := w.Service.Customer(ctx, w.caller, "c2")
		must(t, err)
		if len(seen.People) != 1 || seen.People[0].Differs || !slices.ContainsFunc(seen.History, func(h portal.HistoryEntry) bool { return h.Kind == portal.HistoryAdded }) {
			t.Errorf("staff see %+v", seen)
		}
		w.wantOther(t)
	})
}

// TestMatchIsOmitted: customers that are archived, disabled, invited, taken away or
// dismissed, and all of them where people need an invitation.
func TestMatchIsOmitted(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		none := func(what string) {
			t.Helper()
			w.wantMatches(t, w.caller, session)
			if err := w.AddMatch(ctx, c, session, "c2"); !errors.Is(err, portal.ErrOfferGone) {
				t.Errorf("%s: %v", what, err)
			}
			if err := w.DismissMatch(ctx, c, session, "c2"); !errors.Is(err, portal.ErrOfferGone) {
				t.Errorf("%s, dismissed: %v", what, err)
			}
		}
		change := func(set string) {
			t.Helper()
			_, err := w.db.W.ExecContext(ctx, `UPDATE customers SET `+set+` WHERE biller_id = 'north' AND id = 'c2'`)
			must(t, err)
		}
		w.wantMatches(t, w.caller, session, "c2")
		change(`archived = TRUE`)
		none("archived")
		change(`archived = FALSE, status = 'Disabled'`)
		none("disabled")
		change(`status = 'Not invited', email_norm = ''`)
		none("without an address")
		change(`email_norm = 'jane@acme.com'`)
		w.Settings = func(context.Context) portal.Settings {
			return portal.Settings{InvitationLife: portal.DefaultSettings().InvitationLife}
		}
		none("by invitation only")
		w.Settings = nil
		w.wantMatches(t, w.caller, session, "c2")
		w.invited(t, "c2")
		none("invited")
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		if len(offers) != 1 || offers[0].Match() {
			t.Errorf("offers = %+v, want the invitation alone", offers)
		}
		must(t, w.Revoke(ctx, w.caller, "c2"))
		must(t, w.AddMatch(ctx, c, session, "c2"))
		must(t, w.RemovePerson(ctx, w.caller, "c2", w.person(t, "c2").UserID))
		none("taken away by staff")
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{{ID: "c5", Name: "Jane's Boat", Email: "jane@acme.com", Version: 1}}))
		w.wantMatches(t, w.caller, session, "c5")
		must(t, w.RemovePerson(ctx, w.caller, "c1", w.person(t, "c1").UserID))
		w.wantMatches(t, w.caller, session)
		if err := w.AddMatch(ctx, c, session, "c5"); !errors.Is(err, portal.ErrOfferGone) {
			t.Errorf("without any access: %v", err)
		}
	})
}

// TestMatchDismissed: it is not offered again, gives staff no person to see, and
// leaves the way by invitation.
func TestMatchDismissed(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		must(t, w.DismissMatch(ctx, c, session, "c2"))
		w.wantMatches(t, w.caller, session)
		if err := w.AddMatch(ctx, c, session, "c2"); !errors.Is(err, portal.ErrOfferGone) {
			t.Errorf("after Dismiss: %v", err)
		}
		w.wantStatus(t, "c2", portal.StatusNotInvited)
		view, err := w.Service.Customer(ctx, w.caller, "c2")
		must(t, err)
		proofs, err := w.CustomerAcceptances(ctx, w.caller, "c2")
		must(t, err)
		if len(view.People) > 0 || len(proofs) > 0 {
			t.Errorf("staff see %+v and %+v", view.People, proofs)
		}
		user := w.person(t, "c1").UserID
		if err := w.RemovePerson(ctx, w.caller, "c2", user); !errors.Is(err, portal.ErrNoPerson) {
			t.Errorf("access that was never there is removed: %v", err)
		}
		if _, err := w.CustomerProof(ctx, w.caller, "c2", user, portal.DefaultAgreementVersion); !errors.Is(err, portal.ErrNoAcceptance) {
			t.Errorf("proof: %v", err)
		}
		w.invited(t, "c2")
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		if len(offers) != 1 || offers[0].Match() {
			t.Fatalf("offers = %+v", offers)
		}
		_, err = w.Add(ctx, c, session, offers[0].InvitationID)
		must(t, err)
		w.wantStatus(t, "c2", portal.StatusRegistered)
		w.wantOther(t)
	})
}

// TestMatchNeedsTheAgreement: nothing is offered before it is accepted.
func TestMatchNeedsTheAgreement(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		for _, err := range []error{w.AddMatch(ctx, c, in.Session, "c2"), w.DismissMatch(ctx, c, in.Session, "c2")} {
			if !errors.Is(err, portal.ErrAgreementPending) {
				t.Errorf("before the agreement: %v", err)
			}
		}
	})
}

func TestRaceMatch(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		wantOneWinner(t, race(func(int) error { return w.AddMatch(ctx, c, session, "c2") }), portal.ErrOfferGone)
		w.wantPeople(t, "c2", 1)
		w.wantOther(t)
	})
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		wantOneWinner(t, race(func(n int) error {
			if n%2 == 0 {
				return w.DismissMatch(ctx, c, session, "c2")
			}
			return w.AddMatch(ctx, c, session, "c2")
		}), portal.ErrOfferGone)
	})
}

// TestRaceMatchWithStaff: an invitation and Add at once end with one person, and
// an erased one leaves no access.
func TestRaceMatchWithStaff(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		user := w.person(t, "c1").UserID
		counts := race(func(n int) error {
			switch n {
			case 0:
				return w.ErasePerson(ctx, w.caller, "c1", user)
			case 1:
				_, err := w.Invite(ctx, w.caller, "c2")
				return err
			}
			return w.AddMatch(ctx, c, session, "c2")
		})
		for answer := range counts {
			if strings.HasPrefix(answer, string(apperr.Internal)+":") {
				t.Errorf("answers = %v", counts)
			}
		}
		w.wantPeople(t, "c2", 0)
		view, err := w.Service.Customer(ctx, w.caller, "c2")
		must(t, err)
		if view.Status == portal.StatusRegistered {
			t.Errorf("c2 is %s without anybody", view.Status)
		}
	})
}
