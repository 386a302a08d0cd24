package store_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// moved changes the address of a session's person and returns the new session and
// the notice that went to the old one.
func (w *world) moved(t *testing.T, c portal.Caller, session, password, address string) (string, portal.Mail) {
	t.Helper()
	w.deliver(t)
	w.clock.Add(time.Minute)
	must(t, w.ChangeAddress(t.Context(), c, session, password, address))
	in, err := w.ConfirmAddress(t.Context(), c, session, w.take(t).Code)
	must(t, err)
	w.clock.Add(time.Minute)
	return in.Session, w.take(t)
}

// renamed gives a customer another address in the biller's books.
func (w *world) renamed(t *testing.T, customerID, address string) {
	t.Helper()
	view, err := w.Service.Customer(t.Context(), w.caller, customerID)
	must(t, err)
	c := view.Customer
	c.Email, c.Version = address, c.Version+1
	must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{c}))
}

// TestErasedPersonLeavesNoTraceUnderEarlierAddresses: somebody asked for access,
// signed up, moved twice, had a thief's change undone and asked for access again.
func TestErasedPersonLeavesNoTraceUnderEarlierAddresses(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx, c := t.Context(), public(w.caller)
		c.IP, c.Agent = netip.MustParseAddr("198.51.100.9"), "Phone/2.0"
		link, other := w.invited(t, "c1"), w.invited(t, "c4")
		must(t, w.AskAccess(ctx, c, link, "Samuel Doe", colleague, "It is me."))
		requests, err := w.AccessRequests(ctx, w.caller, "c1")
		must(t, err)
		_, err = w.Approve(ctx, w.caller, requests[0].ID, portal.RightPayer)
		must(t, err)
		state, err := w.Register(ctx, c, token(w.take(t)), colleague, goodPassword)
		must(t, err)
		_, err = w.Choose(ctx, c, state.Handle, []string{"c1"})
		must(t, err)
		w.deliver(t)
		for _, m := range w.mail {
			if m.Ref.Kind == portal.MailConfirmation {
				_, err = w.Confirm(ctx, c, state.Handle, m.Code)
			}
		}
		must(t, err)
		in, err := w.Accept(ctx, c, portal.Holder{Handle: state.Handle}, portal.DefaultAgreementVersion)
		must(t, err)
		u := w.person(t, "c1").UserID
		session, _ := w.moved(t, c, in.Session, goodPassword, "sam@second.example")
		must(t, w.ForgotPassword(ctx, c, colleague)) // which is nobody's now
		_, notice := w.moved(t, c, session, goodPassword, "thief@third.example")
		must(t, w.disown(ctx, c, token(notice)))
		_, err = w.ResetPassword(ctx, c, token(w.take(t)), newPassword)
		must(t, err)
		in, err = w.SignIn(ctx, c, "sam@second.example", newPassword)
		must(t, err)
		session, _ = w.moved(t, c, in.Session, newPassword, "SAM@fourth.example")
		must(t, w.AskAccess(ctx, c, other, "Samuel Doe", "sam@fourth.example", "Me again."))
		w.clock.Add(2 * 365 * 24 * time.Hour) // whatever is forgotten by then
		w.sweep(t)
		in, err = w.SignIn(ctx, c, "sam@fourth.example", newPassword)
		must(t, err)
		foreign := w.rowsOf(t, w.other.BillerID)
		must(t, w.EraseMyself(ctx, c, in.Session, newPassword))
		if m := w.told(t); m.To != "SAM@fourth.example" {
			t.Errorf("told %s", m.To)
		}
		for _, text := range []string{colleague, "sam@second", "thief@third", "sam@fourth", "Samuel", u, "198.51.100.9", "Phone/2.0"} {
			w.wantNowhere(t, w.caller.BillerID, text)
		}
		_, err = w.Session(ctx, c, session)
		wantCode(t, err, "unauthenticated")
		if diff := cmp.Diff(foreign, w.rowsOf(t, w.other.BillerID)); diff != "" {
			t.Errorf("the other biller's rows (-want +got):\n%s", diff)
		}
	})
}

// TestErasureFindsAddressesInAnyCase: histories keep what somebody typed, for longer
// than the request with it; the databases know small letters of ASCII only.
func TestErasureFindsAddressesInAnyCase(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		must(t, w.AskAccess(ctx, public(w.caller), w.invited(t, "c1"), "Zoë", "ZOE@BÜCHER.example", ""))
		w.clock.Add(365 * 24 * time.Hour)
		w.sweep(t)
		w.wantRows(t, map[string]int{"access_requests": 0})
		w.signedUp(t, "c4")
		must(t, w.ErasePerson(ctx, w.caller, "c4", w.person(t, "c4").UserID))
		w.told(t)
		for _, text := range []string{"zoe@", "ZOE@"} {
			w.wantNowhere(t, w.caller.BillerID, text)
		}
		w.wantOther(t)
	})
}

