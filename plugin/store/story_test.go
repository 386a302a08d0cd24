package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestStory is the main job: invite, mail, five steps, signed in, registered.
func TestStory(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.wantStatus(t, "c1", portal.StatusNotInvited)
		w.wantStatus(t, "c3", portal.StatusNoEmail)

		_, err := w.Invite(ctx, w.caller, "c1")
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusQueued)
		welcome := w.take(t)
		if welcome.To != "Jane@Acme.com" || welcome.HasAccount || welcome.ButtonText != "" {
			t.Errorf("welcome mail = %+v", welcome)
		}
		w.wantStatus(t, "c1", portal.StatusSent)

		link := token(welcome)
		view, err := w.Open(ctx, c, link, "", "")
		must(t, err)
		want := portal.LinkView{
			Outcome: portal.LinkFresh, CustomerName: "Doe Residence", MaskedEmail: "J•••@Acme.com",
			ExpiresAt: w.clock.Now().Add(14 * 24 * time.Hour),
		}
		if diff := cmp.Diff(want, view); diff != "" {
			t.Errorf("Open (-want +got):\n%s", diff)
		}
		w.wantStatus(t, "c1", portal.StatusOpened)

		state, err := w.Register(ctx, c, link, " JANE@acme.COM ", goodPassword)
		must(t, err)
		handle := state.Handle
		if state.Step != portal.StepProfile || handle == "" {
			t.Errorf("after Register: %+v", state)
		}
		w.wantStatus(t, "c1", portal.StatusStarted)

		profiles, err := w.Profiles(ctx, c, handle)
		must(t, err)
		if diff := cmp.Diff([]portal.Profile{{CustomerID: "c1", Name: "Doe Residence", Number: "NW-1"}}, profiles); diff != "" {
			t.Errorf("Profiles (-want +got):\n%s", diff)
		}
		_, err = w.Choose(ctx, c, handle, []string{"c2"})
		wantCode(t, err, apperr.Invalid)
		state, err = w.Choose(ctx, c, handle, []string{"c1"})
		must(t, err)
		if state.Step != portal.StepConfirm || state.CodeDead {
			t.Errorf("after Choose: %+v", state)
		}
		_, err = w.Choose(ctx, c, handle, []string{"c1"}) // the back button sends no second mail
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusAwaitingConfirmation)
		_, err = w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		wantCode(t, err, apperr.Conflict)

		confirmation := w.take(t)
		if confirmation.To != "Jane@Acme.com" || len(confirmation.Code) != 6 || len(w.mail) != 0 {
			t.Errorf("confirmation = %+v, and %d more mails", confirmation, len(w.mail))
		}
		state, err = w.Confirm(ctx, c, handle, " "+confirmation.Code[:3]+" "+confirmation.Code[3:])
		must(t, err)
		if state.Step != portal.StepAccept {
			t.Errorf("after Confirm: %+v", state)
		}
		w.wantStatus(t, "c1", portal.StatusAwaitingAgreement)

		_, err = w.Accept(ctx, c, portal.Holder{Handle: handle}, "0")
		if !errors.Is(err, portal.ErrAgreementChanged) {
			t.Errorf("Accept of another version = %v", err)
		}
		in, err := w.Accept(ctx, c, portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		session, err := w.Session(ctx, c, in.Session)
		must(t, err)
		if session.AgreementPending || session.UserID != in.UserID || len(session.Grants) != 1 || session.Grants[0].CustomerID != "c1" {
			t.Errorf("session = %+v", session)
		}
		w.wantStatus(t, "c1", portal.StatusRegistered)
		w.wantRegistered(t, "c1")
		w.wantOther(t)

		if _, err := w.SignUp(ctx, c, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the handle after the end: %v", err)
		}
		_, err = w.Invite(ctx, w.caller, "c1")
		wantCode(t, err, apperr.Conflict)
		view, err = w.Open(ctx, c, link, handle, "")
		must(t, err)
		if view.Outcome != portal.LinkRegistered {
			t.Errorf("the link after success = %q", view.Outcome)
		}
		if conf, err := w.OpenConfirmation(ctx, c, token(confirmation), ""); err != nil || conf.Outcome != portal.ConfirmationRegistered {
			t.Errorf("the confirmation link after success = %+v, %v", conf, err)
		}
		must(t, w.SignOut(ctx, c, in.Session))
		if _, err := w.Session(ctx, c, in.Session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("Session after SignOut = %v", err)
		}
		signedIn, err := w.SignIn(ctx, c, "jane@ACME.com", goodPassword)
		must(t, err)
		if signedIn.Session == "" || signedIn.AgreementPending || signedIn.Pending != nil {
			t.Errorf("SignIn = %+v", signedIn)
		}
	})
}

