package store_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// histories of a customer of the first biller, of one kind.
func (w *world) histories(t *testing.T, customerID string, kind portal.HistoryKind) (n int) {
	t.Helper()
	must(t, w.db.R.Get(&n, `SELECT COUNT(*) FROM history WHERE biller_id = 'north' AND customer_id = $1 AND kind = $2`, customerID, string(kind)))
	return n
}

// TestRaceIsWrittenOnce: what nobody is refused happens once all the same.
func TestRaceIsWrittenOnce(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		// do is prepared by make; of what it does 16 times, count finds one.
		make  func(t *testing.T, w *world) (do func() error)
		count func(t *testing.T, w *world) int
	}{
		"a link is opened": {
			func(t *testing.T, w *world) func() error {
				link := w.invited(t, "c1")
				return func() error { _, err := w.Open(t.Context(), public(w.caller), link, "", ""); return err }
			},
			func(t *testing.T, w *world) int { return w.histories(t, "c1", portal.HistoryOpened) },
		},
		"a mail is out": {
			func(t *testing.T, w *world) func() error {
				inv, err := w.Invite(t.Context(), w.caller, "c1")
				must(t, err)
				ref := portal.MailRef{Kind: portal.MailInvitation, ID: inv.ID, Generation: inv.Generation}
				return func() error { return w.MailSent(t.Context(), public(w.caller), ref) }
			},
			func(t *testing.T, w *world) int { return w.histories(t, "c1", portal.HistorySent) },
		},
		"a mail is given up": {
			func(t *testing.T, w *world) func() error {
				inv, err := w.Invite(t.Context(), w.caller, "c1")
				must(t, err)
				ref := portal.MailRef{Kind: portal.MailInvitation, ID: inv.ID, Generation: inv.Generation}
				return func() error { return w.MailFailed(t.Context(), public(w.caller), ref, "550 no") }
			},
			func(t *testing.T, w *world) int { return w.histories(t, "c1", portal.HistoryFailed) },
		},
		"an invitation expires": {
			func(t *testing.T, w *world) func() error {
				w.invited(t, "c1")
				w.clock.Add(portal.DefaultSettings().InvitationLife)
				return func() error { _, err := w.RefreshDue(t.Context(), w.caller); return err }
			},
			func(t *testing.T, w *world) int { return w.histories(t, "c1", portal.HistoryExpired) },
		},
		"the agreement is declined": {
			func(t *testing.T, w *world) func() error {
				handle := w.confirmed(t)
				return func() error { return w.Decline(t.Context(), public(w.caller), portal.Holder{Handle: handle}) }
			},
			func(t *testing.T, w *world) int { return w.histories(t, "c1", portal.HistoryDeclined) },
		},
		"a profile is chosen": {
			func(t *testing.T, w *world) func() error {
				state, err := w.Register(t.Context(), public(w.caller), w.invited(t, "c1"), jane, goodPassword)
				must(t, err)
				return func() error {
					_, err := w.Choose(t.Context(), public(w.caller), state.Handle, []string{"c1"})
					return err
				}
			},
			func(t *testing.T, w *world) int {
				return w.countWhere(t, `tokens WHERE biller_id = 'north' AND purpose = 'confirmation'`)
			},
		},
		"a new browser": {
			func(t *testing.T, w *world) func() error {
				w.caller.Device = "laptop"
				w.signedUp(t, "c1")
				w.caller.Device = ""
				return func() error {
					_, err := w.SignIn(t.Context(), from(w.caller, "phone"), jane, goodPassword)
					if apperr.Is(err, apperr.TooManyRequests) {
						err = nil // more than five at once
					}
					return err
				}
			},
			func(t *testing.T, w *world) int { return w.activities(t, "north", portal.ActionNewDevice) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, w *world) {
				do := tt.make(t, w)
				if counts := race(func(int) error { return do() }); counts[""] != 16 {
					t.Errorf("answers = %v", counts)
				}
				if n := tt.count(t, w); n != 1 {
					t.Errorf("written %d times", n)
				}
				w.wantTrueStatuses(t)
				w.wantOther(t)
			})
		})
	}
}

// TestRaceFirstEnable: the portal is opened for the first time once.
func TestRaceFirstEnable(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		var firsts atomic.Int32
		counts := race(func(int) error {
			first, err := w.Enable(t.Context(), caller("east", "Eastwind Pools"))
			if first {
				firsts.Add(1)
			}
			return err
		})
		if counts[""] != 16 || firsts.Load() != 1 {
			t.Errorf("first for %d; answers = %v", firsts.Load(), counts)
		}
		if first, err := w.Enable(t.Context(), w.other); err != nil || first {
			t.Errorf("the other biller: first %v, %v", first, err)
		}
		w.wantOther(t)
	})
}

// TestRaceEnablePerson: a person who was disabled is let in again once.
func TestRaceEnablePerson(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		u := w.person(t, "c1").UserID
		must(t, w.SetPersonState(t.Context(), w.caller, "c1", u, portal.UserDisabled))
		wantOneWinner(t, race(func(int) error {
			return w.SetPersonState(t.Context(), w.caller, "c1", u, portal.UserActive)
		}), portal.ErrPersonUnchanged)
		w.wantTrueStatuses(t)
		w.wantOther(t)
	})
}

// TestRaceRaisePassword: of those who bring a hash up to date, one does.
func TestRaceRaisePassword(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		u, err := w.Store.User(t.Context(), "north", w.person(t, "c1").UserID)
		must(t, err)
		late := errors.New("late")
		wantOneWinner(t, race(func(int) error {
			raised, err := w.Store.RaisePassword(t.Context(), "north", u.ID, u.PasswordHash, "raised")
			if err == nil && !raised {
				err = late
			}
			return err
		}), late)
		if raised, err := w.Store.RaisePassword(t.Context(), w.other.BillerID, u.ID, "raised", "foreign"); raised || err != nil {
			t.Errorf("the other biller: %v, %v", raised, err)
		}
		w.wantOther(t)
	})
}
