package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// entered collects the sessions that several people get at once.
type entered struct {
	tb       testing.TB
	mu       sync.Mutex
	sessions []string
}

// add keeps a session, and complains of an error that is no refusal.
func (e *entered) add(session string, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch apperr.CodeOf(err) {
	case "":
		e.sessions = append(e.sessions, session)
	case apperr.Unauthenticated, apperr.NotFound:
	default:
		e.tb.Error(err)
	}
}

// alive counts the sessions that still open something.
func (e *entered) alive(w *world) (n int) {
	for _, s := range e.sessions {
		if _, err := w.Session(e.tb.Context(), s); err == nil {
			n++
		}
	}
	return n
}

// TestPasswordChangesWhileOthersSignIn: a sign-in, a choice of a business and a link
// that began with the old password, or before the new one, leave no session.
func TestPasswordChangesWhileOthersSignIn(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dana, other := mustStaff(t, w, w.a.ID, "dana@northwind.example"), mustStaff(t, w, w.b.ID, "dana@northwind.example")
		_, err := w.SetStaffPassword(ctx, w.a.ID, dana.ID, "", "hash 0")
		must(t, err)
		theirs, err := w.SetStaffPassword(ctx, w.b.ID, other.ID, "", "hash 0")
		must(t, err)
		for round := range 4 {
			old, next := fmt.Sprintf("hash %d", round), fmt.Sprintf("hash %d", round+1)
			links := make([]string, 4)
			for i := range links {
				links[i], err = w.NewStaffLink(ctx, w.a.ID, dana.ID)
				must(t, err)
			}
			in := &entered{tb: t}
			var fresh string
			atOnce(func(n int) {
				switch {
				case n == 7:
					session, err := w.SetStaffPassword(ctx, w.a.ID, dana.ID, old, next)
					if err != nil {
						t.Error(err)
					}
					fresh = session
				case n%4 == 0:
					in.add(w.SignIn(ctx, links[n/4]))
				case n%4 == 1:
					link, err := w.NewChoiceLink(ctx, w.a.ID, dana.ID, old)
					if err == nil {
						in.add(w.SignIn(ctx, link))
						return
					}
					in.add("", err)
				default:
					in.add(w.StartStaffSession(ctx, w.a.ID, dana.ID, old))
				}
			})
			if n := in.alive(w); n != 0 {
				t.Fatalf("round %d: %d sessions outlive the password they began with", round, n)
			}
			if p, err := w.Session(ctx, fresh); err != nil || p.Proof != books.ProofPassword {
				t.Fatalf("the session of the new password: %+v, %v", p, err)
			}
			_, err := w.StartStaffSession(ctx, w.a.ID, dana.ID, old)
			wantCode(t, "the old password afterwards", err, apperr.Unauthenticated)
			_, err = w.NewChoiceLink(ctx, w.a.ID, dana.ID, old)
			wantCode(t, "a choice with the old password", err, apperr.Unauthenticated)
		}
		if _, err := w.Session(ctx, theirs); err != nil {
			t.Errorf("the session at the other biller: %v", err)
		}
		_, err = w.StartStaffSession(ctx, w.b.ID, dana.ID, "hash 4")
		wantCode(t, "at the other biller", err, apperr.Unauthenticated)
	})
}

