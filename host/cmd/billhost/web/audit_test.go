package web_test

import (
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

func (s *site) record(tb testing.TB, biller string, r addon.AuditRecord) {
	tb.Helper()
	if err := s.store.RecordAudit(tb.Context(), biller, r); err != nil {
		tb.Fatal(err)
	}
}

func TestAuditPage(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner, manager, viewer, nobody := s.signedIn(t, books.Owner), s.signedIn(t, books.Manager), s.signedIn(t, books.Viewer), s.visitor(t)
	operator := s.signedIn(t, books.Operator)
	s.addons.OperationsFn = func(by addon.Staff) ([]addon.Operation, error) {
		return []addon.Operation{{Action: addon.ActionUpgrade, AddonID: "portal", By: "Olga <o@p.example>", From: "1.0.0", To: "2.0.0", At: time.Now(), BillerID: s.other.ID}}, nil
	}
	s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "portal", Action: "session.started", PortalUserClaim: "u", CustomerID: s.mine.ID, RemoteIP: "192.0.2.7",
		Detail: map[string]string{"agent": "<b>Firefox</b>"}})
	s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "portal", Action: "session.refused", PortalUserClaim: "u", At: time.Date(2020, 2, 5, 12, 0, 0, 0, time.UTC)})
	s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "notices", Action: "addon.configured", StaffID: books.CommandLine, At: time.Date(2020, 2, 3, 23, 30, 0, 0, time.UTC)})
	s.record(t, s.other.ID, addon.AuditRecord{AddonID: "foreign-addon", Action: "foreign.action", CustomerID: s.theirs.ID})
	for _, tc := range []struct {
		name, query string
		who         *browser
		status      int
		has, not    string
	}{
		{"everything", "", owner, 200, "Customer signed in</th>|Rivera &lt;Family&gt;|192.0.2.7|&lt;b&gt;Firefox|Staff signed in|Settings of the add-on changed|Command line", "oreign|Add-ons of the platform"},
		{"manager", "", manager, 200, "Customer signed in", ""},
		{"viewer", "", viewer, 403, "Ask an owner", "Firefox"},
		{"viewer's navigation", "/../account", viewer, 200, "Your account", "/admin/audit"},
		{"nobody", "", nobody, 303, "", "Firefox"},
		{"customers only", "?who=portal-users", owner, 200, "Customer signed in</th>", "Staff signed in</th>"},
		{"group", "?what=addons", owner, 200, "Settings of the add-on changed", "Customer signed in</th>|Staff signed in</th>"},
		{"add-on", "?addon=notices", owner, 200, "Settings of the add-on changed", "Staff signed in</th>"},
		{"platform itself", "?addon=billhost", owner, 200, "Staff signed in", "Settings of the add-on changed<"},
		{"customer by number", "?customer=NW-1", owner, 200, "Firefox", "Staff signed in</th>"},
		{"customer by id", "?customer=" + s.mine.ID, owner, 200, "Firefox", "Staff signed in</th>"},
		{"foreign customer", "?customer=" + s.theirs.ID, owner, 200, "Nothing like this was recorded", "oreign"},
		{"unknown customer", "?customer=%3Cb%3E", owner, 422, `id="customer-error"|value="&lt;b&gt;"`, "Staff signed in</th>"},
		{"the biller's day", "?from=2020-02-03&to=2020-02-03", owner, 200, "February 3, 2020, 6:30 PM", "Staff signed in</th>"},
		{"a stranger guesses", "?from=2020-02-05&to=2020-02-05", owner, 200, "Customer sign-in refused|Somebody not signed in", `data-label="Who">Customer<`},
		{"day before", "?to=2020-02-02", owner, 200, "Nothing like this", ""},
		{"no day", "?from=yesterday", owner, 422, `id="from-error"|Enter a day`, "Staff signed in</th>"},
		{"no group", "?what=nothing", owner, 422, "", "Staff signed in</th>"},
		{"bad page", "?after=x", owner, 422, "does not exist", ""},
		{"NUL", "?who=%00&customer=%00", owner, 200, "Staff signed in", ""},
		{"operator", "", operator, 200, "Add-ons of the platform", ""},
		{"operators' audit", "?of=platform", operator, 200, "Add-on upgrade|from 1.0.0|Olga &lt;o@p.example&gt;|Harbor Electric", "Firefox"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, body := tc.who.get("/admin/audit" + tc.query)
			if strings.HasPrefix(tc.query, "/..") {
				res, body = tc.who.get("/admin/account")
			}
			if res.StatusCode != tc.status {
				t.Fatalf("status %d, want %d\n%s", res.StatusCode, tc.status, body)
			}
			for _, has := range strings.Split(tc.has, "|") {
				if !strings.Contains(strings.ReplaceAll(body, "<small>", "</th>"), has) {
					t.Errorf("no %q in\n%s", has, body)
				}
			}
			for _, not := range strings.Split(tc.not, "|") {
				if not != "" && strings.Contains(strings.ReplaceAll(body, "<small>", "</th>"), not) {
					t.Errorf("%q in\n%s", not, body)
				}
			}
			if res.StatusCode != 303 {
				checkPage(t, res, body)
			}
		})
	}
}