func (w *world) wantRegistered(t *testing.T, customerID string) {
	t.Helper()
	view, err := w.Service.Customer(t.Context(), w.caller, customerID)
	must(t, err)
	var kinds []portal.HistoryKind
	for _, h := range view.History {
		kinds = append(kinds, h.Kind)
	}
	want := []portal.HistoryKind{
		portal.HistoryAccepted, portal.HistoryConfirmed, portal.HistorySent, portal.HistoryChosen,
		portal.HistoryStarted, portal.HistoryOpened, portal.HistorySent, portal.HistoryQueued,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	if view.History[7].By != "Dana Whitfield" {
		t.Errorf("sent by %q", view.History[7].By)
	}
	if len(view.People) != 1 || view.People[0].Email != "Jane@Acme.com" {
		t.Errorf("people = %+v", view.People)
	}
	for _, r := range w.rows(t, portal.RegistrationQuery{Search: "doe resid"}) {
		if !r.EmailConfirmed || r.RegisteredAt.IsZero() || r.InvitedAt.IsZero() || len(r.SignInEmails) > 0 {
			t.Errorf("row = %+v", r)
		}
	}
}

func TestWrongEmail(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		_, err := w.Register(t.Context(), public(w.caller), link, "bob@acme.com", "short")
		want := map[string]string{
			"email":    "This invitation was sent to J•••@Acme.com. Use that address, or ask Northwind Pools to invite another.",
			"password": "Use at least 12 characters. A few words in a row are easy to remember.",
		}
		if diff := cmp.Diff(want, apperr.FieldsOf(err)); diff != "" {
			t.Errorf("fields (-want +got):\n%s", diff)
		}
		w.wantStatus(t, "c1", portal.StatusSent)
	})
}

func TestAddressesCompare(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c4")
		_, err := w.Register(t.Context(), public(w.caller), link, "Zoe@XN--BCHER-KVA.example", goodPassword)
		must(t, err)
		link = w.invited(t, "c1")
		_, err = w.Register(t.Context(), public(w.caller), link, "jane+tag@acme.com", goodPassword)
		wantCode(t, err, apperr.Invalid)
	})
}

func TestDeadLinks(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		first := w.invited(t, "c1")
		_, err := w.Invite(ctx, w.caller, "c1")
		wantCode(t, err, apperr.TooManyRequests)
		w.clock.Add(61 * time.Second)
		second := w.invited(t, "c1")
		w.wantLink(t, first, portal.LinkReplaced)
		w.wantLink(t, second, portal.LinkFresh)
		if _, err := w.Register(ctx, c, first, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("Register with an older link = %v", err)
		}

		w.clock.Add(14 * 24 * time.Hour)
		w.wantLink(t, second, portal.LinkExpired)
		w.wantStatus(t, "c1", portal.StatusExpired)
		if _, err := w.Register(ctx, c, second, "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrLinkExpired) {
			t.Errorf("Register with an expired link = %v", err)
		}
		must(t, w.RequestNewLink(ctx, c, second))
		third := w.take(t)
		must(t, w.RequestNewLink(ctx, c, second)) // within 60 seconds: the same answer, no mail
		w.deliver(t)
		if third.To != "Jane@Acme.com" || len(w.mail) != 0 {
			t.Errorf("new link = %+v, and %d more mails", third, len(w.mail))
		}
		w.wantLink(t, token(third), portal.LinkFresh)

		archived := customers()[0]
		archived.Archived, archived.Version = true, 2
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{archived}))
		w.wantLink(t, token(third), portal.LinkRevoked)
		if _, err := w.Register(ctx, c, token(third), "jane@acme.com", goodPassword); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("Register with a revoked link = %v", err)
		}
		must(t, w.RequestNewLink(ctx, c, token(third)))
		w.deliver(t)
		if len(w.mail) != 0 {
			t.Error("a revoked link sent a mail")
		}
		_, err = w.Invite(ctx, w.caller, "c1")
		wantCode(t, err, apperr.Invalid)
	})
}

func (w *world) wantLink(t *testing.T, token string, want portal.LinkOutcome) {
	t.Helper()
	view, err := w.Open(t.Context(), public(w.caller), token, "", "")
	if err != nil || view.Outcome != want {
		t.Errorf("Open = %q, %v, want %q", view.Outcome, err, want)
	}
}

func TestFiveADay(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		for range portal.SendsADay {
			w.invited(t, "c1")
			w.clock.Add(2 * time.Minute)
		}
		_, err := w.Invite(t.Context(), w.caller, "c1")
		wantCode(t, err, apperr.TooManyRequests)
		view, err := w.Service.Customer(t.Context(), w.caller, "c1")
		must(t, err)
		if !view.NextSendAt.Equal(w.clock.Now().Add(24*time.Hour-10*time.Minute)) || view.Invitation.Generation != 5 {
			t.Errorf("view = next %v, generation %d", view.NextSendAt, view.Invitation.Generation)
		}
		w.clock.Add(24*time.Hour - 10*time.Minute)
		w.invited(t, "c1")
	})
}

