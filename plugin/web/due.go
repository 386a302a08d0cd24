package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/sdk"
)

// soonDays is how many days ahead an invoice counts as due soon.
const soonDays = 7

// sum adds amounts; currencies stay apart, and so do amounts whose sum 64 bits
// cannot hold.
type sum []sdk.Money

func (s sum) add(m sdk.Money) sum {
	for i := range s {
		if n := s[i].Minor + m.Minor; s[i].Currency == m.Currency && (n > s[i].Minor) == (m.Minor > 0) {
			s[i].Minor = n
			return s
		}
	}
	return append(s, m)
}

func (s sum) text(t catalogue.Text) string {
	parts := make([]string, len(s))
	for i, m := range s {
		parts[i] = t.Money(m)
	}
	return strings.Join(parts, " + ")
}

// bucket is the invoices of one urgency; last is the latest day due in it,
// late the most days over.
type bucket struct {
	sum   sum
	count int
	last  time.Time
	late  int
}

// due sorts open invoices by urgency.
type due struct{ overdue, soon, later bucket }

func dueOf(invoices []sdk.Invoice, today time.Time) due {
	var d due
	for _, inv := range invoices {
		b := &d.later
		switch days := daysUntil(inv.DueOn, today); {
		case days < 0:
			b = &d.overdue
			b.late = max(b.late, -days)
		case days <= soonDays:
			b = &d.soon
		}
		b.sum = b.sum.add(inv.Balance)
		b.count++
		if inv.DueOn.After(b.last) {
			b.last = inv.DueOn
		}
	}
	return d
}

func daysUntil(day, today time.Time) int {
	return int(day.UTC().Truncate(24*time.Hour).Sub(today) / (24 * time.Hour))
}

func (d due) total() sum {
	var s sum
	for _, b := range []bucket{d.overdue, d.soon, d.later} {
		for _, m := range b.sum {
			s = s.add(m)
		}
	}
	return s
}

// dueGroup is a line beside the amount owed.
type dueGroup struct{ Tone, Icon, Name, Detail, Amount string }

func (d due) groups(t catalogue.Text) []dueGroup {
	var out []dueGroup
	if b := d.overdue; b.count > 0 {
		key := "home.group.late.days"
		if b.count == 1 {
			key = "home.group.late.one"
		}
		detail := t.N(key, b.late, "Invoices", t.N("home.invoices", b.count))
		out = append(out, dueGroup{"bad", "warning", t.T("home.group.overdue"), detail, b.sum.text(t)})
	}
	if b := d.soon; b.count > 0 {
		out = append(out, dueGroup{"warn", "clock", t.T("home.group.soon"), t.N("home.group.later.detail", b.count, "Day", t.DayOfWeek(b.last)), b.sum.text(t)})
	}
	if b := d.later; b.count > 0 {
		out = append(out, dueGroup{"info", "calendar", t.T("home.group.later"), t.N("home.group.later.detail", b.count, "Day", t.Day(b.last)), b.sum.text(t)})
	}
	return out
}

// dueChart is the bar above the groups, in percent of the total.
type dueChart struct {
	Label string
	Bars  []dueBar
}

type dueBar struct{ Tone, X, Width string }

// chart is nil where shares mean nothing: several currencies, one group, credits.
func (d due) chart(t catalogue.Text) *dueChart {
	total := d.total()
	if len(total) != 1 || total[0].Minor <= 0 {
		return nil
	}
	share := func(b bucket) float64 {
		if len(b.sum) == 0 {
			return 0
		}
		return 100 * float64(b.sum[0].Minor) / float64(total[0].Minor)
	}
	shares := []float64{share(d.overdue), share(d.soon), share(d.later)}
	chart := &dueChart{Label: t.T("home.chart", "Total", total.text(t),
		"Overdue", percent(shares[0]), "Soon", percent(shares[1]), "Later", percent(shares[2]))}
	const gap = 0.4
	x := 0.0
	for i, tone := range []string{"bad", "warn", "info"} {
		if shares[i] < 0 {
			return nil
		}
		if shares[i] == 0 {
			continue
		}
		chart.Bars = append(chart.Bars, dueBar{Tone: tone, X: fmt.Sprintf("%.1f", x), Width: fmt.Sprintf("%.1f", max(shares[i]-gap, gap))})
		x += shares[i]
	}
	if len(chart.Bars) < 2 {
		return nil
	}
	return chart
}

func percent(share float64) string { return fmt.Sprintf("%.0f", share) }

// dueBadge says how urgent an open invoice is.
func dueBadge(t catalogue.Text, inv sdk.Invoice, today time.Time) badge {
	switch days := daysUntil(inv.DueOn, today); {
	case days < 0:
		return badge{"bad", "warning", t.T("invoice.badge.overdue")}
	case days == 0:
		return badge{"warn", "clock", t.T("home.due.today")}
	case days <= soonDays:
		return badge{"warn", "clock", t.N("home.due.in", days)}
	}
	return badge{"info", "document", t.T("invoice.badge.open")}
}