// TestDisabledWhileSigningIn: nobody who is disabled while they sign in keeps a
// session, and enabling them again gives back none, nor a link.
func TestDisabledWhileSigningIn(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		none := mustStaff(t, w, w.a.ID, "links@northwind.example")
		_, err := w.StartStaffSession(ctx, w.a.ID, none.ID, "")
		wantCode(t, "without a password", err, apperr.Unauthenticated)
		_, err = w.SetStaffPassword(ctx, w.a.ID, dana.ID, "", "hash")
		must(t, err)
		left, err := w.NewStaffLink(ctx, w.a.ID, dana.ID)
		must(t, err)
		link, err := w.NewStaffLink(ctx, w.a.ID, dana.ID)
		must(t, err)
		in := &entered{tb: t}
		atOnce(func(n int) {
			switch n {
			case 7:
				if err := w.DisableStaff(ctx, w.a.ID, dana.ID, true); err != nil {
					t.Error(err)
				}
			case 8:
				in.add(w.SignIn(ctx, link))
			default:
				in.add(w.StartStaffSession(ctx, w.a.ID, dana.ID, "hash"))
			}
		})
		_, err = w.StartStaffSession(ctx, w.a.ID, dana.ID, "hash")
		wantCode(t, "disabled", err, apperr.Unauthenticated)
		_, err = w.SetStaffPassword(ctx, w.a.ID, dana.ID, "hash", "another")
		wantCode(t, "a new password of somebody disabled", err, apperr.Conflict)
		must(t, w.DisableStaff(ctx, w.a.ID, dana.ID, false))
		if n := in.alive(w); n != 0 {
			t.Errorf("%d sessions came back", n)
		}
		_, err = w.SignIn(ctx, left)
		wantCode(t, "a link from before", err, apperr.NotFound)

		session, err := w.StartStaffSession(ctx, w.a.ID, dana.ID, "hash")
		must(t, err)
		_, err = w.db.W.Exec(`UPDATE staff SET disabled = TRUE`) // the session is there still
		must(t, err)
		_, err = w.Session(ctx, session)
		wantCode(t, "the session of somebody disabled", err, apperr.Unauthenticated)
		_, err = w.SessionPassword(ctx, session)
		wantCode(t, "its password", err, apperr.Unauthenticated)
	})
}

// TestSessionRemembersItsProof: only a link that came by mail or from the command
// line stands for a forgotten password, and only for a while.
func TestSessionRemembersItsProof(t *testing.T) {
	t.Parallel()
	withJobs(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		proof := func(session string, err error) books.Staff {
			t.Helper()
			must(t, err)
			p, err := w.Session(ctx, session)
			must(t, err)
			return p
		}
		if p := proof(w.SetStaffPassword(ctx, w.a.ID, dana.ID, "", "hash")); !p.NeedsPassword(w.clock()) {
			t.Errorf("after choosing one: %+v", p)
		}
		choice, err := w.NewChoiceLink(ctx, w.a.ID, dana.ID, "hash")
		must(t, err)
		if p := proof(w.SignIn(ctx, choice)); !p.NeedsPassword(w.clock()) {
			t.Errorf("after a choice: %+v", p)
		}
		session := mustSignIn(t, w, dana)
		if p := proof(session, nil); p.NeedsPassword(w.clock()) || !p.NeedsPassword(w.clock().Add(books.FreshLife)) {
			t.Errorf("after a link: %+v", p)
		}
		if hash, err := w.SessionPassword(ctx, session); err != nil || hash != "hash" {
			t.Errorf("the password of the session: %q, %v", hash, err)
		}
		w.pass(books.StaffIdle + time.Second)
		_, err = w.SessionPassword(ctx, session)
		wantCode(t, "of an ended session", err, apperr.Unauthenticated)
		_, err = w.SessionPassword(ctx, "garbage")
		wantCode(t, "of garbage", err, apperr.Unauthenticated)
	})
}

func TestStaffToTell(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		dana := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		mustStaff(t, w, w.b.ID, "boss@harbor.example")
		gone := mustStaff(t, w, w.a.ID, "gone@northwind.example")
		must(t, w.DisableStaff(ctx, w.a.ID, gone.ID, true))
		if p, owners, err := w.StaffToTell(ctx, w.a.ID, dana.ID); err != nil || p.BillerName != w.a.Name || len(owners) != 0 {
			t.Errorf("alone: %+v, %+v, %v", p, owners, err)
		}
		sam := mustStaff(t, w, w.a.ID, "sam@northwind.example")
		if p, owners, err := w.StaffToTell(ctx, w.a.ID, gone.ID); err != nil || !p.Disabled || len(owners) != 2 || owners[1] != sam {
			t.Errorf("of somebody disabled: %+v, %+v, %v", p, owners, err)
		}
		_, _, err := w.StaffToTell(ctx, w.b.ID, dana.ID)
		wantCode(t, "at the other biller", err, apperr.NotFound)
	})
}
