package notice_test

import (
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/example/notices/notice"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, first, last string
		field                   string
	}{
		{"today", "Closed", "2026-06-15", "2026-06-15", ""},
		{"a year", "Closed", "2026-06-15", "2027-06-16", ""},
		{"already begun", "Closed", "2026-06-01", "2026-06-15", ""},
		{"longest", strings.Repeat("é", 500), "2026-06-15", "2026-06-15", ""},
		{"blank", " \n", "2026-06-15", "2026-06-15", "text"},
		{"too long", strings.Repeat("é", 501), "2026-06-15", "2026-06-15", "text"},
		{"no day", "Closed", "15.6.2026", "2026-06-15", "first"},
		{"no last day", "Closed", "2026-06-15", "", "last"},
		{"impossible day", "Closed", "2026-06-15", "2026-06-31", "last"},
		{"backwards", "Closed", "2026-06-16", "2026-06-15", "last"},
		{"over", "Closed", "2026-06-13", "2026-06-14", "last"},
		{"too many days", "Closed", "2026-06-15", "2027-06-17", "last"},
	}
	for _, tt := range tests {
		err := notice.Notice{Text: tt.text, FirstDay: tt.first, LastDay: tt.last}.Check("2026-06-15")
		if tt.field == "" && err != nil || tt.field != "" && apperr.FieldsOf(err)[tt.field] == "" {
			t.Errorf("%s: %v, want a problem with %q", tt.name, err, tt.field)
		}
	}
}

func TestToday(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 15, 3, 0, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"America/New_York": "2026-06-14", "Asia/Tokyo": "2026-06-15", "UTC": "2026-06-15", "Mars/Olympus": "2026-06-15",
	} {
		if got := notice.Today(at, zone); got != want {
			t.Errorf("%s: %s, want %s", zone, got, want)
		}
	}
}

func TestShown(t *testing.T) {
	t.Parallel()
	n := notice.Notice{FirstDay: "2026-06-10", LastDay: "2026-06-12"}
	for day, want := range map[string]bool{
		"2026-06-09": false, "2026-06-10": true, "2026-06-11": true, "2026-06-12": true, "2026-06-13": false,
	} {
		if n.Shown(day) != want {
			t.Errorf("%s: %v", day, !want)
		}
	}
}
