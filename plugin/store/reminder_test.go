package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// refresh runs the hourly job of the biller after d.
func (w *world) refresh(tb testing.TB, d time.Duration) {
	tb.Helper()
	w.clock.Add(d)
	for {
		more, err := w.RefreshDue(tb.Context(), w.caller)
		must(tb, err)
		if !more {
			return
		}
	}
}

// wantReminders delivers, and compares how many of the mails were reminders.
func (w *world) wantReminders(tb testing.TB, want int) (last portal.Mail) {
	tb.Helper()
	w.deliver(tb)
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, m := range w.mail {
		if m.Ref.Kind == portal.MailReminder {
			n, last = n+1, m
		}
	}
	w.mail = nil
	if n != want {
		tb.Errorf("%d reminders, want %d", n, want)
	}
	return last
}

// disabled has staff switch off whoever has access to the customer.
func (w *world) disabled(tb testing.TB, customerID string) {
	tb.Helper()
	view, err := w.Service.Customer(tb.Context(), w.caller, customerID)
	must(tb, err)
	must(tb, w.SetPersonState(tb.Context(), w.caller, customerID, view.People[0].UserID, portal.UserDisabled))
}

const oneDay = 24 * time.Hour

// TestReminderKeepsTheLink: on day 3 and day 7, twice at most, with the link of
// the invitation, which works before and after; the history tells.
func TestReminderKeepsTheLink(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		_, err := w.Invite(t.Context(), w.other, "c1")
		must(t, err)
		w.deliver(t)
		w.mail = nil
		w.refresh(t, 3*oneDay-time.Second)
		w.wantReminders(t, 0)
		w.refresh(t, time.Second)
		first := w.wantReminders(t, 1)
		if token(first) != link || first.To != "Jane@Acme.com" || first.Started || first.Ref.Seq != 1 {
			t.Errorf("first = %+v, want the link %s", first, link)
		}
		w.refresh(t, time.Hour)
		w.wantReminders(t, 0)
		view, err := w.Service.Customer(t.Context(), w.caller, "c1")
		must(t, err)
		if view.History[0].Kind != portal.HistoryReminded || view.Status != portal.StatusSent || view.Invitation.Generation != 1 {
			t.Errorf("view = %+v, %+v", view.History[0], view.Invitation)
		}
		handle := w.registered(t, link, "c1")
		w.take(t)
		w.refresh(t, 4*oneDay)
		if second := w.wantReminders(t, 1); token(second) != link || second.Started || second.Ref.Seq != 2 {
			t.Errorf("second = %+v, want the link %s", second, link)
		}
		w.refresh(t, 3*oneDay)
		w.wantReminders(t, 0)
		if _, err := w.SignUp(t.Context(), public(w.caller), handle); err == nil {
			t.Error("a sign-up of ten days ago goes on")
		}
		w.registered(t, link, "c1")
		view, err = w.Service.Customer(t.Context(), w.other, "c1")
		must(t, err)
		if view.Invitation.Reminded != 0 || view.Status != portal.StatusSent {
			t.Errorf("the other biller's: %+v", view.Invitation)
		}
	})
}

