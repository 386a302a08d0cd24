package store_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// one returns the only person with access to a customer.
func (w *world) person(t *testing.T, customerID string) portal.Person {
	t.Helper()
	people := w.people(t, customerID)
	if len(people) != 1 {
		t.Fatalf("people of %s = %+v", customerID, people)
	}
	return people[0]
}

// told returns the action of the newest mail, a notice.
func (w *world) told(t *testing.T) portal.Mail {
	t.Helper()
	m := w.take(t)
	if m.Ref.Kind != portal.MailNotice {
		t.Fatalf("mail = %+v", m)
	}
	return m
}

func (w *world) signIn(t *testing.T, password string) error {
	t.Helper()
	_, err := w.SignIn(t.Context(), public(w.caller), "jane@acme.com", password)
	return err
}

func TestDisabledPersonIsOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		must(t, w.ForgotPassword(ctx, c, "jane@acme.com"))
		reset := token(w.take(t))
		must(t, w.ChangeAddress(ctx, c, session, goodPassword, "new@acme.com"))
		must(t, w.SetPersonState(ctx, w.caller, "c1", u, portal.UserDisabled))
		w.wantStatus(t, "c1", portal.StatusDisabled)
		if m := w.told(t); m.Activity.Action != portal.ActionUserDisabled || m.To != "Jane@Acme.com" && !strings.EqualFold(m.To, "jane@acme.com") || strings.Contains(m.Link, "not-me") {
			t.Errorf("notice = %+v", m)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("session: %v", err)
		}
		if _, err := w.OpenReset(ctx, c, reset); !errors.Is(err, portal.ErrResetGone) {
			t.Errorf("reset: %v", err)
		}
		if err := w.signIn(t, goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("sign-in: %v", err)
		}
		if err := w.SetPersonState(ctx, w.caller, "c1", u, portal.UserDisabled); !errors.Is(err, portal.ErrPersonUnchanged) {
			t.Errorf("again: %v", err)
		}
		wantCode(t, w.ResetPerson(ctx, w.caller, "c1", u), apperr.Conflict)
		if _, err := w.Invite(ctx, w.caller, "c1"); !errors.Is(err, portal.ErrInvitedDisabled) {
			t.Errorf("invite: %v", err)
		}
		must(t, w.SetPersonState(ctx, w.caller, "c1", u, portal.UserActive))
		w.wantStatus(t, "c1", portal.StatusRegistered)
		must(t, w.signIn(t, goodPassword))
		w.wantOther(t)
	})
}

// TestDisabledOnlyIfAllAre: a second person keeps the customer registered.
func TestDisabledOnlyIfAllAre(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		zoe := w.signedUp(t, "c4")
		link := w.invited(t, "c1")
		r := w.requested(t, link, "zoe@bücher.example")
		_, err := w.Approve(ctx, w.caller, r.ID, portal.RightPayer)
		must(t, err)
		offers, err := w.Offers(ctx, public(w.caller), zoe)
		must(t, err)
		_, err = w.Add(ctx, public(w.caller), zoe, offers[0].InvitationID)
		must(t, err)
		handle := w.registered(t, link, "c1")
		_, err = w.Confirm(ctx, public(w.caller), handle, w.take(t).Code)
		must(t, err)
		_, err = w.Accept(ctx, public(w.caller), portal.Holder{Handle: handle}, portal.DefaultAgreementVersion)
		must(t, err)
		people := w.people(t, "c1")
		must(t, w.SetPersonState(ctx, w.caller, "c1", people[0].UserID, portal.UserDisabled))
		w.wantStatus(t, "c1", portal.StatusRegistered)
		must(t, w.SetPersonState(ctx, w.caller, "c1", people[1].UserID, portal.UserDisabled))
		w.wantStatus(t, "c1", portal.StatusDisabled)
		w.wantStatus(t, "c4", portal.StatusDisabled)
	})
}

func TestStaffActOnlyOnPeopleOfTheCustomer(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		acts := map[string]func(portal.Caller, string) error{
			"disable":  func(c portal.Caller, id string) error { return w.SetPersonState(ctx, c, id, u, portal.UserDisabled) },
			"sign out": func(c portal.Caller, id string) error { _, err := w.SignOutPerson(ctx, c, id, u); return err },
			"reset":    func(c portal.Caller, id string) error { return w.ResetPerson(ctx, c, id, u) },
			"remove":   func(c portal.Caller, id string) error { return w.RemovePerson(ctx, c, id, u) },
			"right":    func(c portal.Caller, id string) error { return w.SetPersonRight(ctx, c, id, u, portal.RightViewer) },
			"keep":     func(c portal.Caller, id string) error { return w.KeepPerson(ctx, c, id, u) },
			"erase":    func(c portal.Caller, id string) error { return w.ErasePerson(ctx, c, id, u) },
		}
		for name, act := range acts {
			wantCode(t, act(w.caller, "c4"), apperr.NotFound)
			wantCode(t, act(w.other, "c1"), apperr.NotFound)
			if err := act(public(w.caller), "c1"); !apperr.Is(err, apperr.PermissionDenied) {
				t.Errorf("%s without a role: %v", name, err)
			}
		}
		inviter := w.caller
		inviter.Abilities = []string{portal.AbilityInvite}
		wantCode(t, w.ErasePerson(ctx, inviter, "c1", u), apperr.PermissionDenied)
		if p := w.person(t, "c1"); p.State != portal.UserActive || p.Right != portal.RightPayer {
			t.Errorf("person = %+v", p)
		}
	})
}

