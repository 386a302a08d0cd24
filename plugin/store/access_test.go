package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const colleague = "sam@acme.com"

// requested has somebody ask for access to c1 and returns the request.
func (w *world) requested(tb testing.TB, link, address string) portal.AccessRequest {
	tb.Helper()
	must(tb, w.AskAccess(tb.Context(), public(w.caller), link, "Sam Doe", address, "I do the books."))
	list, err := w.AccessRequests(tb.Context(), w.caller, "c1")
	must(tb, err)
	for _, r := range list {
		if r.Email == address {
			return r
		}
	}
	tb.Fatalf("no request of %s in %+v", address, list)
	return portal.AccessRequest{}
}

// wantNoRequests fails if the other biller has requests for access.
func (w *world) wantNoRequests(t *testing.T) {
	t.Helper()
	n, err := w.CountAccessRequests(t.Context(), w.other)
	must(t, err)
	if n != 0 {
		t.Errorf("the other biller has %d requests", n)
	}
	w.wantOther(t)
}

func TestApprovedRequestMakesASecondPerson(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		r := w.requested(t, link, colleague)
		if r.Name != "Sam Doe" || r.Message != "I do the books." || r.CustomerName != "Doe Residence" || !r.ExpiresAt.Equal(w.clock.Now().Add(portal.AccessRequestLife)) {
			t.Errorf("request = %+v", r)
		}
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Errorf("asking mails %+v", w.mail)
		}
		customer, err := w.Approve(ctx, w.caller, r.ID, portal.RightViewer)
		must(t, err)
		if customer != "c1" {
			t.Errorf("customer %q", customer)
		}
		m := w.take(t)
		if m.To != colleague || m.Ref.Kind != portal.MailInvitation || m.CustomerID != "c1" {
			t.Fatalf("mail = %+v", m)
		}
		state, err := w.Register(ctx, c, token(m), colleague, goodPassword)
		must(t, err)
		_, err = w.Choose(ctx, c, state.Handle, []string{"c1"})
		must(t, err)
		_, err = w.Confirm(ctx, c, state.Handle, w.take(t).Code)
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
		session, err := w.Session(ctx, c, in.Session)
		must(t, err)
		if len(session.Grants) != 1 || session.Grants[0].MayPay() {
			t.Errorf("grants = %+v", session.Grants)
		}
		_, err = w.Open(ctx, c, link, "", "")
		must(t, err)
		w.registered(t, link, "c1") // the customer's own invitation goes on
		people := w.people(t, "c1")
		if len(people) != 1 || people[0].Right != portal.RightViewer || people[0].Differs {
			t.Errorf("people = %+v", people)
		}
		w.wantNoRequests(t)
	})
}

func (w *world) people(t *testing.T, customerID string) []portal.Person {
	t.Helper()
	view, err := w.Service.Customer(t.Context(), w.caller, customerID)
	must(t, err)
	return view.People
}

func TestAskingForAccessRevealsAndKeepsLittle(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c4")
		link := w.invited(t, "c1")
		for name, tt := range map[string]struct {
			name, email, message string
			want                 error
		}{
			"the invited address": {"Jane", " JANE@acme.com", "", portal.ErrInvitedAddress},
			"no name":             {" \x00 ", colleague, "", portal.ErrAccessName},
			"a long name":         {strings.Repeat("n", 101), colleague, "", portal.ErrAccessName},
			"a long message":      {"Sam", colleague, strings.Repeat("é", 501), portal.ErrAccessLong},
		} {
			if err := w.AskAccess(ctx, c, link, tt.name, tt.email, tt.message); !errors.Is(err, tt.want) {
				t.Errorf("%s: %v, want %v", name, err, tt.want)
			}
		}
		wantCode(t, w.AskAccess(ctx, c, link, "Sam", "sam", ""), apperr.Invalid)
		wantCode(t, w.AskAccess(ctx, c, "garbage", "Sam", colleague, ""), apperr.NotFound)
		wantCode(t, w.AskAccess(ctx, public(w.other), link, "Sam", colleague, ""), apperr.NotFound)
		w.requested(t, link, colleague)
		for _, address := range []string{"zoe@bücher.example", "max@acme.com"} { // as silent about a known address
			if err := w.AskAccess(ctx, c, link, "Zoë", address, ""); !errors.Is(err, portal.ErrAccessOpen) {
				t.Errorf("a second request for %s: %v", address, err)
			}
		}
		if n, err := w.CountAccessRequests(ctx, w.caller); err != nil || n != 1 {
			t.Errorf("%d open requests of one link, %v", n, err)
		}
		wantCode(t, w.AskAccess(ctx, c, link, "Max", "max@acme.com", ""), apperr.TooManyRequests)
		w.wantNoRequests(t)
	})
}

