package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestNewAgreementGatesThePortal(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		session := w.signedUp(t, "c1")
		first, err := w.Agreement(ctx, c)
		must(t, err)
		if first.Version != portal.DefaultAgreementVersion || len(first.TextHash) != 64 || first.Text == "" {
			t.Errorf("agreement = %+v", first)
		}
		w.mustPublish(t, 1, 1, "New text.") // at midnight, 15 hours from now
		_, err = w.Publish(ctx, w.other, w.draft(1, 0, "Text of the other."))
		must(t, err)
		if view, err := w.Session(ctx, c, session); err != nil || view.AgreementPending {
			t.Errorf("before its day = %+v, %v", view, err)
		}
		w.clock.Add(15*time.Hour - time.Minute)
		_, err = w.Session(ctx, c, session) // keeps the session in use
		must(t, err)
		w.clock.Add(time.Minute)
		view, err := w.Session(ctx, c, session)
		must(t, err)
		if !view.AgreementPending {
			t.Error("the new version does not gate the portal")
		}
		w.wantStatus(t, "c1", portal.StatusRegistered)
		if _, err := w.Accept(ctx, c, portal.Holder{Session: session}, "1"); !errors.Is(err, portal.ErrAgreementChanged) {
			t.Errorf("Accept of the old version = %v", err)
		}
		done, err := w.Accept(ctx, c, portal.Holder{Session: session}, "2")
		must(t, err)
		if view, err := w.Session(ctx, c, done.Session); err != nil || view.AgreementPending {
			t.Errorf("after accepting = %+v, %v", view, err)
		}
	})
}

func TestDeclineWithASession(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		log := &trail{up: true}
		w.Trail = log
		session := w.signedUp(t, "c1")
		counts := race(func(int) error { return w.Decline(ctx, c, portal.Holder{Session: session}) })
		if counts[""] != 16 {
			t.Errorf("16 declining at once: %v", counts)
		}
		if _, err := w.Session(ctx, c, session); !errors.Is(err, portal.ErrSignedOut) {
			t.Errorf("the session after declining = %v", err)
		}
		must(t, w.Decline(ctx, c, portal.Holder{Session: session}))
		must(t, w.Decline(ctx, c, portal.Holder{Handle: "garbage"}))
		must(t, w.Decline(ctx, c, portal.Holder{}))
		for _, h := range []portal.Holder{{}, {Handle: "garbage"}, {Session: "garbage"}} {
			_, err := w.Accept(ctx, c, h, portal.DefaultAgreementVersion)
			wantCode(t, err, apperr.Unauthenticated)
		}
		declined := 0
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		for _, a := range view.History {
			if a.Kind == portal.HistoryDeclined {
				declined++
			}
		}
		if declined != 1 {
			t.Errorf("declined %d times in the history", declined)
		}
		var told []portal.Activity
		for _, a := range log.written {
			if a.Action == portal.ActionAgreementDeclined {
				told = append(told, a)
			}
		}
		if len(told) != 1 || told[0].UserID == "" || told[0].Detail["version"] != portal.DefaultAgreementVersion || told[0].IP != "203.0.113.7" {
			t.Errorf("declined, says the audit: %+v", told)
		}
	})
}

// TestProofOfAcceptance: who, when, which text, from where.
func TestProofOfAcceptance(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.caller.Agent = "Bad\x00\xff/1.0"
		w.signedUp(t, "c1")
		agreement, err := w.Agreement(ctx, w.caller)
		must(t, err)
		var proof struct {
			TextHash   string `db:"text_hash"`
			AcceptedAt int64  `db:"accepted_at"`
			IP         string `db:"ip"`
			Agent      string `db:"agent"`
		}
		must(t, w.db.R.GetContext(ctx, &proof, `
			SELECT
				text_hash,
				accepted_at,
				ip,
				agent
			FROM acceptances
			WHERE biller_id = $1`, "north"))
		if proof.TextHash != agreement.TextHash || proof.AcceptedAt != w.clock.Now().UnixMicro() ||
			proof.IP != "203.0.113.7" || proof.Agent != "Bad\uFFFD/1.0" {
			t.Errorf("proof = %+v", proof)
		}
	})
}
