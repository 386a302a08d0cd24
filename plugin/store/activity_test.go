package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// trail is an audit log that is down until up.
type trail struct {
	mu      sync.Mutex
	up      bool
	written []portal.Activity
}

func (t *trail) Write(_ context.Context, _ portal.Caller, a portal.Activity) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.up {
		return errors.New("the audit log is down")
	}
	t.written = append(t.written, a)
	return nil
}

// carry does the audit jobs that are due.
func (w *world) carry(tb testing.TB) {
	tb.Helper()
	worker, err := jobs.NewWorker(jobs.Config{
		DB: w.db, Now: w.clock.Now,
		Handlers: map[string]jobs.Handler{portal.JobAudit: func(ctx context.Context, j jobs.Job) error {
			var ref portal.AuditRef
			if err := j.Decode(&ref); err != nil {
				return err
			}
			return w.Audit(ctx, portal.Caller{BillerID: j.Biller}, ref.ID)
		}},
	})
	must(tb, err)
	must(tb, worker.RunDue(tb.Context()))
}

// TestActivityOutlivesTheAuditLog: what happened while the audit log was down
// comes to it later, in the words of the moment it happened.
func TestActivityOutlivesTheAuditLog(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		log := &trail{}
		w.Trail = log
		session := w.signedUp(t, "c1")
		_, err := w.SignIn(t.Context(), public(w.caller), "jane@acme.com", goodPassword)
		must(t, err)
		_, err = w.Link(t.Context(), w.other, "c1")
		if err == nil {
			t.Fatal("a link was made without an invitation")
		}
		log.up = true
		w.clock.Add(time.Minute)
		w.carry(t)
		want := []portal.Action{portal.ActionInvited, portal.ActionSignUpStarted, portal.ActionSignUpConfirmed, portal.ActionAgreementAccepted, portal.ActionSessionStarted}
		var got []portal.Action
		slices.SortFunc(log.written, func(a, b portal.Activity) int { return strings.Compare(a.ID, b.ID) })
		for _, a := range log.written {
			got = append(got, a.Action)
			if a.ID == "" || a.At.IsZero() || a.IP != "203.0.113.7" || a.Agent != "Test/1.0" || (a.Action == portal.ActionInvited) != (a.By.ID == "staff-1") {
				t.Errorf("activity %+v does not tell who, when and from where", a)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("carried to the audit log (-want +got):\n%s", diff)
		}
		view, err := w.Session(t.Context(), public(w.caller), session)
		must(t, err)
		recent, err := w.RecentActivity(t.Context(), public(w.caller), view, 10)
		must(t, err)
		if len(recent) != 3 || recent[2].Action != portal.ActionSignUpConfirmed || recent[0].Action != portal.ActionSessionStarted || recent[1].Detail["version"] != portal.DefaultAgreementVersion {
			t.Errorf("recent activity = %+v", recent)
		}
		if _, err := w.Store.Activity(t.Context(), w.other.BillerID, recent[0].ID); err == nil {
			t.Error("the other biller reads an activity")
		}
		theirs, err := w.Store.RecentActivity(t.Context(), w.other.BillerID, view.UserID, 10)
		must(t, err)
		if len(theirs) != 0 {
			t.Errorf("the other biller reads %+v", theirs)
		}
	})
}
