// Package notice says what a notice is. It knows neither pages nor SQL.
package notice

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

const (
	// MaxText is the longest text of a notice, in characters.
	MaxText = 500
	// MaxDays is the longest time a notice may be shown.
	MaxDays = 366
)

// Notice is a short text that a biller's customers read from its first day to
// its last. Days are texts like "2026-06-30", in the biller's time zone, and
// sort as they are.
type Notice struct {
	ID                string
	Text              string
	FirstDay, LastDay string
	// WrittenBy is the name of a member of staff.
	WrittenBy string
}

// Check returns Invalid with the fields text, first and last that are wrong.
// today is the day at the biller's.
func (n Notice) Check(today string) error {
	switch length := utf8.RuneCountInString(n.Text); {
	case strings.TrimSpace(n.Text) == "":
		return apperr.Field("text", "Write what your customers should know.")
	case length > MaxText:
		return apperr.Field("text", "Shorten this to 500 characters.")
	}
	first, err := time.Parse(time.DateOnly, n.FirstDay)
	if err != nil {
		return apperr.Field("first", "Enter the first day.")
	}
	last, err := time.Parse(time.DateOnly, n.LastDay)
	switch {
	case err != nil:
		return apperr.Field("last", "Enter the last day.")
	case n.LastDay < n.FirstDay:
		return apperr.Field("last", "The last day is before the first.")
	case n.LastDay < today:
		return apperr.Field("last", "This day is over. Nobody would see the notice.")
	case last.Sub(first) > MaxDays*24*time.Hour:
		return apperr.Field("last", "Show a notice for a year at most.")
	}
	return nil
}

// Today is the day at a moment in a time zone, an IANA name; in UTC if that is
// unknown.
func Today(now time.Time, zone string) string {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return now.In(loc).Format(time.DateOnly)
}

// Shown tells whether customers see the notice on the day.
func (n Notice) Shown(today string) bool { return n.FirstDay <= today && today <= n.LastDay }
