package main

import (
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestStaffAccountsAreClosedByCommand: sessions end at once, the command says so, and
// the audit names who typed it.
func TestStaffAccountsAreClosedByCommand(t *testing.T) {
	t.Parallel()
	s := mustPlatform(t)
	session, _ := s.mustOwner(t)
	order := func(verb, slug, address string) result {
		t.Helper()
		return run(t, "staff", verb, "--data-dir", s.config.DataDir, "--biller", slug, "--email", address)
	}
	for _, bad := range [][2]string{{"none", "dana@acme.example"}, {"acme", "nobody@acme.example"}, {"acme", "no address"}} {
		if r := order("disable", bad[0], bad[1]); r.err == nil {
			t.Errorf("%v: %s", bad, r.stdout)
		}
	}
	if r := order("disable", "acme", "DANA@acme.example"); r.err != nil || !strings.Contains(r.stdout, "dana@acme.example of Acme is disabled") {
		t.Fatalf("disable: %+v", r)
	}
	if _, err := s.books.Session(t.Context(), session.Value); err == nil {
		t.Error("the session lives on")
	}
	b, err := s.books.BillerBySlug(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.books.StaffByEmail(t.Context(), b.ID, "dana@acme.example")
	if err != nil || !p.Disabled {
		t.Fatalf("closed: %+v, %v", p, err)
	}
	if r := order("enable", "acme", "dana@acme.example"); r.err != nil || !strings.Contains(r.stdout, "may sign in again") {
		t.Fatalf("enable: %+v", r)
	}
	list, err := s.books.FindAudit(t.Context(), b.ID, books.AuditFilter{StaffID: books.CommandLine, Limit: 2})
	if err != nil || len(list.Entries) != 2 || list.Entries[0].Action != books.AuditStaffEnabled || list.Entries[1].Action != books.AuditStaffDisabled || list.Entries[0].Detail["by"] == "" {
		t.Errorf("audit: %+v, %v", list.Entries, err)
	}
}
