package catalogue

import (
	"html/template"
	"strconv"
	"strings"
	"time"
)

// Date writes a moment's day in the zone of the texts: "June 15, 2026".
func (t Text) Date(at time.Time) string { return t.date("date.long", at.In(t.zone)) }

// ShortDate is Date for tables: "Jun 9, 2026".
func (t Text) ShortDate(at time.Time) string { return t.date("date.short", at.In(t.zone)) }

// PlainDay is Date for files: "2026-06-09".
func (t Text) PlainDay(at time.Time) string { return at.In(t.zone).Format(time.DateOnly) }

// DateTime writes a moment: "June 8, 2026, 9:01 AM".
func (t Text) DateTime(at time.Time) string {
	at = at.In(t.zone)
	return t.T("date.time", "Date", t.date("date.long", at), "Time", at.Format(t.T("time.layout")))
}

// Moment is DateTime with its zone, for who reads it elsewhere: "June 8, 2026,
// 9:01 AM EDT". A zone without a short name counts from UTC: "UTC+03".
func (t Text) Moment(at time.Time) string {
	zone := at.In(t.zone).Format("MST")
	if strings.HasPrefix(zone, "+") || strings.HasPrefix(zone, "-") {
		zone = "UTC" + zone
	}
	return t.DateTime(at) + " " + zone
}

// Day writes a calendar day, which is at midnight UTC in every zone.
func (t Text) Day(day time.Time) string { return t.date("date.long", day.UTC()) }

// DayOfWeek writes a calendar day without the year: "Monday, June 15".
func (t Text) DayOfWeek(day time.Time) string { return t.date("date.weekday", day.UTC()) }

// Time is a <time> element around DateTime.
func (t Text) Time(at time.Time) template.HTML {
	return element(at.UTC().Format(time.RFC3339), t.DateTime(at))
}

// TimeMoment is a <time> element around Moment, whose hour stays with its zone.
func (t Text) TimeMoment(at time.Time) template.HTML {
	text := t.Moment(at)
	if i := strings.LastIndex(text, ", "); i >= 0 {
		text = text[:i+2] + strings.ReplaceAll(text[i+2:], " ", "\u00a0")
	}
	return element(at.UTC().Format(time.RFC3339), text)
}

// TimeDate is a <time> element around Date.
func (t Text) TimeDate(at time.Time) template.HTML {
	return element(at.In(t.zone).Format(time.DateOnly), t.Date(at))
}

// TimeDay is a <time> element around Day.
func (t Text) TimeDay(day time.Time) template.HTML {
	return element(day.UTC().Format(time.DateOnly), t.Day(day))
}

// Today is the calendar day that now falls on in the zone of the texts.
func (t Text) Today(now time.Time) time.Time {
	y, m, d := now.In(t.zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

func (t Text) date(key string, at time.Time) string {
	month := strconv.Itoa(int(at.Month()))
	return t.T(key,
		"Weekday", t.T("weekday."+strconv.Itoa(int(at.Weekday()))),
		"Month", t.T("month."+month),
		"Short", t.T("month.short."+month),
		"Day", at.Day(),
		"Year", at.Year())
}

func element(datetime, text string) template.HTML {
	return template.HTML(`<time datetime="` + template.HTMLEscapeString(datetime) + `">` + template.HTMLEscapeString(text) + `</time>`)
}
