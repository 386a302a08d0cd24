package admin

import (
	"html/template"
	"time"

	"github.com/billing-addons/customer-portal/sdk/web"
)

// day is the calendar day that t falls on in the time zone (an IANA name; UTC if
// unknown), as web.Date writes it; nothing for the zero time.
func day(t time.Time, zone string) template.HTML {
	if t.IsZero() {
		return ""
	}
	y, m, d := in(t, zone).Date()
	return web.Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
}

// in is t as clocks show it in the time zone; UTC if that is unknown.
func in(t time.Time, zone string) time.Time {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return t.In(loc)
}