// TestRemindersStop: at what ends the need, and at mail that does not arrive.
func TestRemindersStop(t *testing.T) {
	t.Parallel()
	stops := map[string]func(t *testing.T, w *world){
		"registered": func(t *testing.T, w *world) { w.signedUp(t, "c1") },
		"revoked": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			must(t, w.Revoke(t.Context(), w.caller, "c1"))
		},
		"another address": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{{ID: "c1", Name: "Jane", Email: "jane@new.example", Version: 2}}))
		},
		"archived": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			must(t, w.ApplyCustomers(t.Context(), w.caller, []portal.Customer{{ID: "c1", Name: "Jane", Email: "Jane@Acme.com", Archived: true, Version: 2}}))
		},
		"never went out": func(t *testing.T, w *world) {
			_, err := w.Invite(t.Context(), w.caller, "c1")
			must(t, err)
			w.refuse = "No such mailbox."
			w.deliver(t)
			w.refuse = ""
		},
		"bounced": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			_, err := w.db.W.Exec(`UPDATE invitations SET state = 'bounced' WHERE biller_id = 'north'`)
			must(t, err)
		},
		"complained": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			_, err := w.db.W.Exec(`UPDATE invitations SET state = 'complained' WHERE biller_id = 'north'`)
			must(t, err)
		},
		"never went out, passed on by hand": func(t *testing.T, w *world) {
			_, err := w.Invite(t.Context(), w.caller, "c1")
			must(t, err)
			w.refuse = "No such mailbox."
			w.deliver(t)
			w.refuse = ""
			link, err := w.Service.Link(t.Context(), w.caller, "c1")
			must(t, err)
			_, err = w.Open(t.Context(), public(w.caller), lastPart.FindString(link), "", "")
			must(t, err)
		},
		"a reminder was refused": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			w.refuse = "No such mailbox."
			w.refresh(t, 3*oneDay)
			w.deliver(t)
			w.refuse = ""
		},
		"disabled by staff": func(t *testing.T, w *world) {
			w.signedUp(t, "c1")
			_, err := w.Invite(t.Context(), w.caller, "c2")
			must(t, err)
			w.deliver(t)
			w.disabled(t, "c1")
		},
		"disabled while the mail waited": func(t *testing.T, w *world) {
			w.signedUp(t, "c1")
			_, err := w.Invite(t.Context(), w.caller, "c2")
			must(t, err)
			w.deliver(t)
			w.refresh(t, 3*oneDay)
			w.disabled(t, "c1")
		},
		"switched off while the mail waited": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			w.refresh(t, 3*oneDay)
			w.Settings = func(context.Context) portal.Settings { return portal.Settings{} }
		},
		"switched off": func(t *testing.T, w *world) {
			w.Settings = func(context.Context) portal.Settings {
				set := portal.DefaultSettings()
				set.Reminders.Days = [2]int{}
				return set
			}
			w.invited(t, "c1")
		},
		"after the mail was written down": func(t *testing.T, w *world) {
			w.invited(t, "c1")
			w.refresh(t, 3*oneDay)
			must(t, w.Revoke(t.Context(), w.caller, "c1"))
		},
	}
	for name, stop := range stops {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, w *world) {
				stop(t, w)
				w.mail = nil
				for range 10 {
					w.refresh(t, oneDay)
				}
				w.wantReminders(t, 0)
			})
		})
	}
}

// TestReminderOfASignUpUnderWay says so; one that ran out does not count.
func TestReminderOfASignUpUnderWay(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		link := w.invited(t, "c1")
		w.clock.Add(3*oneDay - time.Hour)
		w.registered(t, link, "c1")
		w.take(t)
		w.refresh(t, time.Hour)
		if m := w.wantReminders(t, 1); !m.Started {
			t.Errorf("reminder = %+v", m)
		}
	})
}

// TestRemindersBeginAnew with the next sending.
func TestRemindersBeginAnew(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		old := w.invited(t, "c1")
		w.refresh(t, 3*oneDay)
		w.wantReminders(t, 1)
		link := w.invited(t, "c1")
		w.refresh(t, 3*oneDay)
		if m := w.wantReminders(t, 1); token(m) != link || link == old || m.Ref.Generation != 2 {
			t.Errorf("reminder = %+v, want the link %s", m, link)
		}
		w.wantOther(t)
	})
}

// TestNobodyWithAccessIsReminded, whatever else is open; they are not looked at
// again, either.
func TestNobodyWithAccessIsReminded(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.signedUp(t, "c1")
		_, err := w.db.W.Exec(`UPDATE invitations SET state = 'sent' WHERE biller_id = 'north'`)
		must(t, err)
		w.mail = nil
		w.refresh(t, 3*oneDay)
		w.wantReminders(t, 0)
		n, err := w.Store.Remind(t.Context(), "north", portal.DefaultSettings().Reminders, w.clock.Now(), 10)
		if err != nil || n != 0 {
			t.Errorf("%d are looked at again, %v", n, err)
		}
	})
}

func TestRaceRemind(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, w *world) {
		w.invited(t, "c1")
		_, err := w.Invite(t.Context(), w.other, "c1")
		must(t, err)
		w.deliver(t)
		w.mail = nil
		w.clock.Add(3 * oneDay)
		counts := race(func(int) error {
			_, err := w.Store.Remind(t.Context(), "north", portal.DefaultSettings().Reminders, w.clock.Now(), 10)
			return err
		})
		if counts[""] != 16 {
			t.Errorf("answers = %v", counts)
		}
		w.wantReminders(t, 1)
	})
}
