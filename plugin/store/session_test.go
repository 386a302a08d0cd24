package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestSignInBeforeTheEnd(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		_, m := w.started(t, "c1")
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		if in.Session != "" || in.Pending == nil || in.Pending.Step != portal.StepConfirm {
			t.Fatalf("before confirmation = %+v", in)
		}
		handle := in.Pending.Handle
		_, err = w.Confirm(ctx, c, handle, m.Code)
		must(t, err)
		must(t, w.Decline(ctx, c, portal.Holder{Handle: handle}))
		w.wantStatus(t, "c1", portal.StatusAwaitingAgreement)
		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the handle after declining = %v", err)
		}

		in, err = w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		if in.Session == "" || !in.AgreementPending {
			t.Fatalf("before the agreement = %+v", in)
		}
		if _, err := w.Offers(ctx, c, in.Session); !errors.Is(err, portal.ErrAgreementPending) {
			t.Errorf("Offers before the agreement = %v", err)
		}
		done, err := w.Accept(ctx, c, portal.Holder{Session: in.Session}, portal.DefaultAgreementVersion)
		must(t, err)
		if _, err := w.Session(ctx, c, in.Session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the restricted session lives on: %v", err)
		}
		if view, err := w.Session(ctx, c, done.Session); err != nil || view.AgreementPending {
			t.Errorf("after accepting = %+v, %v", view, err)
		}
		w.wantStatus(t, "c1", portal.StatusRegistered)
	})
}

func TestExistingAccountIsOffered(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		_, err := w.Invite(ctx, w.caller, "c2")
		must(t, err)
		m := w.take(t)
		if !m.HasAccount {
			t.Error("the mail does not know the account")
		}
		w.wantLink(t, token(m), portal.LinkExistingAccount)
		if _, err := w.Register(ctx, c, token(m), "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrHasAccount) {
			t.Errorf("Register for an account = %v", err)
		}
		if view, err := w.Open(ctx, c, token(m), "", session); err != nil || view.Outcome != portal.LinkSignedIn {
			t.Errorf("signed in = %+v, %v", view, err)
		}
		w.wantStatus(t, "c2", portal.StatusOpened)
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		if len(offers) != 1 || offers[0].CustomerName != "Lake House" {
			t.Fatalf("offers = %+v", offers)
		}
		added, err := w.Add(ctx, c, session, offers[0].InvitationID)
		if err != nil || added != "c2" {
			t.Fatalf("Add = %q, %v", added, err)
		}
		view, err := w.Session(ctx, c, session)
		must(t, err)
		if len(view.Grants) != 2 || view.Grants[1].CustomerID != "c2" {
			t.Errorf("grants = %+v", view.Grants)
		}
		w.wantStatus(t, "c2", portal.StatusRegistered)
		w.wantLink(t, token(m), portal.LinkRegistered)
		if _, err := w.Add(ctx, c, session, offers[0].InvitationID); !errors.Is(err, portal.ErrOfferGone) {
			t.Errorf("Add twice = %v", err)
		}
		w.wantOther(t)
	})
}

func TestSignedInAsOther(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		session := w.signedUp(t, "c4")
		link := w.invited(t, "c1")
		view, err := w.Open(t.Context(), public(w.caller), link, "", session)
		must(t, err)
		if view.Outcome != portal.LinkSignedInAsOther || view.SignedInAs != "zoe@bücher.example" {
			t.Errorf("Open = %+v", view)
		}
		if _, err := w.Session(t.Context(), public(w.other), session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the session at the other biller = %v", err)
		}
		_, err = w.Invite(t.Context(), w.other, "c1")
		must(t, err)
		foreign, err := w.Service.Customer(t.Context(), w.other, "c1")
		must(t, err)
		if _, err := w.Add(t.Context(), public(w.caller), session, foreign.Invitation.ID); !errors.Is(err, portal.ErrOfferGone) {
			t.Errorf("Add of the other biller's offer = %v", err)
		}
	})
}

func TestSessionsRunOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		for range 31 {
			w.clock.Add(23 * time.Hour)
			_, err := w.Session(ctx, c, session)
			must(t, err)
		}
		w.clock.Add(23 * time.Hour)
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("after thirty days = %v", err)
		}
		in, err := w.SignIn(ctx, c, "jane@acme.com", goodPassword)
		must(t, err)
		w.clock.Add(portal.SessionIdle)
		if _, err := w.Session(ctx, c, in.Session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("after a day of silence = %v", err)
		}
	})
}

func TestSessionReachesOnlyItsCustomers(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		session := w.signedUp(t, "c1")
		view, err := w.Session(t.Context(), public(w.caller), session)
		must(t, err)
		if g, err := view.Customer("c1"); err != nil || g.Name != "Doe Residence" {
			t.Errorf("own customer = %+v, %v", g, err)
		}
		_, err = view.Customer("c2")
		wantCode(t, err, apperr.NotFound)
		archived := customers()[0]
		archived.Archived, archived.Version = true, 2
		must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{archived}))
		view, err = w.Session(t.Context(), public(w.caller), session)
		must(t, err)
		_, err = view.Customer("c1")
		wantCode(t, err, apperr.NotFound)
	})
}

// TestNoInvitationForWhoHasAccess: somebody who has only the agreement left is
// not sent a mail whose link leads nowhere.
func TestNoInvitationForWhoHasAccess(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		handle, m := w.started(t, "c1")
		_, err := w.Confirm(ctx, public(w.caller), handle, m.Code)
		must(t, err)
		_, err = w.Invite(ctx, w.caller, "c1")
		wantCode(t, err, apperr.Conflict)
		w.wantStatus(t, "c1", portal.StatusAwaitingAgreement)
		if view, err := w.Service.Customer(ctx, w.caller, "c1"); err != nil || !view.HasAccess {
			t.Errorf("view = %+v, %v", view, err)
		}
		if view, err := w.Service.Customer(ctx, w.caller, "c2"); err != nil || view.HasAccess {
			t.Errorf("the same address's other customer = %+v, %v", view, err)
		}
		_, err = w.Invite(ctx, w.other, "c1")
		must(t, err)
		moved := customers()[0]
		moved.Email, moved.Version = "new@acme.com", 2
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{moved}))
		w.clock.Add(portal.SendGap)
		if _, err = w.Invite(ctx, w.caller, "c1"); !errors.Is(err, portal.ErrSignInDiffers) {
			t.Errorf("invite beside the old address: %v", err)
		}
		_, err = w.InviteInstead(ctx, w.caller, "c1")
		must(t, err)
	})
}

// TestTypingMistakesAreThrottledApart: who mistypes an address does not close
// the sign-in to all others who do.
func TestTypingMistakesAreThrottledApart(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		for range portal.SignInDelays().Free {
			_, _ = w.SignIn(t.Context(), public(w.caller), "jane at acme", goodPassword) // only counts
		}
		_, err := w.SignIn(t.Context(), public(w.caller), "jane at acme", goodPassword)
		wantCode(t, err, apperr.TooManyRequests)
		_, err = w.SignIn(t.Context(), public(w.caller), "zoe at acme", goodPassword)
		wantCode(t, err, apperr.Unauthenticated)
	})
}