func TestOnlyLiveLinksAskForAccess(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		old := w.invited(t, "c1")
		w.clock.Add(2 * time.Minute)
		fresh := w.invited(t, "c1")
		if err := w.AskAccess(ctx, c, old, "Sam", colleague, ""); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("a replaced link: %v", err)
		}
		w.clock.Add(15 * 24 * time.Hour)
		if _, err := w.AccessForm(ctx, c, fresh); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("an expired link: %v", err)
		}
	})
}

func TestRequestsExpireAndAreDecidedOnce(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		link := w.invited(t, "c1")
		r := w.requested(t, link, colleague)
		if _, err := w.Approve(ctx, w.other, r.ID, portal.RightPayer); !apperr.Is(err, apperr.NotFound) {
			t.Errorf("the other biller approves: %v", err)
		}
		if _, err := w.Approve(ctx, public(w.caller), r.ID, portal.RightPayer); !apperr.Is(err, apperr.PermissionDenied) {
			t.Errorf("a visitor approves: %v", err)
		}
		if _, err := w.Approve(ctx, w.caller, r.ID, "owner"); !apperr.Is(err, apperr.Invalid) {
			t.Errorf("an unknown right: %v", err)
		}
		w.clock.Add(portal.AccessRequestLife)
		if _, err := w.Approve(ctx, w.caller, r.ID, portal.RightPayer); !errors.Is(err, portal.ErrAccessDecided) {
			t.Errorf("after 14 days: %v", err)
		}
		if list, err := w.AccessRequests(ctx, w.caller, ""); err != nil || len(list) != 0 {
			t.Errorf("open = %+v, %v", list, err)
		}
		again := w.requested(t, w.invited(t, "c1"), colleague)
		_, err := w.DeclineAccess(ctx, w.caller, again.ID)
		must(t, err)
		if m := w.take(t); m.Ref.Kind != portal.MailAccess || m.To != colleague || m.CustomerName != "" {
			t.Errorf("mail = %+v", m)
		}
		w.wantNoRequests(t)
	})
}

func TestRaceAskAccess(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		found, err := w.Store.Link(t.Context(), w.caller.BillerID, w.Keys.Hash(w.caller.BillerID, link), w.clock.Now())
		must(t, err)
		kept := make([]bool, 16)
		counts := race(func(n int) error {
			r := portal.AccessRequest{
				ID: w.IDs(), CustomerID: "c1", Name: "Sam", Email: colleague, EmailNorm: colleague,
				CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(time.Hour),
			}
			a := portal.Activity{ID: r.ID, Action: portal.ActionAccessAsked, CustomerID: "c1", At: w.clock.Now()}
			var err error
			kept[n], err = w.Store.AskAccess(t.Context(), w.caller.BillerID, found.Token.Hash, r, a)
			return err
		})
		won := 0
		for _, k := range kept {
			if k {
				won++
			}
		}
		if counts[""] != 16 || won != 1 {
			t.Errorf("answers %v, %d requests kept; want one", counts, won)
		}
		w.wantNoRequests(t)
	})
}

