package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/jobs"
)

// staffJobs are the mails to staff that a biller has planned, oldest first.
func (w *world) staffJobs(tb testing.TB, c portal.Caller) (refs []portal.StaffRef) {
	tb.Helper()
	var rows []struct {
		Payload string `db:"payload"`
		RunAt   int64  `db:"run_at"`
	}
	must(tb, w.db.R.Select(&rows, `SELECT payload, run_at FROM jobs WHERE biller_id = $1 AND kind = $2 ORDER BY run_at`, c.BillerID, portal.JobStaff))
	for _, r := range rows {
		var ref portal.StaffRef
		must(tb, jobs.Job{Payload: r.Payload}.Decode(&ref))
		if late := time.UnixMilli(r.RunAt).Sub(ref.At); late <= 0 || late > 10*time.Second {
			tb.Errorf("the mail of %s goes out %s later", ref.At, late)
		}
		refs = append(refs, ref)
	}
	return refs
}

// ask has somebody ask for access to a customer now, each with a link of their own.
func (w *world) ask(tb testing.TB, c portal.Caller, customerID string) portal.AccessRequest {
	tb.Helper()
	id, now := w.IDs(), w.clock.Now()
	r := portal.AccessRequest{
		ID: id, CustomerID: customerID, Name: "Sam", Email: id + "@x.example", EmailNorm: id + "@x.example",
		State: portal.AccessOpen, CreatedAt: now, ExpiresAt: now.Add(portal.AccessRequestLife),
	}
	a := portal.Activity{ID: id, Action: portal.ActionAccessAsked, CustomerID: customerID, Object: id, At: now}
	kept, err := w.Store.AskAccess(tb.Context(), c.BillerID, "link "+id, r, a)
	must(tb, err)
	if !kept {
		tb.Error("the request is not kept")
	}
	return r
}

// TestStaffAreToldOnceAnHour: a flood of requests makes two mails, which together
// tell of each once; the other biller's staff hear of their own only.
func TestStaffAreToldOnceAnHour(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, begin := t.Context(), w.clock.Now()
		w.ask(t, w.caller, "c1")
		w.clock.Add(time.Minute)
		if counts := race(func(int) error { w.ask(t, w.caller, "c2"); return nil }); counts[""] != 16 {
			t.Fatal(counts)
		}
		w.clock.Add(30 * time.Minute)
		w.ask(t, w.caller, "c3")
		w.ask(t, w.other, "c4")
		refs := w.staffJobs(t, w.caller)
		want := []portal.StaffRef{{Kind: portal.StaffAccess, At: begin}, {Kind: portal.StaffAccess, At: begin.Add(portal.StaffEvery)}}
		if diff := cmp.Diff(want, refs); diff != "" {
			t.Fatal(diff)
		}
		if theirs := w.staffJobs(t, w.other); len(theirs) != 1 || !theirs[0].At.Equal(w.clock.Now()) {
			t.Errorf("of the other biller: %+v", theirs)
		}
		wantTold(t, w, w.caller, refs[0], 1, "c1")
		wantTold(t, w, w.caller, refs[1], 17, "c2", "c3")
		wantTold(t, w, w.other, refs[1], 1, "c4")
		w.clock.Add(portal.StaffEvery)
		if _, err := w.Store.Sweep(ctx, w.caller.BillerID, w.clock.Now(), 100); err != nil {
			t.Fatal(err)
		}
		w.ask(t, w.caller, "c1")
		if refs = w.staffJobs(t, w.caller); len(refs) != 3 || refs[2].At.Sub(refs[1].At) < portal.StaffEvery {
			t.Errorf("an hour later: %+v", refs)
		}
		wantTold(t, w, w.caller, refs[2], 1, "c1")
	})
}

func wantTold(t *testing.T, w *world, c portal.Caller, ref portal.StaffRef, count int, customers ...string) {
	t.Helper()
	n, err := w.Service.StaffNotice(t.Context(), public(c), ref)
	must(t, err)
	var ids []string
	for _, c := range n.Customers {
		ids = append(ids, c.ID)
	}
	if diff := cmp.Diff(customers, ids); n.Count != count || diff != "" || n.Ref != ref {
		t.Errorf("%s tells of %d, want %d; customers %s", ref.Key(), n.Count, count, diff)
	}
}

// TestDecidedRequestsAreNotTold: staff were faster than the mail.
func TestDecidedRequestsAreNotTold(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		r := w.ask(t, w.caller, "c1")
		ref := w.staffJobs(t, w.caller)[0]
		_, err := w.DeclineAccess(t.Context(), w.caller, r.ID)
		must(t, err)
		if _, err := w.Service.StaffNotice(t.Context(), public(w.caller), ref); !errors.Is(err, portal.ErrStaleMail) {
			t.Errorf("%v", err)
		}
	})
}

// TestManyCustomersAreCounted: a mail names five.
func TestManyCustomersAreCounted(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		var more []portal.Customer
		for n := range 9 {
			more = append(more, portal.Customer{ID: fmt.Sprintf("m%d", n), Name: "More", Version: 1})
		}
		must(t, w.ApplyCustomers(t.Context(), w.caller, more))
		w.ask(t, w.caller, "c1")
		w.clock.Add(time.Minute)
		for n := range 9 {
			w.ask(t, w.caller, fmt.Sprintf("m%d", n))
		}
		n, err := w.Service.StaffNotice(t.Context(), public(w.caller), w.staffJobs(t, w.caller)[1])
		must(t, err)
		if n.Count != 9 || len(n.Customers) != portal.StaffNames || n.More != 4 {
			t.Errorf("%+v", n)
		}
	})
}

// TestStaffHearOfDisownedSignUps is case 3: "tells the biller", once.
func TestStaffHearOfDisownedSignUps(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.registered(t, w.invited(t, "c1"), "c1")
		notMe := lastPart.FindString(w.take(t).NotMe)
		if jobs := w.staffJobs(t, w.caller); len(jobs) != 0 {
			t.Fatalf("before: %+v", jobs)
		}
		wantOneWinner(t, race(func(int) error { return w.disown(ctx, c, notMe) }), portal.ErrLinkDead)
		refs := w.staffJobs(t, w.caller)
		if len(refs) != 1 || refs[0].Kind != portal.StaffSignUp {
			t.Fatalf("jobs %+v", refs)
		}
		wantTold(t, w, w.caller, refs[0], 1, "c1")
		for _, kind := range []portal.StaffKind{portal.StaffAccess, portal.StaffAccount} {
			if _, err := w.Service.StaffNotice(ctx, c, portal.StaffRef{Kind: kind, At: refs[0].At}); !errors.Is(err, portal.ErrStaleMail) {
				t.Errorf("%s: %v", kind, err)
			}
		}
		if theirs := w.staffJobs(t, w.other); len(theirs) != 0 {
			t.Errorf("of the other biller: %+v", theirs)
		}
	})
}

// TestStaffHearOfDisownedSignIns: the mail names the customers of the person.
func TestStaffHearOfDisownedSignIns(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		w.signedUp(t, "c1")
		in, err := w.SignIn(ctx, c, jane, goodPassword)
		must(t, err)
		_, err = w.ChangePassword(ctx, c, in.Session, goodPassword, newPassword)
		must(t, err)
		must(t, w.disown(ctx, c, token(w.take(t))))
		refs := w.staffJobs(t, w.caller)
		if len(refs) != 1 || refs[0].Kind != portal.StaffAccount {
			t.Fatalf("jobs %+v", refs)
		}
		wantTold(t, w, w.caller, refs[0], 1, "c1")
	})
}
