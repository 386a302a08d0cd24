package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestProofsOfAcceptance(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		first, err := w.Agreement(ctx, c)
		must(t, err)
		w.mustPublish(t, 1, 0, "Two.")
		w.clock.Add(time.Minute)
		last, at, found, err := w.LastAccepted(ctx, c, portal.Holder{Session: session})
		must(t, err)
		if !found || last.Version != "1" || last.Text != first.Text || at.IsZero() {
			t.Errorf("last accepted = %+v at %v, %v", last, at, found)
		}
		in, err := w.Accept(ctx, c, portal.Holder{Session: session}, "2")
		must(t, err)
		view, err := w.Session(ctx, c, in.Session)
		must(t, err)
		mine, err := w.Acceptances(ctx, c, view)
		must(t, err)
		staff, err := w.CustomerAcceptances(ctx, w.caller, "c1")
		must(t, err)
		if diff := cmp.Diff(mine, staff); diff != "" || len(mine) != 2 || mine[0].Version != "2" || mine[1].Email != "Jane@Acme.com" {
			t.Errorf("acceptances %+v, staff see (-want +got):\n%s", mine, diff)
		}
		proof, err := w.MyProof(ctx, c, view, "1")
		must(t, err)
		want := portal.AgreementProof{
			Acceptance: portal.Acceptance{
				UserID: view.UserID, Version: "1", TextHash: first.TextHash, At: w.clock.Now().Add(-time.Minute),
				IP: "203.0.113.7", Agent: "Test/1.0", Email: "Jane@Acme.com",
			},
			Present: "Jane@Acme.com", Agreement: first,
		}
		if diff := cmp.Diff(want, proof); diff != "" || !proof.Intact() {
			t.Errorf("proof (-want +got):\n%s", diff)
		}
		same, err := w.CustomerProof(ctx, w.caller, "c1", view.UserID, "1")
		must(t, err)
		if diff := cmp.Diff(proof, same); diff != "" {
			t.Errorf("staff's proof (-want +got):\n%s", diff)
		}
		w.noProofs(t, view)
	})
}

// noProofs asks for what is not there, or not theirs.
func (w *world) noProofs(t *testing.T, view portal.SessionView) {
	t.Helper()
	ctx := t.Context()
	ask := func(c portal.Caller, customer, user, version string) error {
		_, err := w.CustomerProof(ctx, c, customer, user, version)
		return err
	}
	_, none := w.MyProof(ctx, public(w.caller), view, "3")
	_, odd := w.MyProof(ctx, public(w.caller), view, "\x00")
	_, other := w.MyProof(ctx, public(w.other), view, "1")
	for name, err := range map[string]error{
		"version": none, "odd version": odd, "other biller's session": other,
		"other customer": ask(w.caller, "c2", view.UserID, "1"),
		"no customer":    ask(w.caller, "", view.UserID, "1"),
		"no user":        ask(w.caller, "c1", "nobody", "1"),
		"other biller":   ask(w.other, "c1", view.UserID, "1"),
	} {
		if !errors.Is(err, portal.ErrNoAcceptance) {
			t.Errorf("%s: %v", name, err)
		}
	}
	weak := w.caller
	weak.Abilities = []string{portal.AbilityReport}
	wantCode(t, ask(weak, "c1", view.UserID, "1"), apperr.PermissionDenied)
	if list, err := w.CustomerAcceptances(ctx, w.other, "c1"); err != nil || len(list) != 0 {
		t.Errorf("the other biller sees %+v, %v", list, err)
	}
}

// TestStandingInTheReport: a newer version is a column of its own and leaves the
// status as it is.
func TestStandingInTheReport(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		session := w.signedUp(t, "c1")
		w.started(t, "c4")
		want := func(c1 portal.AgreementStanding) {
			t.Helper()
			for _, r := range w.rows(t, portal.RegistrationQuery{}) {
				if standing := map[string]portal.AgreementStanding{"c1": c1}[r.CustomerID]; r.Agreement != standing {
					t.Errorf("%s: %q, want %q", r.CustomerID, r.Agreement, standing)
				}
			}
			w.wantStatus(t, "c1", portal.StatusRegistered)
		}
		want(portal.AgreementUpToDate)
		w.mustPublish(t, 1, 1, "Two.")
		want(portal.AgreementUpToDate)
		w.clock.Add(23 * time.Hour)
		want(portal.AgreementPending)
		_, err := w.Accept(t.Context(), public(w.caller), portal.Holder{Session: session}, "2")
		must(t, err)
		want(portal.AgreementUpToDate)
		for _, r := range w.registrations(t, w.other) {
			if r.Agreement != "" {
				t.Errorf("the other biller's %s: %q", r.CustomerID, r.Agreement)
			}
		}
	})
}

func (w *world) registrations(tb testing.TB, c portal.Caller) []portal.Registration {
	tb.Helper()
	var rows []portal.Registration
	must(tb, w.Registrations(tb.Context(), c, portal.RegistrationQuery{}, func(r portal.Registration) error {
		rows = append(rows, r)
		return nil
	}))
	return rows
}