func TestRaceDecideAccess(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		r := w.requested(t, w.invited(t, "c1"), colleague)
		counts := race(func(n int) error {
			var err error
			if n%2 == 0 {
				_, err = w.Approve(t.Context(), w.caller, r.ID, portal.RightPayer)
			} else {
				_, err = w.DeclineAccess(t.Context(), w.caller, r.ID)
			}
			return err
		})
		wantOneWinner(t, counts, portal.ErrAccessDecided)
		w.mail = nil
		w.deliver(t)
		if len(w.mail) != 1 || w.mail[0].To != colleague {
			t.Errorf("mails = %+v", w.mail)
		}
		w.wantNoRequests(t)
	})
}

func TestApprovedInvitationIsRenewedAndRevoked(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		r := w.requested(t, w.invited(t, "c1"), colleague)
		_, err := w.Approve(ctx, w.caller, r.ID, portal.RightPayer)
		must(t, err)
		first := token(w.take(t))
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		if len(view.Invited) != 1 || view.Invitation == nil || view.Invitation.Email == colleague {
			t.Fatalf("invited %+v beside %+v", view.Invited, view.Invitation)
		}
		id := view.Invited[0].ID
		wantCode(t, w.RenewAccess(ctx, w.caller, "c1", id), apperr.TooManyRequests)
		w.clock.Add(15 * 24 * time.Hour)
		must(t, w.RequestNewLink(ctx, c, first))
		second := w.take(t)
		if second.To != colleague {
			t.Fatalf("mail = %+v", second)
		}
		if v, err := w.Open(ctx, c, first, "", ""); err != nil || v.Outcome != portal.LinkReplaced {
			t.Errorf("the first link = %+v, %v", v, err)
		}
		wantCode(t, w.RevokeAccess(ctx, w.caller, "c2", id), apperr.NotFound)
		wantCode(t, w.RevokeAccess(ctx, w.other, "c1", id), apperr.NotFound)
		must(t, w.RevokeAccess(ctx, w.caller, "c1", id))
		if v, err := w.Open(ctx, c, token(second), "", ""); err != nil || v.Outcome != portal.LinkRevoked {
			t.Errorf("the revoked link = %+v, %v", v, err)
		}
		wantCode(t, w.RevokeAccess(ctx, w.caller, "c1", id), apperr.NotFound)
		w.wantNoRequests(t)
	})
}

// TestRequesterWithASignInAddsTheCustomer: no second account, an offer.
func TestRequesterWithASignInAddsTheCustomer(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c4")
		r := w.requested(t, w.invited(t, "c1"), "zoe@bücher.example")
		_, err := w.Approve(ctx, w.caller, r.ID, portal.RightViewer)
		must(t, err)
		if m := w.take(t); !m.HasAccount {
			t.Errorf("mail = %+v", m)
		}
		offers, err := w.Offers(ctx, c, session)
		must(t, err)
		if len(offers) != 1 || offers[0].CustomerID != "c1" {
			t.Fatalf("offers = %+v", offers)
		}
		_, err = w.Add(ctx, c, session, offers[0].InvitationID)
		must(t, err)
		people := w.people(t, "c1")
		if len(people) != 1 || people[0].Right != portal.RightViewer || people[0].Differs {
			t.Errorf("people = %+v", people)
		}
	})
}

// refusing is a platform that permits no address.
type refusing struct{}

func (refusing) Permit(context.Context, string, string) (string, error) {
	return "", apperr.Errorf(apperr.PermissionDenied, "no")
}

func TestWithoutPermitNothingIsApproved(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		r := w.requested(t, w.invited(t, "c1"), colleague)
		w.Permits = refusing{}
		if _, err := w.Approve(t.Context(), w.caller, r.ID, portal.RightPayer); !apperr.Is(err, apperr.PermissionDenied) {
			t.Errorf("approved: %v", err)
		}
		if n, err := w.CountAccessRequests(t.Context(), w.caller); err != nil || n != 1 {
			t.Errorf("%d open, %v", n, err)
		}
	})
}
