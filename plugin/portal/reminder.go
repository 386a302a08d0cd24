package portal

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// MaxReminders is how often a person is reminded of one sending of an invitation.
const MaxReminders = 2

// Keys of the settings of reminders, as in manifest.yaml.
const (
	SettingFirstReminder  = "first_reminder_days"
	SettingSecondReminder = "second_reminder_days"
	SettingQuietFrom      = "quiet_from"
	SettingQuietTo        = "quiet_to"
)

// Reminders say when people are reminded of an invitation that they have not
// taken up.
type Reminders struct {
	// Days is how many days after the invitation each reminder is due; 0 is none.
	Days [MaxReminders]int
	// QuietFrom and QuietTo are the hours of the biller's day, 0 to 23, at which the
	// time begins and ends in which none goes out. Equal ones mean that there is no
	// such time.
	QuietFrom, QuietTo int
}

// Check refuses a second reminder that would not come after the first: Invalid
// with the field "second_reminder_days".
func (r Reminders) Check() error {
	if r.Days[1] > 0 && r.Days[1] <= r.Days[0] {
		return apperr.Field(SettingSecondReminder, "Choose more days than for the first reminder, or 0 for none.")
	}
	return nil
}

// Due returns which reminder of the invitation is due, 1 or 2, and 0 if none is.
// One whose successor is due too is skipped.
func (r Reminders) Due(inv Invitation, now time.Time) int {
	if !inv.State.Remindable() || !inv.Live(now) {
		return 0
	}
	for n := MaxReminders; n > inv.Reminded; n-- {
		if at := r.at(inv, n); !at.IsZero() && !now.Before(at) {
			return n
		}
	}
	return 0
}

// Next returns when the invitation's next reminder is due, or was if it has not
// gone out yet; zero if none will be.
func (r Reminders) Next(inv Invitation, now time.Time) time.Time {
	if !inv.State.Remindable() || !inv.Live(now) {
		return time.Time{}
	}
	for n := max(inv.Reminded, r.Due(inv, now)-1) + 1; n <= MaxReminders; n++ {
		if at := r.at(inv, n); !at.IsZero() && at.Before(inv.ExpiresAt) {
			return at
		}
	}
	return time.Time{}
}

func (r Reminders) at(inv Invitation, n int) time.Time {
	if r.Days[n-1] <= 0 {
		return time.Time{}
	}
	return inv.QueuedAt.Add(time.Duration(r.Days[n-1]) * 24 * time.Hour)
}

// QuietUntil returns when the quiet time ends that now, in the biller's zone, is
// in; zero if it is in none.
func (r Reminders) QuietUntil(now time.Time) time.Time {
	hour, from, to := now.Hour(), r.QuietFrom, r.QuietTo
	late := from > to && hour >= from
	if !late && !(hour < to && (from > to || hour >= from)) {
		return time.Time{}
	}
	day := now.Day()
	if late {
		day++
	}
	end := time.Date(now.Year(), now.Month(), day, to, 0, 0, 0, now.Location())
	if !end.After(now) {
		end = now.Add(time.Hour) // the clock was put forward over the end
	}
	return end
}

// Remindable tells whether somebody with an invitation in this state may be
// reminded: its mail went out, was not refused, and nobody has taken it up.
func (s InvitationState) Remindable() bool {
	switch s {
	case InvitationSent, InvitationDelivered, InvitationOpened, InvitationStarted:
		return true
	}
	return false
}

// ReminderStore reminds of invitations.
type ReminderStore interface {
	// Remind adds the mail of each reminder that is due, once, and reports how many
	// invitations it looked at, at most limit. Whoever has access already, or was
	// disabled, is not reminded, and not looked at again.
	Remind(ctx context.Context, biller string, r Reminders, now time.Time, limit int) (int, error)
}

// reminderMail looks once more whether there is a need: the mail may have waited out
// a quiet time.
func (s *Service) reminderMail(ctx context.Context, c Caller, m Mail, src MailSource, now time.Time) (Mail, error) {
	inv, set, n := src.Invitation, s.settings(ctx).Reminders, m.Ref.Seq
	if n < 1 || n > MaxReminders || set.Days[n-1] == 0 || inv.Reminded != n || !inv.State.Remindable() || src.Settled {
		return Mail{}, ErrStaleMail
	}
	m.Started, m.Quiet = src.Started, set
	return s.invitationMail(ctx, c, m, inv, now)
}
