package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const jane = "jane@acme.com"

// askedProof begins a sign-up without an invitation and returns its mail.
func (w *world) askedProof(tb testing.TB, email string) (handle string, m portal.Mail) {
	tb.Helper()
	state, err := w.StartProof(tb.Context(), public(w.caller), email)
	must(tb, err)
	return state.Handle, w.take(tb)
}

// proven has proven the address with the code.
func (w *world) proven(tb testing.TB, email string) (handle string) {
	tb.Helper()
	handle, m := w.askedProof(tb, email)
	must(tb, w.Prove(tb.Context(), public(w.caller), handle, m.Code))
	return handle
}

// TestOpenSignUp: proven, chosen for both customers of the address, accepted.
func TestOpenSignUp(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.askedProof(t, " Jane@ACME.com")
		if _, err := w.OpenProfiles(ctx, c, handle); !errors.Is(err, portal.ErrWrongStep) {
			t.Errorf("profiles before the proof: %v", err)
		}
		if _, err := w.FinishProof(ctx, c, handle, goodPassword, []string{"c1"}); !errors.Is(err, portal.ErrWrongStep) {
			t.Errorf("signed up before the proof: %v", err)
		}
		if _, err := w.Proof(ctx, public(w.other), handle); !errors.Is(err, portal.ErrProofEnded) {
			t.Errorf("the other biller knows the handle: %v", err)
		}
		if err := w.Prove(ctx, public(w.other), handle, m.Code); !errors.Is(err, portal.ErrProofEnded) {
			t.Errorf("the other biller takes the code: %v", err)
		}
		must(t, w.Prove(ctx, c, handle, m.Code))
		profiles, err := w.OpenProfiles(ctx, c, handle)
		must(t, err)
		want := []portal.Profile{{CustomerID: "c1", Name: "Doe Residence", Number: "NW-1"}, {CustomerID: "c2", Name: "Lake House", Number: "NW-2"}}
		if diff := cmp.Diff(want, profiles); diff != "" {
			t.Errorf("profiles (-want +got):\n%s", diff)
		}
		w.wantStatus(t, "c1", portal.StatusNotInvited)
		for _, wrong := range [][]string{nil, {"c4"}, {"c1", "c4"}} {
			if _, err := w.FinishProof(ctx, c, handle, goodPassword, wrong); !errors.Is(err, portal.ErrNoProfile) {
				t.Errorf("%v chosen: %v", wrong, err)
			}
		}
		_, err = w.FinishProof(ctx, c, handle, "short", []string{"c1"})
		wantCode(t, err, apperr.Invalid)
		state, err := w.FinishProof(ctx, c, handle, goodPassword, []string{"c1", "c2"})
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusAwaitingAgreement)
		w.wantStatus(t, "c2", portal.StatusAwaitingAgreement)
		if _, err := w.Proof(ctx, c, handle); !errors.Is(err, portal.ErrProofEnded) {
			t.Errorf("the proof lives on: %v", err)
		}
		in, err := w.Accept(ctx, c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
		view, err := w.Session(ctx, c, in.Session)
		must(t, err)
		if len(view.Grants) != 2 {
			t.Errorf("grants %+v", view.Grants)
		}
		w.wantStatus(t, "c2", portal.StatusRegistered)
		staff, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		if last := staff.History[len(staff.History)-1]; last.Kind != portal.HistorySelf || !strings.Contains(last.Detail, "signed up by themselves through the portal link") {
			t.Errorf("history %+v", staff.History)
		}
		var sources []string
		must(t, w.db.R.SelectContext(ctx, &sources, `SELECT source FROM invitations WHERE biller_id = 'north' AND state = 'accepted'`))
		if diff := cmp.Diff([]string{"self", "self"}, sources); diff != "" {
			t.Error(diff)
		}
		w.wantOther(t)
	})
}

// TestOpenSignUpUsesTheInvitation: an invitation that is open is accepted, and what
// somebody else began with its link ends.
func TestOpenSignUpUsesTheInvitation(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		begun, m := w.started(t, "c1")
		state, err := w.FinishProof(ctx, c, w.proven(t, jane), "another meadow lantern", []string{"c1"})
		must(t, err)
		if _, err := w.Confirm(ctx, c, begun, m.Code); !errors.Is(err, portal.ErrSignUpEnded) {
			t.Errorf("the other sign-up goes on: %v", err)
		}
		_, err = w.Accept(ctx, c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
		w.wantStatus(t, "c1", portal.StatusRegistered)
		w.wantStatus(t, "c2", portal.StatusNotInvited)
		var n int
		must(t, w.db.R.GetContext(ctx, &n, `SELECT COUNT(*) FROM invitations WHERE biller_id = 'north'`))
		if n != 1 {
			t.Errorf("%d invitations", n)
		}
		w.wantOther(t)
	})
}

