package main

import (
	"encoding/csv"
	"mime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// table reads a download as a spreadsheet does.
func (p *page) table() [][]string {
	p.tb.Helper()
	p.wants(200)
	text, ok := strings.CutPrefix(p.body, "\ufeff")
	if !ok || p.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		p.tb.Fatalf("%s: %q without the mark of UTF-8, or of type %q", p.path, p.body[:min(40, len(p.body))], p.header.Get("Content-Type"))
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		p.tb.Fatal(err)
	}
	return rows
}

// csvLink is where **Download CSV** of a page leads, below the staff pages.
func (p *page) csvLink(base string) string {
	p.tb.Helper()
	for n := range p.doc.Descendants() {
		if n.Data == "a" && textOf(n) == "Download CSV" {
			path, ok := strings.CutPrefix(attr(n, "href"), base)
			if !ok {
				p.tb.Fatalf("leads to %q", attr(n, "href"))
			}
			return path
		}
	}
	p.tb.Fatalf("%s: no Download CSV", p.path)
	return ""
}

// TestRegistrationsCSV: the file holds what the report is searched, filtered and
// sorted for, all pages of it, of one biller.
func TestRegistrationsCSV(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		slot, staff := r.staff(wire.Slot, portal.AbilityReport), r.staff(wire.Staff, portal.AbilityReport)
		names := func(query string) (out []string) {
			t.Helper()
			for _, row := range staff.open(slot.open("/registrations" + query).csvLink(staff.call.BasePath)).table()[1:] {
				out = append(out, row[0])
			}
			return out
		}
		harbor := `<b>Harbor</b> & "View"`
		for query, want := range map[string][]string{
			"":                             {harbor, "No Mail", "Rivera Family", "Rivera Rentals LLC"},
			"?sort=-display_name":          {"Rivera Rentals LLC", "Rivera Family", "No Mail", harbor},
			"?q=river":                     {"Rivera Family", "Rivera Rentals LLC"},
			"?status=No+email":             {"No Mail"},
			"?status=Not+invited&q=rivera": {"Rivera Rentals LLC"},
		} {
			if diff := cmp.Diff(want, names(query)); diff != "" {
				t.Errorf("%q (-want +got):\n%s", query, diff)
			}
		}
		p := staff.open("/registrations/download?q=river&sort=email")
		_, params, err := mime.ParseMediaType(p.header.Get("Content-Disposition"))
		today := r.clock.now()
		if err != nil || !slices.Contains([]string{
			"customer-portal-registrations-northwind-" + today.UTC().Format("2006-01-02") + ".csv",
			"customer-portal-registrations-northwind-" + today.AddDate(0, 0, -1).UTC().Format("2006-01-02") + ".csv",
		}, params["filename"]) {
			t.Errorf("file name %q, %v", params["filename"], err)
		}
		rows := p.table()
		if diff := cmp.Diff([]string{"Display Name", "Name", "Account Number", "Email", "Status", "Email Confirmed", "Last sent", "Registered on", "Agreement", "Sign-in differs from profile"}, rows[0]); diff != "" {
			t.Errorf("columns (-want +got):\n%s", diff)
		}
		if got := rows[1]; got[0] != "Rivera Family" || got[2] != "NW-1042" || got[3] != elena || got[4] != "Registered" || got[5] != "Yes" || len(got[7]) != 10 || got[8] != "Up to date" {
			t.Errorf("row %q", got)
		}
		r.eventually("the audit log knows", func() bool {
			for _, a := range r.Host.Audits() {
				if a.Action == "report.exported" && a.Biller == northwind && a.Object == "registrations" && a.Detail["searched"] == "yes" && a.Detail["sort"] == "email" {
					return true
				}
			}
			return false
		})
		for _, a := range r.Host.Audits() {
			if a.Action == "report.exported" && strings.Contains(strings.Join([]string{a.Detail["searched"], a.Detail["sort"], a.Detail["status"]}, " "), "river") {
				t.Errorf("the audit log keeps what was searched for: %v", a.Detail)
			}
		}
		foreign := r.staff(wire.Staff, portal.AbilityReport)
		foreign.call = r.StaffCall(contoso, portal.AbilityReport)
		if rows := foreign.open("/registrations/download").table(); len(rows) != 2 || rows[1][0] != "Rivera Elsewhere" {
			t.Errorf("the other biller's file: %q", rows)
		}
	})
}

