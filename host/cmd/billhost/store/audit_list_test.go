package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func TestFindAudit(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		c := mustCustomer(t, w, w.a.ID, books.CustomerForm{Name: "Elena Rivera"})
		p := mustStaff(t, w, w.a.ID, "dana@northwind.example")
		start := w.clock()
		for i, r := range []addon.AuditRecord{
			{Action: "session.started", AddonID: "portal", PortalUserClaim: "u"},
			{Action: "staff.signed_in", StaffID: p.ID},
			{Action: "staffXsigned_in", StaffID: "gone"},
			{Action: "invitation.sent", AddonID: "portal", StaffID: p.ID, CustomerID: c.ID},
			{Action: "addon.configured", AddonID: "notices", StaffID: books.CommandLine},
		} {
			w.pass(time.Minute)
			r.Object = fmt.Sprint(i)
			mustRecord(t, w, w.a.ID, r)
			mustRecord(t, w, w.b.ID, addon.AuditRecord{Action: r.Action, AddonID: "foreign", Object: "foreign", CustomerID: c.ID, StaffID: p.ID, PortalUserClaim: "u"})
		}
		find := func(f books.AuditFilter) string {
			t.Helper()
			list, err := w.FindAudit(t.Context(), w.a.ID, f)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range list.Entries {
				if !e.At.Equal(start) {
					got = append(got, e.Object)
				}
			}
			return strings.Join(got, " ")
		}
		for name, tc := range map[string]struct {
			filter books.AuditFilter
			want   string
		}{
			"everything":       {books.AuditFilter{}, "4 3 2 1 0"},
			"from":             {books.AuditFilter{From: start.Add(3 * time.Minute)}, "4 3 2"},
			"until":            {books.AuditFilter{Until: start.Add(3 * time.Minute)}, "1 0"},
			"staff":            {books.AuditFilter{StaffID: p.ID}, "3 1"},
			"command line":     {books.AuditFilter{StaffID: books.CommandLine}, "4"},
			"portal users":     {books.AuditFilter{PortalUsers: true}, "0"},
			"group":            {books.AuditFilter{Group: "sign-in"}, "1 0"},
			"staff's group":    {books.AuditFilter{Group: "staff"}, "1"},
			"action":           {books.AuditFilter{Action: "invitation.sent"}, "3"},
			"customer":         {books.AuditFilter{CustomerID: c.ID}, "3"},
			"add-on":           {books.AuditFilter{AddonID: "notices"}, "4"},
			"another's add-on": {books.AuditFilter{AddonID: "foreign"}, ""},
			"platform":         {books.AuditFilter{Platform: true}, "2 1"},
			"no text":          {books.AuditFilter{AddonID: "a\x00", CustomerID: "\xff"}, ""},
			"two":              {books.AuditFilter{StaffID: p.ID, AddonID: "portal"}, "3"},
		} {
			if got := find(tc.filter); got != tc.want {
				t.Errorf("%s: %q, want %q", name, got, tc.want)
			}
		}
		list, err := w.FindAudit(t.Context(), w.a.ID, books.AuditFilter{CustomerID: c.ID})
		if err != nil || list.Entries[0].CustomerName != "Elena Rivera" || list.Entries[0].StaffName != "Dana" {
			t.Errorf("names: %+v, %v", list, err)
		}
		addons, err := w.AuditAddons(t.Context(), w.a.ID)
		if diff := cmp.Diff([]string{"notices", "portal"}, addons); err != nil || diff != "" {
			t.Errorf("add-ons: %v\n%s", err, diff)
		}
		for _, f := range []books.AuditFilter{{Group: "none"}, {After: "x"}, {Before: "x"}, {Limit: -1}} {
			_, err := w.FindAudit(t.Context(), w.a.ID, f)
			wantCode(t, fmt.Sprintf("%+v", f), err, apperr.Invalid)
		}
	})
}

func TestAuditLeadsBothWays(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		for i := range 24 { // 25 with the biller's own; all at the same moment
			mustRecord(t, w, w.a.ID, addon.AuditRecord{Action: "a.b", Object: fmt.Sprint(i)})
		}
		at := books.AuditFilter{Limit: 10}
		for i, step := range []struct {
			first, n int
			press    string
		}{{23, 10, "next"}, {13, 10, "next"}, {3, 5, "prev"}, {13, 10, "prev"}, {23, 10, ""}} {
			list, err := w.FindAudit(t.Context(), w.a.ID, at)
			if err != nil {
				t.Fatal(err)
			}
			if len(list.Entries) != step.n || list.Entries[0].Object != fmt.Sprint(step.first) {
				t.Fatalf("page %d: %d records from %q", i, len(list.Entries), list.Entries[0].Object)
			}
			if (list.Prev == "") != (step.first == 23) || (list.Next == "") != (step.first == 3) {
				t.Errorf("page %d: prev %q, next %q", i, list.Prev, list.Next)
			}
			at.After, at.Before = list.Next, ""
			if step.press == "prev" {
				at.After, at.Before = "", list.Prev
			}
		}
	})
}