func TestOperatorsAuditIsRefusedToOthers(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	var asked []addon.Staff
	s.addons.OperationsFn = func(by addon.Staff) ([]addon.Operation, error) {
		asked = append(asked, by)
		return nil, nil
	}
	s.signedIn(t, books.Owner).get("/admin/audit?of=platform")
	if len(asked) != 1 || asked[0].Can(addon.AbilityOperate) || asked[0].BillerID != s.biller.ID {
		t.Errorf("the host, which refuses, was asked as %+v", asked)
	}
}

func TestAuditLeadsBothWays(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner := s.signedIn(t, books.Owner)
	for i := range 120 {
		s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "portal", Action: "a.b", Object: fmt.Sprintf("nr-%03d", i)})
	}
	path := "/admin/audit?addon=portal"
	for i, step := range []struct{ has, press string }{{"nr-119", "next"}, {"nr-069", "next"}, {"nr-019", "prev"}, {"nr-069", "prev"}, {"nr-119", ""}} {
		_, body := owner.get(path)
		if !strings.Contains(body, step.has) {
			t.Fatalf("page %d: no %s in\n%s", i, step.has, body)
		}
		if step.press != "" {
			m := regexp.MustCompile(`href="([^"]*)" rel="` + step.press).FindStringSubmatch(body)
			path = "/admin/audit" + html.UnescapeString(m[1])
		}
	}
}

func TestAuditDownload(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner, viewer := s.signedIn(t, books.Owner), s.signedIn(t, books.Viewer)
	for i := range 1500 { // more than is read at once
		s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "portal", Action: "a.b", Object: fmt.Sprint(i)})
	}
	for _, formula := range []string{"=1+1", "+1", "-1", "@A1", " =1", "\t=1", "\r=1"} {
		s.record(t, s.biller.ID, addon.AuditRecord{AddonID: "portal", Action: "f.x", Object: formula, Detail: map[string]string{formula: "x"}})
	}
	s.record(t, s.other.ID, addon.AuditRecord{AddonID: "portal", Action: "foreign.action"})
	if res, body := viewer.post("/admin/audit/export", nil); res.StatusCode != 403 {
		t.Errorf("viewer: %s\n%s", res.Status, body)
	}
	if res, _ := owner.do(http.MethodPost, "/admin/audit/export", nil, map[string]string{"Sec-Fetch-Site": "cross-site"}); res.StatusCode != 403 {
		t.Errorf("from another site: %s", res.Status)
	}
	if res, _ := owner.post("/admin/audit/export", url.Values{"from": {"x"}}); res.StatusCode != 422 {
		t.Errorf("no day: %s", res.Status)
	}
	res, body := owner.post("/admin/audit/export", url.Values{"addon": {"portal"}})
	if res.StatusCode != 200 || res.Header.Get("Content-Disposition") != `attachment; filename="audit.csv"` || res.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %v", res.Status, res.Header)
	}
	rows, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil || len(rows) != 1508 || strings.Contains(body, "oreign") {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for _, row := range rows {
		for _, cell := range row {
			if t2 := strings.TrimLeft(cell, " "); t2 != "" && strings.ContainsAny(t2[:1], "=+-@\t\r") {
				t.Errorf("a spreadsheet takes %q for a formula", cell)
			}
		}
	}
	// The download is in the audit itself, with what was chosen.
	list, err := s.store.FindAudit(t.Context(), s.biller.ID, books.AuditFilter{Action: books.AuditExported})
	if err != nil || len(list.Entries) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if diff := cmp.Diff(map[string]string{"addon": "portal"}, list.Entries[0].Detail); diff != "" || list.Entries[0].StaffName == "" || list.Entries[0].RemoteIP != "127.0.0.1" {
		t.Errorf("%+v\n%s", list.Entries[0], diff)
	}
}

func TestSigningInAgainEndsTheEarlierSession(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	b := s.signedIn(t, books.Owner)
	seen := map[string]bool{}
	for range 5 {
		old := b.Jar.Cookies(nil)[0].Value
		raw, err := base64.RawURLEncoding.DecodeString(old)
		if err != nil || len(raw) != 48 || seen[string(raw[16:])] { // the biller's id, and 256 random bits
			t.Fatalf("session %q of %d bytes, %v", old, len(raw), err)
		}
		seen[string(raw[16:])] = true
		if res, _ := b.post("/sign-in/"+s.link(t, books.Owner), nil); res.StatusCode != http.StatusSeeOther {
			t.Fatal(res.Status)
		}
		if b.Jar.Cookies(nil)[0].Value == old {
			t.Error("the token stays")
		}
		if _, err := s.store.Session(t.Context(), old); err == nil {
			t.Error("the earlier session lives on")
		}
	}
}