// TestProofWorksEquallyHard: the same rows and jobs, whoever has the address.
func TestProofWorksEquallyHard(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c4")
		w.deliver(t)
		var first map[string]int
		for _, email := range []string{"nobody@acme.com", jane, "zoe@bücher.example"} {
			before := w.rowsOf(t, "north")
			_, err := w.StartProof(ctx, c, email)
			must(t, err)
			more := map[string]int{}
			for table, n := range w.rowsOf(t, "north") {
				more[table] = n - before[table]
			}
			delete(more, "throttles") // the network is counted once
			if first == nil {
				first = more
			}
			if diff := cmp.Diff(first, more); diff != "" {
				t.Errorf("%s leaves other rows (-nobody +%s):\n%s", email, email, diff)
			}
		}
		w.deliver(t)
		said := map[string]string{}
		for _, m := range w.mail {
			said[m.To] = fmt.Sprintf("account %t, code %t, unknown %t", m.HasAccount, m.Code != "", m.Unknown)
		}
		want := map[string]string{jane: "account false, code true, unknown false", "zoe@bücher.example": "account true, code false, unknown false"}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("mails (-want +got):\n%s", diff)
		}
		w.Settings = func(context.Context) portal.Settings { return portal.Settings{OpenSignUp: true, AnswerUnknown: true} }
		if _, m := w.askedProof(t, "nobody@acme.com"); !m.Unknown || m.Code != "" {
			t.Errorf("a biller who answers: %+v", m)
		}
		w.Settings = func(context.Context) portal.Settings { return portal.Settings{} }
		if _, err := w.StartProof(ctx, c, jane); !errors.Is(err, portal.ErrOpenOff) {
			t.Errorf("switched off: %v", err)
		}
	})
}

// TestProofLink: in another browser the link takes the sign-up over before
// anything is chosen, and never afterwards.
func TestProofLink(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		began, m := w.askedProof(t, jane)
		link := token(m)
		for range 3 {
			view, err := w.OpenProofLink(ctx, c, link, "")
			if err != nil || view.Outcome != portal.ProofLinkElsewhere {
				t.Fatalf("%+v, %v", view, err)
			}
		}
		if view, err := w.OpenProofLink(ctx, c, link, began); err != nil || view.Outcome != portal.ProofLinkHere {
			t.Errorf("%+v, %v", view, err)
		}
		if _, err := w.OpenProofLink(ctx, public(w.other), link, began); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller: %v", err)
		}
		if _, err := w.ProveLink(ctx, public(w.other), link, ""); !errors.Is(err, portal.ErrUnknownLink) {
			t.Errorf("the other biller proves: %v", err)
		}
		state, err := w.ProveLink(ctx, c, link, "")
		must(t, err)
		if _, err := w.OpenProfiles(ctx, c, began); !errors.Is(err, portal.ErrProofEnded) {
			t.Errorf("the stranger who typed the address goes on: %v", err)
		}
		if view, err := w.OpenProofLink(ctx, c, link, ""); err != nil || view.Outcome != portal.ProofLinkUsed {
			t.Errorf("forwarded: %+v, %v", view, err)
		}
		if view, err := w.OpenProofLink(ctx, c, link, state.Handle); err != nil || view.Outcome != portal.ProofLinkGoOn {
			t.Errorf("same browser: %+v, %v", view, err)
		}
		_, err = w.FinishProof(ctx, c, state.Handle, goodPassword, []string{"c2"})
		must(t, err)
		if view, err := w.OpenProofLink(ctx, c, link, ""); err != nil || view.Outcome != portal.ProofLinkDone {
			t.Errorf("afterwards: %+v, %v", view, err)
		}
		_, late := w.askedProof(t, "zoe@bücher.example")
		w.clock.Add(portal.ConfirmationLife)
		if _, err := w.ProveLink(ctx, c, token(late), ""); !errors.Is(err, portal.ErrLinkExpired) {
			t.Errorf("after a day: %v", err)
		}
		w.wantOther(t)
	})
}

func TestProofLimits(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.askedProof(t, jane)
		wrong := "000000"
		if m.Code == wrong {
			wrong = "000001"
		}
		if err := w.Prove(ctx, c, handle, "12 34"); !errors.Is(err, portal.ErrNoCode) {
			t.Errorf("no code: %v", err)
		}
		for range portal.CodeTries - 1 {
			if err := w.Prove(ctx, c, handle, wrong); !errors.Is(err, portal.ErrWrongCode) {
				t.Errorf("wrong: %v", err)
			}
		}
		for range 2 {
			if err := w.Prove(ctx, c, handle, wrong); !errors.Is(err, portal.ErrCodeDead) {
				t.Errorf("dead: %v", err)
			}
		}
		if err := w.Prove(ctx, c, handle, m.Code); !errors.Is(err, portal.ErrCodeDead) {
			t.Errorf("the right code after five wrong ones: %v", err)
		}
		wantCode(t, w.ResendProof(ctx, c, handle), apperr.TooManyRequests)
		w.clock.Add(61 * time.Second)
		must(t, w.ResendProof(ctx, c, handle))
		again := w.take(t)
		if again.Code == m.Code {
			t.Error("the old code comes again")
		}
		for range 3 {
			_, err := w.StartProof(ctx, c, jane)
			must(t, err)
		}
		_, err := w.StartProof(ctx, c, jane)
		wantCode(t, err, apperr.TooManyRequests)
		_, err = w.StartProof(ctx, public(w.other), jane)
		must(t, err)
		must(t, w.Prove(ctx, c, handle, again.Code))
		w.clock.Add(portal.ConfirmationWindow)
		late, m := w.askedProof(t, jane)
		w.clock.Add(portal.CodeLife)
		if err := w.Prove(ctx, c, late, m.Code); !errors.Is(err, portal.ErrCodeDead) {
			t.Errorf("after ten minutes: %v", err)
		}
		from := c
		for n := range portal.GuardProof.Limits().Address.Limit {
			if _, err := w.StartProof(ctx, from, fmt.Sprintf("n%d@acme.com", n)); err != nil {
				wantCode(t, err, apperr.TooManyRequests)
				return // those above counted too
			}
		}
		t.Error("one network begins without end")
	})
}