// TestErasureOutlivesAMailUnderWay: the words of the mail server about an invitation
// that was erased meanwhile, which name the address, are kept nowhere.
func TestErasureOutlivesAMailUnderWay(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		w.signedUp(t, "c1")
		view, err := w.Service.Customer(ctx, w.caller, "c1")
		must(t, err)
		must(t, w.ErasePerson(ctx, w.caller, "c1", w.person(t, "c1").UserID))
		w.told(t)
		ref := portal.MailRef{Kind: portal.MailInvitation, ID: view.Invitation.ID, Generation: view.Invitation.Generation}
		must(t, w.MailFailed(ctx, public(w.caller), ref, "550 <jane@acme.com>: no such person"))
		w.wantNowhere(t, w.caller.BillerID, "jane@acme")
		w.wantOther(t)
	})
}

// traces reads all rows of a biller that name an address, or one of the ids.
func (w *world) traces(t *testing.T, biller string, texts ...string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for table := range w.rowsOf(t, biller) {
		for _, row := range w.tableOf(t, biller, table) {
			for column, value := range row {
				if b, ok := value.([]byte); ok {
					value = string(b)
				}
				s, _ := value.(string)
				for _, text := range texts {
					if strings.Contains(strings.ToLower(s), text) {
						out[table+"."+column] = append(out[table+"."+column], s)
					}
				}
			}
		}
	}
	return out
}

// TestErasureLeavesWhoHasTheAddressNow: Zoë moves, and somebody else signs up with
// the address she left. Each is erased without a trace of the other's being lost.
func TestErasureLeavesWhoHasTheAddressNow(t *testing.T) {
	t.Parallel()
	const left = "zoe@bücher.example"
	for name, erased := range map[string]string{"who left it": "c4", "who has it": "c2"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, w *world) {
				ctx, c := t.Context(), public(w.caller)
				first := w.signedUp(t, "c4")
				w.moved(t, c, first, goodPassword, "zoe@moved.example")
				w.renamed(t, "c2", left)
				w.clock.Add(time.Hour)
				must(t, w.KeepPerson(ctx, w.caller, "c4", w.person(t, "c4").UserID))
				w.invited(t, "c4") // to the address in the books, which is not hers any more
				w.signedUp(t, "c2")
				must(t, w.ForgotPassword(ctx, c, left))
				reset := token(w.take(t))
				users := map[string]string{"c4": w.person(t, "c4").UserID, "c2": w.person(t, "c2").UserID}
				kept := map[string]string{"c4": "c2", "c2": "c4"}[erased]
				before := w.traces(t, w.caller.BillerID, users[kept])
				must(t, w.ErasePerson(ctx, w.caller, erased, users[erased]))
				w.told(t)
				if diff := cmp.Diff(before, w.traces(t, w.caller.BillerID, users[kept])); diff != "" {
					t.Errorf("rows of %s (-before +after):\n%s", kept, diff)
				}
				w.wantNowhere(t, w.caller.BillerID, users[erased])
				if n := len(w.traces(t, w.caller.BillerID, users[kept])["signups.user_id"]); n != 1 {
					t.Errorf("%d sign-ups of %s", n, kept)
				}
				w.wantStatus(t, kept, portal.StatusRegistered)
				var accepted []string
				must(t, w.db.R.Select(&accepted, `SELECT customer_id FROM invitations WHERE biller_id = $1 AND email = $2 AND state = 'accepted'`, w.caller.BillerID, left))
				if diff := cmp.Diff([]string{kept}, accepted); diff != "" {
					t.Errorf("accepted invitations to the address (-want +got):\n%s", diff)
				}
				w.wantHistoryOf(t, erased, left, false)
				w.wantHistoryOf(t, kept, left, true)
				address := map[string]string{"c4": "zoe@moved.example", "c2": left}[kept]
				_, err := w.SignIn(ctx, c, address, goodPassword)
				must(t, err)
				_, err = w.OpenReset(ctx, c, reset)
				if kept == "c2" {
					must(t, err)
				} else {
					wantCode(t, err, "not_found")
				}
				w.wantOther(t)
			})
		})
	}
}

// wantHistoryOf fails unless the entries about people's sign-ups of a customer name
// an address, or do not.
func (w *world) wantHistoryOf(t *testing.T, customerID, address string, want bool) {
	t.Helper()
	view, err := w.Service.Customer(t.Context(), w.caller, customerID)
	must(t, err)
	for _, e := range view.History {
		if e.Kind == portal.HistoryConfirmed && strings.Contains(e.Detail, address) != want {
			t.Errorf("%s: %q names %s: want %v", customerID, e.Detail, address, want)
		}
	}
}