func TestRightsAndSignOut(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		view, err := w.Session(ctx, c, session)
		must(t, err)
		if !view.Grants[0].MayPay() {
			t.Error("a new person does not pay")
		}
		must(t, w.SetPersonRight(ctx, w.caller, "c1", u, portal.RightViewer))
		if view, err = w.Session(ctx, c, session); err != nil || view.Grants[0].MayPay() {
			t.Errorf("a viewer pays: %+v, %v", view, err)
		}
		if err := w.SetPersonRight(ctx, w.caller, "c1", u, portal.RightViewer); !errors.Is(err, portal.ErrPersonUnchanged) {
			t.Errorf("again: %v", err)
		}
		wantCode(t, w.SetPersonRight(ctx, w.caller, "c1", u, "owner"), apperr.Invalid)
		n, err := w.SignOutPerson(ctx, w.caller, "c1", u)
		if err != nil || n != 1 {
			t.Errorf("%d sessions ended, %v", n, err)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("session: %v", err)
		}
	})
}

func TestRaceRemovePerson(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		session := w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		counts := race(func(int) error { return w.RemovePerson(t.Context(), w.caller, "c1", u) })
		wantOneWinner(t, counts, portal.ErrNoPerson)
		if m := w.told(t); m.Activity.Action != portal.ActionAccessRemoved {
			t.Errorf("notice = %+v", m)
		}
		view, err := w.Session(t.Context(), public(w.caller), session)
		if err != nil || len(view.Grants) != 0 {
			t.Errorf("grants = %+v, %v", view.Grants, err)
		}
		w.wantStatus(t, "c1", portal.StatusRevoked)
		w.wantOther(t)
	})
}

// changedEmail has the biller write another address into a profile.
func (w *world) changedEmail(t *testing.T, address string, version int64) {
	t.Helper()
	c := customers()[0]
	c.Email, c.Version = address, version
	must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{c}))
}

func TestKeptSignInDiffersNoMore(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		w.changedEmail(t, "office@acme.com", 2)
		if p := w.person(t, "c1"); !p.Differs {
			t.Fatalf("person = %+v", p)
		}
		if rows := w.rows(t, portal.RegistrationQuery{}); !flagged(rows) {
			t.Errorf("not flagged: %+v", rows)
		}
		if _, err := w.Invite(ctx, w.caller, "c1"); !errors.Is(err, portal.ErrSignInDiffers) {
			t.Errorf("invite: %v", err)
		}
		must(t, w.signIn(t, goodPassword))
		u := w.person(t, "c1").UserID
		must(t, w.KeepPerson(ctx, w.caller, "c1", u))
		if p := w.person(t, "c1"); p.Differs || flagged(w.rows(t, portal.RegistrationQuery{})) {
			t.Errorf("still flagged: %+v", p)
		}
		if err := w.KeepPerson(ctx, w.caller, "c1", u); !errors.Is(err, portal.ErrPersonUnchanged) {
			t.Errorf("again: %v", err)
		}
		w.clock.Add(portal.SendGap)
		w.invited(t, "c1") // beside the one who was kept
		w.changedEmail(t, "third@acme.com", 3)
		if p := w.person(t, "c1"); !p.Differs {
			t.Error("kept beside one address, not flagged beside the next")
		}
		w.wantOther(t)
	})
}

func flagged(rows []portal.Registration) bool {
	for _, r := range rows {
		if len(r.SignInEmails) > 0 {
			return true
		}
	}
	return false
}

func TestRaceInviteInstead(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		w.clock.Add(2 * time.Minute)
		w.changedEmail(t, "office@acme.com", 2)
		w.mail = nil
		counts := race(func(int) error { _, err := w.InviteInstead(ctx, w.caller, "c1"); return err })
		wantOneWinner(t, counts, portal.CheckSend([]time.Time{w.clock.Now()}, w.clock.Now()))
		w.deliver(t)
		var to []string
		for _, m := range w.mail {
			to = append(to, string(m.Ref.Kind)+" "+strings.ToLower(m.To))
		}
		if got := strings.Join(to, ", "); len(to) != 2 || !strings.Contains(got, "notice jane@acme.com") || !strings.Contains(got, "invitation office@acme.com") {
			t.Errorf("mails: %s", got)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("session: %v", err)
		}
		if err := w.signIn(t, goodPassword); !errors.Is(err, portal.ErrWrongSignIn) {
			t.Errorf("the old password: %v", err)
		}
		if people := w.people(t, "c1"); len(people) != 0 {
			t.Errorf("people = %+v", people)
		}
		w.wantOther(t)
	})
}