func TestRaceProof(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle, m := w.askedProof(t, jane)
		wantOneWinner(t, race(func(int) error { return w.Prove(ctx, c, handle, m.Code) }), portal.ErrWrongStep)
		counts := race(func(n int) error {
			_, err := w.FinishProof(ctx, c, handle, goodPassword, []string{"c1", "c2"})
			return err
		})
		if ended := "unauthenticated: " + portal.ErrProofEnded.Error(); counts[""] != 1 || counts[ended]+counts["conflict: "+portal.ErrHasAccount.Error()] != 15 {
			t.Errorf("answers = %v", counts)
		}
		w.wantPeople(t, "c1", 1)
		w.wantPeople(t, "c2", 1)
	})
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		_, m := w.askedProof(t, jane)
		wantOneWinner(t, race(func(int) error {
			_, err := w.ProveLink(ctx, c, token(m), "")
			return err
		}), portal.ErrLinkDead)
		w.clock.Add(61 * time.Second)
		handle, _ := w.askedProof(t, "zoe@bücher.example")
		w.clock.Add(61 * time.Second)
		sent := []time.Time{w.clock.Now()}
		wantOneWinner(t, race(func(int) error { return w.ResendProof(ctx, c, handle) }), portal.CheckResend(sent, w.clock.Now()))
		counts := race(func(int) error {
			_, err := w.StartProof(ctx, c, "nobody@acme.com")
			return err
		})
		if counts[""] != portal.ConfirmationsAHour {
			t.Errorf("answers = %v, want %d that begin", counts, portal.ConfirmationsAHour)
		}
	})
}

// TestTwoProofsOfOneAddress: the second finds that the address signs in.
func TestTwoProofsOfOneAddress(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handles := make([]string, 4)
		for n := range handles {
			handles[n] = w.proven(t, jane)
		}
		counts := race(func(n int) error {
			_, err := w.FinishProof(ctx, c, handles[n%4], goodPassword, []string{"c1"})
			return err
		})
		if counts[""] != 1 {
			t.Errorf("answers = %v", counts)
		}
		w.wantPeople(t, "c1", 1)
		w.wantOther(t)
	})
}

// TestOpenSignUpOmits: archived customers and those whose access is disabled are
// not there at all.
func TestOpenSignUpOmits(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		handle := w.proven(t, jane)
		archived := customers()[1]
		archived.Archived, archived.Version = true, 2
		must(t, w.ApplyCustomers(ctx, w.caller, []portal.Customer{archived}))
		profiles, err := w.OpenProfiles(ctx, c, handle)
		if err != nil || len(profiles) != 1 || profiles[0].CustomerID != "c1" {
			t.Errorf("%+v, %v", profiles, err)
		}
		_, err = w.db.W.ExecContext(ctx, `UPDATE customers SET status = 'Disabled' WHERE biller_id = 'north' AND id = 'c1'`)
		must(t, err)
		if _, err := w.OpenProfiles(ctx, c, handle); !errors.Is(err, portal.ErrNoProfiles) {
			t.Errorf("disabled: %v", err)
		}
		_, err = w.FinishProof(ctx, c, handle, goodPassword, []string{"c1"})
		if !errors.Is(err, portal.ErrNoProfiles) {
			t.Errorf("signed up for a disabled customer: %v", err)
		}
		before := len(w.mail)
		_, err = w.StartProof(ctx, c, jane)
		must(t, err)
		if w.deliver(t); len(w.mail) != before {
			t.Error("a mail tells of a disabled customer")
		}
	})
}

func TestDeadProofsAreSwept(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.askedProof(t, jane)
		_, err := w.StartProof(ctx, public(w.other), jane)
		must(t, err)
		w.clock.Add(30 * 24 * time.Hour)
		_, err = w.Store.Sweep(ctx, "north", w.clock.Now(), 100)
		must(t, err)
		if mine, others := w.rowsOf(t, "north")["proofs"], w.rowsOf(t, "south")["proofs"]; mine != 0 || others != 1 {
			t.Errorf("%d and %d proofs are left", mine, others)
		}
	})
}