func TestForeignTokensAreGarbage(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, other := t.Context(), public(w.other)
		link := w.invited(t, "c1")
		handle := w.registered(t, link, "c1")
		confirmation := token(w.take(t))
		for _, tok := range []string{link, confirmation, "garbage", ""} {
			_, err := w.Open(ctx, other, tok, handle, "")
			if !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("Open(%q) = %v", tok, err)
			}
			_, err = w.Register(ctx, other, tok, "jane@acme.com", goodPassword)
			if !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("Register(%q) = %v", tok, err)
			}
			_, err = w.OpenConfirmation(ctx, other, tok, handle)
			if !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("OpenConfirmation(%q) = %v", tok, err)
			}
			_, err = w.ConfirmLink(ctx, other, tok, handle, goodPassword)
			if !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("ConfirmLink(%q) = %v", tok, err)
			}
			if err := w.RequestNewLink(ctx, other, tok); !errors.Is(err, portal.ErrUnknownLink) {
				t.Errorf("RequestNewLink(%q) = %v", tok, err)
			}
		}
		if _, err := w.SignUp(ctx, other, handle); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("SignUp with a foreign handle = %v", err)
		}
		if _, err := w.Open(ctx, public(w.caller), confirmation, "", ""); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("Open with a token of another purpose = %v", err)
		}
		w.wantOther(t)
	})
}

func TestLinkByHand(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.Link(ctx, w.caller, "c1")
		wantCode(t, err, apperr.NotFound)
		mailed := w.invited(t, "c1")
		url, err := w.Link(ctx, w.caller, "c1")
		must(t, err)
		w.wantLink(t, lastPart.FindString(url), portal.LinkFresh)
		w.wantLink(t, mailed, portal.LinkFresh)
		_, err = w.Link(ctx, w.other, "c1")
		wantCode(t, err, apperr.NotFound)
		_, err = w.Link(ctx, public(w.caller), "c1")
		wantCode(t, err, apperr.PermissionDenied)
	})
}

func TestEmailChangesWhileInvited(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		link := w.invited(t, "c1")
		handle := w.registered(t, link, "c1")
		stale := w.take(t)
		changed := customers()[0]
		changed.Email, changed.Version = "new@acme.com", 2
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{changed, customers()[0]}))
		w.wantLink(t, link, portal.LinkRevoked)
		w.wantStatus(t, "c1", portal.StatusRevoked)
		if _, err := w.Confirm(ctx, c, handle, stale.Code); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("Confirm after the change = %v", err)
		}
		if _, err := w.ConfirmLink(ctx, c, token(stale), handle, goodPassword); !errors.Is(err, portal.ErrLinkDead) {
			t.Errorf("ConfirmLink after the change = %v", err)
		}
		w.clock.Add(time.Hour)
		if m, err := w.Invite(ctx, w.caller, "c1"); err != nil || m.Email != "new@acme.com" || m.Generation != 1 {
			t.Errorf("Invite after the change = %+v, %v", m, err)
		}
		w.wantOther(t)
	})
}

func TestMailFails(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.refuse = "The address does not exist."
		_, err := w.Invite(t.Context(), w.caller, "c1")
		must(t, err)
		w.deliver(t)
		w.wantStatus(t, "c1", portal.StatusBounced)
		view, err := w.Service.Customer(t.Context(), w.caller, "c1")
		must(t, err)
		if h := view.History[0]; h.Kind != portal.HistoryFailed || view.Invitation.State != portal.InvitationFailed {
			t.Errorf("newest entry = %+v, state %q", h, view.Invitation.State)
		}
	})
}

func TestSupersededMailIsNotSent(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		for range 2 {
			_, err := w.Invite(t.Context(), w.caller, "c1")
			must(t, err)
			w.clock.Add(2 * time.Minute)
		}
		w.deliver(t)
		if len(w.mail) != 1 || w.mail[0].Ref.Generation != 2 {
			t.Errorf("mails = %+v, want the second only", w.mail)
		}
		ref := w.mail[0].Ref
		again, err := w.MailFor(t.Context(), w.caller, ref)
		must(t, err)
		if again.Link != w.mail[0].Link {
			t.Error("the same mail has another link")
		}
		must(t, w.MailSent(t.Context(), w.caller, ref)) // reported twice: told once
		view, err := w.Service.Customer(t.Context(), w.caller, "c1")
		must(t, err)
		if len(view.History) != 3 {
			t.Errorf("history has %d entries, want 3", len(view.History))
		}
	})
}
