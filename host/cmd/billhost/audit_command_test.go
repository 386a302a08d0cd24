package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// mustAudited returns the arguments for a platform with two billers and some
// records.
func mustAudited(tb testing.TB, name string, place []string) func(args ...string) []string {
	tb.Helper()
	if name == "postgres" {
		// Roles belong to the whole server: each test has its own.
		secret := filepath.Join(tb.TempDir(), "s")
		mustSecret(tb, secret)
		place = append(place, "--secret-file", secret)
	}
	with := func(args ...string) []string { return append(args, place...) }
	mustRun(tb, with("migrate")...)
	for _, slug := range []string{"acme", "zen"} {
		mustRun(tb, with("biller", "add", "--name", slug, "--slug", slug)...)
		mustRun(tb, with("staff", "add", "--biller", slug, "--email", "o@"+slug+".example", "--role", "owner")...)
	}
	return with
}

func TestAuditCommands(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := mustAudited(t, name, place)
			r := mustRun(t, with("audit", "verify", "--json")...)
			var all []verified
			if err := json.Unmarshal([]byte(r.stdout), &all); err != nil || len(all) != 2 || !all[0].OK || all[0].Records != 3 || !strings.HasPrefix(all[0].Head, "acme:3:") {
				t.Fatalf("verify: %s, %v", r.stdout, err)
			}
			if r := mustRun(t, with("audit", "verify", "--biller", "zen")...); r.stdout != "zen\t3 records hold\thead "+all[1].Head+"\n" {
				t.Errorf("verify one: %q", r.stdout)
			}
			mustRun(t, with("staff", "add", "--biller", "acme", "--email", "o@acme.example", "--role", "viewer")...)
			mustRun(t, with("audit", "verify", "--expect", all[0].Head, "--expect", all[1].Head)...)

			r = mustRun(t, with("audit", "export", "--biller", "acme")...)
			var actions []string
			for line := range strings.Lines(r.stdout) {
				var a auditLine
				if err := json.Unmarshal([]byte(line), &a); err != nil {
					t.Fatal(err)
				}
				actions = append(actions, a.Action)
				if a.Staff != "command-line" || !strings.HasPrefix(a.Detail["by"], "command line (") {
					t.Errorf("who: %s", line)
				}
			}
			if got := strings.Join(actions, " "); got != "staff.link_made staff.role_changed staff.link_made staff.added biller.added" {
				t.Errorf("export: %s", got)
			}
			r = mustRun(t, with("audit", "list", "--biller", "acme", "--action", "staff.role_changed", "--staff", "command-line", "--from", "2020-01-01", "--json")...)
			var some []auditLine
			if err := json.Unmarshal([]byte(r.stdout), &some); err != nil || len(some) != 1 || some[0].Detail["to"] != "viewer" {
				t.Errorf("list: %s, %v", r.stdout, err)
			}
			if r := mustRun(t, with("audit", "list", "--biller", "acme", "--to", "2020-01-01", "--json")...); r.stdout != "[]\n" {
				t.Errorf("list of the past: %s", r.stdout)
			}
			for says, args := range map[string][]string{
				"no such biller":    {"audit", "verify", "--biller", "none"},
				"SLUG:NUMBER:HASH":  {"audit", "verify", "--expect", "acme:x:y"},
				"not among":         {"audit", "verify", "--expect", "none:1:y"},
				"--customer":        {"audit", "list", "--biller", "acme", "--customer", "nobody"},
				"--staff":           {"audit", "list", "--biller", "acme", "--staff", "a@b.example"},
				"must be 1 to 1000": {"audit", "list", "--biller", "acme", "--limit", "1001"},
			} {
				if r := run(t, with(args...)...); r.err == nil || !strings.Contains(r.err.Error(), says) {
					t.Errorf("%v: %v, want %q", args, r.err, says)
				}
			}
		})
	}
}

func TestAuditVerifyNamesTheFirstBrokenRecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with := mustAudited(t, "sqlite", []string{"--data-dir", dir})
	var before []verified
	if err := json.Unmarshal([]byte(mustRun(t, with("audit", "verify", "--json")...).stdout), &before); err != nil {
		t.Fatal(err)
	}
	db, err := sqldb.Open(t.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "billhost.db")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.W.Exec(`UPDATE audit SET detail = '{"role":"viewer"}' WHERE seq = 2 AND biller_id = (SELECT biller_id FROM billers WHERE slug = 'zen')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	r := run(t, with("audit", "verify", "--expect", before[0].Head)...)
	if !errors.Is(r.err, errTampered) || !strings.Contains(r.stdout, "zen\tBROKEN after 1 records\trecord 2 (") || !strings.Contains(r.stdout, "acme\t3 records hold") {
		t.Errorf("%v\n%s", r.err, r.stdout)
	}
	r = run(t, with("audit", "verify", "--json", "--biller", "zen")...)
	var list []verified
	if err := json.Unmarshal([]byte(r.stdout), &list); r.err == nil || err != nil || list[0].OK || list[0].Break.Record != 2 || list[0].Head != "" {
		t.Errorf("%v, %v\n%s", r.err, err, r.stdout)
	}
}

// Several programs on one database, as a second server or a command line is,
// make one chain.
func TestAuditOfSeveralPrograms(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := mustAudited(t, name, place)
			var programs sync.WaitGroup
			for range 4 {
				l := mustBooks(t, with)
				for range 4 {
					programs.Go(func() {
						for range 5 {
							recordOne(t, l)
						}
					})
				}
			}
			programs.Wait()
			r := mustRun(t, with("audit", "verify", "--biller", "acme")...)
			if !strings.HasPrefix(r.stdout, "acme\t83 records hold\t") {
				t.Errorf("%s", r.stdout)
			}
		})
	}
}

func recordOne(t *testing.T, l *ledger) {
	t.Helper()
	b, err := l.BillerBySlug(t.Context(), "acme")
	if err == nil {
		err = l.RecordAudit(t.Context(), b.ID, addon.AuditRecord{Action: "a.b"})
	}
	if err != nil {
		t.Error(err)
	}
}

// mustBooks opens the books as one more program does.
func mustBooks(tb testing.TB, with func(...string) []string) *ledger {
	tb.Helper()
	var cli commands
	parser, err := kong.New(&cli)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := parser.Parse(with("migrate")); err != nil {
		tb.Fatal(err)
	}
	c, err := cli.Validate()
	if err != nil {
		tb.Fatal(err)
	}
	l, err := openBooks(tb.Context(), c, false)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := l.db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return l
}

// TestAuditListIsALineForARecord: nothing that an add-on wrote makes a line of its
// own, or reaches the terminal as a command.
func TestAuditListIsALineForARecord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with := mustAudited(t, "sqlite", []string{"--data-dir", dir})
	l, err := openBooks(t.Context(), Config{DataDir: dir}, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := l.BillerBySlug(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	err = l.RecordAudit(t.Context(), b.ID, addon.AuditRecord{
		AddonID: "hello", Action: "hello.said", Object: "x\n2026-01-01T00:00:00Z\tstaff.added", PortalUserClaim: "\x1b[2Jwho\u0085\u202e",
	})
	if err != nil {
		t.Fatal(err)
	}
	l.close(slog.New(slog.DiscardHandler))
	r := mustRun(t, with("audit", "list", "--biller", "acme", "--action", "hello.said")...)
	if !strings.HasSuffix(r.stdout, "Z\thello.said\t[2Jwho\tx 2026-01-01T00:00:00Z staff.added\t\n") || strings.Count(r.stdout, "\n") != 1 {
		t.Errorf("%q", r.stdout)
	}
}