// TestRegistrationsCSVIsNoProgram: what a spreadsheet would run is a text.
func TestRegistrationsCSVIsNoProgram(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	hostile := []string{
		"=HYPERLINK(\"http://evil.example\",\"Click\")", "+1+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "  =1+1", "\u00a0=1",
		"Pools;=1+1", `Pools; "=1+1"`, "Pools\t@SUM(A1)", "Pools\n\"=1+1", "＝1+1", `The "Blue" - Pools, -2`,
		"Plain, with a comma", "Quote \"d\"", "Line\nbreak", "Ünïcödé 日本", "O'Brien",
	}
	for i, name := range hostile {
		c := sdk.Customer{ID: "h" + string(rune('a'+i)), Name: name, DisplayName: name, Number: name, Version: 1}
		if err := r.Handle(t.Context(), northwind, sdk.Event{ID: c.ID, Kind: sdk.CustomerCreated, At: r.clock.now(), Customer: c}); err != nil {
			t.Fatal(err)
		}
	}
	found := map[string]bool{}
	for _, row := range r.staff(wire.Staff, portal.AbilityReport).open("/registrations/download").table() {
		for _, cell := range row {
			for _, part := range strings.FieldsFunc(cell, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) { // as where ; divides cells
				if rest := strings.TrimLeft(part, " \u00a0\""); rest != "" && strings.ContainsRune("=+-@＝", []rune(rest)[0]) {
					t.Errorf("cell %q is run", cell)
				}
			}
		}
		found[row[0]] = true
	}
	for _, want := range []string{"'+1+1", "'-2+3", "'@SUM(A1)", "Plain, with a comma", `Quote "d"`, "Ünïcödé 日本", "O'Brien", "Pools;'=1+1", `The "Blue" - Pools, -2`} {
		if !found[want] {
			t.Errorf("%q is missing in %v", want, found)
		}
	}
}

// TestRegistrationsCSVOfNothing: a table of columns alone, an early error as a page.
func TestRegistrationsCSVOfNothing(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	staff := r.staff(wire.Staff, portal.AbilityReport)
	for _, query := range []string{"?q=nobody", "?q=%21%21"} {
		if rows := staff.open("/registrations/download" + query).table(); len(rows) != 1 {
			t.Errorf("%s: %q", query, rows)
		}
		staff.open("/registrations"+query).wants(200, "No customer matches.").lacks("Download CSV")
	}
	staff.open("/registrations/download?q="+strings.Repeat("x", 300)).wants(200, "This search is too long")
	r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityConfigure).open("/registrations/download").wants(403)
	if n := len(r.Host.Audits()); n != 2 {
		t.Errorf("%d records, want those of the two files", n)
	}
}

// TestRegistrationsCSVIsStreamed: the database is read a page at a time, however
// many customers there are.
func TestRegistrationsCSVIsStreamed(t *testing.T) {
	t.Parallel()
	r, s, db := countedRig(t, nil)
	staff := r.staff(wire.Staff, portal.AbilityReport)
	if _, err := db.W.Exec(`
		WITH RECURSIVE ns (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM ns WHERE n < 1996)
		INSERT INTO customers (biller_id, id, number, name, display_name, company, email, email_norm, phone, address, parent_id, archived, type,
			balance_minor, currency, version, name_key, display_key, email_key, status, status_change_at, invited_at, registered_at, email_confirmed)
		SELECT biller_id, 'more' || n, '', 'More ' || n, '', '', '', '', '', address, '', FALSE, '', 0, '', 1, 'more', 'more', '', 'No email', 0, 0, 0, FALSE
		FROM customers, ns WHERE biller_id = 'northwind' AND id = 'c4'`); err != nil {
		t.Fatal(err)
	}
	s.take()
	if rows := staff.open("/registrations/download").table(); len(rows) != 2001 {
		t.Errorf("%d rows", len(rows))
	}
	pages := 0
	for _, statement := range s.take() {
		if strings.Contains(statement, "FROM customers c") && strings.Contains(statement, "ORDER BY c.display_key, c.id LIMIT") {
			pages++
		}
	}
	if pages != 5 {
		t.Errorf("2,000 customers in %d pages, want 4 of 500 and an empty one", pages)
	}
}
