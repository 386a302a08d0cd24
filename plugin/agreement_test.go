package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// configurer is staff who may publish.
func (r *rig) configurer() *browser { return r.staff(wire.Staff, portal.AbilityConfigure) }

// published publishes a version that counts from today.
func (r *rig) published(text string) {
	r.tb.Helper()
	b := r.configurer()
	b.press(b.open("/agreement/new"), "Publish", "text", text, "on", r.day(0)).wants(200, "is published")
}

// day is a day from today where the biller is.
func (r *rig) day(days int) string {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		r.tb.Fatal(err)
	}
	return r.clock.now().In(zone).AddDate(0, 0, days).Format(time.DateOnly)
}

// routes are the public pages, by who may use them ("member", "signedIn", "anyone"), as the
// code of the pages names them.
func routes(tb testing.TB) map[string][]string {
	tb.Helper()
	files, err := filepath.Glob("web/*.go")
	if err != nil {
		tb.Fatal(err)
	}
	found := map[string][]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			tb.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok || len(lit.Elts) != 3 {
				return true
			}
			pattern, isText := lit.Elts[0].(*ast.BasicLit)
			access, isName := lit.Elts[1].(*ast.Ident)
			if isText && isName && slices.Contains([]string{"member", "signedIn", "anyone"}, access.Name) {
				text, err := strconv.Unquote(pattern.Value)
				if err != nil {
					tb.Fatal(err)
				}
				found[access.Name] = append(found[access.Name], text)
			}
			return true
		})
	}
	return found
}

// TestNewVersionGatesEveryPage: from its moment on, in sessions that are open, for
// each route that is not listed as one for anybody, or as a right that asks for no
// agreement.
func TestNewVersionGatesEveryPage(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		b.open("/").wants(200, "You owe")
		r.published("# Terms\n\nNew terms.")
		members := routes(t)["member"]
		if len(members) < 10 || !slices.Contains(members, "GET /security") {
			t.Fatalf("routes for members: %v", members)
		}
		if diff := cmp.Diff([]string{"GET /security/agreements/{version}/{file}", "GET /security/erase", "POST /security/erase"}, slices.Sorted(slices.Values(routes(t)["signedIn"]))); diff != "" {
			t.Errorf("open behind the gate (-want +got):\n%s", diff)
		}
		for _, pattern := range members {
			method, path, ok := strings.Cut(pattern, " ")
			if !ok {
				t.Fatalf("%q names no method", pattern)
			}
			path = strings.NewReplacer("{$}", "", "{version}", "1", "{file}", "proof.pdf", "{id}", "inv1").Replace(path)
			form := url.Values{"customer": {"c1"}, "session": {"x"}, "email": {"x@y.example"}, "current": {secret}, "password": {secret + "2"}}
			if method == http.MethodGet {
				form = nil
			}
			p := b.do(method, path, form).wants(http.StatusSeeOther)
			if p.location != "/portal/northwind/sign-up/agreement" {
				t.Errorf("%s leads to %q", pattern, p.location)
			}
		}
		b.open("/security").wants(200, "You accepted version 1", "What is new in version 2", "New terms.")
	})
}

// TestRightsThatAskForNoAgreement: whoever does not accept a new version gets the proof
// of what they accepted before, and may erase the sign-in, and nothing else.
func TestRightsThatAskForNoAgreement(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		b.open("/sign-up/agreement").wants(200, "You owe")
		r.published("# Terms\n\nNew terms.")
		gate := b.open("/").wants(200, "I Accept", "What you accepted before", "Version 1 accepted", "Proof as PDF", "Erase my sign-in").lacks("Version 2 accepted", "Rivera Family")
		for _, n := range []string{"pdf", "json"} {
			if !strings.Contains(gate.body, `href="/portal/northwind/security/agreements/1/proof.`+n) {
				t.Errorf("no way to proof.%s", n)
			}
		}
		if p := b.do(http.MethodGet, "/security/agreements/1/proof.pdf", nil); !strings.HasPrefix(p.body, "%PDF-") {
			t.Errorf("the proof: %d", p.status)
		}
		b.do(http.MethodGet, "/security/agreements/1/proof.json", nil).wants(200, elena)
		b.do(http.MethodGet, "/security/agreements/2/proof.json", nil).wants(404)
		for _, foreign := range []*browser{r.browser(contoso), r.browser(northwind)} {
			foreign.do(http.MethodGet, "/security/agreements/1/proof.json", nil).wants(303)
			foreign.do(http.MethodPost, "/security/erase", url.Values{"current": {secret}}).wants(303)
		}
		p := b.open(linkTo(t, gate, "Erase my sign-in", b)).wants(200, "It cannot be undone.", "Back to the agreement").lacks("Rivera Family", "Back to Security", "Invoices")
		if !strings.Contains(p.body, `action="/portal/northwind/sign-out"`) {
			t.Error("the page has no Sign out")
		}
		p = b.press(p, "Erase my sign-in for good", "current", "not the password").wants(422, "That is not your current password", "Back to the agreement").lacks("Rivera Family")
		b.press(p, "Erase my sign-in for good", "current", secret).wants(200, "Your sign-in is erased")
		b.open("/").wants(200, "Sign in").lacks("You owe")
		b.press(b.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(401)
	})
}

// TestFirstSignUpHasNothingBesideTheAgreement: who accepts for the first time has
// nothing to prove yet, and no sign-in of their own to erase before signing in.
func TestFirstSignUpHasNothingBesideTheAgreement(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.browser(northwind)
	p := b.press(b.press(b.open(r.invited("c1", elena)), "Sign Up", "email", elena, "password", secret), "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	p.wants(200, "I Accept").lacks("Erase my sign-in", "What you accepted before")
	b.do(http.MethodGet, "/security/erase", nil).wants(303)
	p = b.press(p, "I do not accept").wants(200, "You did not accept the agreement")
	b.press(p, "Sign in", "email", elena, "password", secret).wants(200, "I Accept", "Erase my sign-in").lacks("What you accepted before")
	r.eventually("the audit log knows", func() bool {
		return slices.ContainsFunc(r.Host.Audits(), func(a sdktest.Audit) bool { return a.Action == "agreement.declined" && a.Biller == northwind })
	})
}

// TestLinkOfTheAgreementChanged: customers see where a link led, and leads now, if
// that alone is new.
func TestLinkOfTheAgreementChanged(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	r.published("Read the [price list](https://old.example/prices) first.")
	b := r.registered("c1", elena)
	r.published("Read the [price list](https://new.example/prices) first.")
	b.open("/").wants(200, "Removed: price list (https://old.example/prices)", "Added: price list (https://new.example/prices)")
}

func TestAskedAgainWithDifferences(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		text := portal.DefaultAgreement(time.Time{}).Markdown()
		r.published(strings.Replace(text, "Keep your password to yourself.", "Never lend your password to anybody.", 1) + "\n## 8. Courts\n\nThose of <Clearwater>.\n")
		p := b.open("/").wants(200, "Customer Portal User Agreement", "You accepted version 1 on", "Removed: Keep", "Added: Never lend", "8. Courts", "Those of <Clearwater>.", "The whole agreement", "We send messages about your sign-in")
		for _, want := range []string{`<ins class="tone good">`, `<del class="tone bad">`, `<h3>1. Your sign-in</h3>`, "&lt;Clearwater&gt;"} {
			if !strings.Contains(p.body, want) {
				t.Errorf("no %s in\n%s", want, p.body)
			}
		}
		again := r.browser(northwind)
		again.press(again.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You accepted version 1 on", "I Accept")
		b.press(p, "I Accept").wants(200, "You owe")
		again.open("/").wants(200, "You owe")
		again.open("/agreement").wants(200, "Version 2, in effect since", "8. Courts").lacks("You accepted")
		newcomer := r.browser(contoso)
		newcomer.open("/agreement").wants(200, "Version 1, in effect since", "7. Changes").lacks("Courts")
		r.staff(wire.Slot, portal.AbilityReport).open("/registrations?q=elena").wants(200, "Agreement", "Up to date")
		r.staff(wire.Slot, portal.AbilityReport).open("/registrations?q="+strings.Repeat("x", 3000)).wants(200, "This search is too long: 200 characters at most.", "Nothing was searched for.").lacks("Rivera")
		r.published("Something else.")
		r.staff(wire.Slot, portal.AbilityReport).open("/registrations?q=elena").wants(200, "Registered", "Pending")
	})
}

func TestVersionsPages(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		r.registered("c1", elena)
		s := r.configurer()
		s.open("/agreement").wants(200, "Version 1", "In force", "1 person", "The platform's text").lacks("/withdraw")
		p := s.open("/agreement/new").wants(200, "It will be version 2", "## 1. Your sign-in")
		typed := "# Terms\n\nPay [here](https://pay.example/).\n\n<script>alert(1)</script>"
		p = s.press(p, "Preview", "text", typed, "on", r.day(3)).wants(200, "Pay here (https://pay.example/) .", "What is new since version 1", "Removed:")
		if attr(p.input("on"), "value") != r.day(3) || !strings.Contains(p.text(), typed[:7]) {
			t.Errorf("the preview lost something:\n%s", p.body)
		}
		for n := range p.doc.Descendants() {
			if n.Data == "script" || n.Data == "a" && strings.HasPrefix(attr(n, "href"), "https:") {
				t.Errorf("the preview has <%s>", n.Data)
			}
		}
		s.press(s.open("/agreement/new"), "Preview", "text", typed, "on", "").wants(200, "Pay here")
		if p = s.press(p, "Publish", "text", typed, "on", r.day(3)); !strings.Contains(p.path, "notice=published&version=2") {
			t.Fatalf("at %s: %s", p.path, p.text())
		}
		p = s.open("/agreement").wants(200, "Version 2", "Scheduled", "0 people", "Dana Whitfield", "Version 1", "In force")
		s.open("/agreement/versions/2").wants(200, "Version 2", "Scheduled", "What is new since version 1", "<script>alert(1)</script>")
		s.open("/agreement/versions/1").wants(200, "Version 1", "In force", "7. Changes").lacks("What is new")
		s.open("/agreement/versions/3").wants(404)
		s.press(p, "Withdraw").wants(200, "Version 2 is withdrawn", "Withdrawn")
		s.do(http.MethodPost, "/agreement/versions/2/withdraw", url.Values{}).wants(409, "withdrawn already")
		s.do(http.MethodPost, "/agreement/versions/1/withdraw", url.Values{}).wants(409, "in force")
		s.do(http.MethodPost, "/agreement/versions/9/withdraw", url.Values{}).wants(404)
		if diff := cmp.Diff([]string{"agreement.published", "agreement.withdrawn"}, staffActions(r)); diff != "" {
			t.Errorf("audit (-want +got):\n%s", diff)
		}
	})
}

// staffActions are those about versions in the platform's audit log, in order.
func staffActions(r *rig) []string {
	var out []string
	for _, a := range r.Host.Audits() {
		if a.Action == "agreement.published" || a.Action == "agreement.withdrawn" {
			out = append(out, a.Action)
		}
	}
	return out
}

func TestDraftsWithMistakes(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	s := r.configurer()
	p := s.open("/agreement/new")
	for _, button := range []string{"Preview", "Publish"} {
		s.press(p, button, "text", " \r\n", "on", r.day(0)).wants(422, "Write the text of the agreement.")
		s.press(p, button, "text", strings.Repeat("ü\r\n", portal.MaxAgreement/3+10), "on", r.day(0)).wants(422, "The text is too long. 64 KiB is the most")
		s.press(p, button, "text", strings.Repeat("*[", 2000)+"a", "on", r.day(0)).wants(422, "too many signs")
		s.press(p, button, "text", "New.", "on", r.day(-1)).wants(422, "That day is over").wants(422, "New.")
		s.press(p, button, "text", "New.", "on", "tomorrow").wants(422, "Choose the day")
		s.press(p, button, "text", "New.", "on", "9999-01-01").wants(422, "Two years")
	}
	s.press(p, "Publish", "text", "New.", "on", "").wants(422, "Choose the day")
	other := r.configurer()
	tab := other.open("/agreement/new")
	s.press(p, "Publish", "text", "First tab.", "on", r.day(2)).wants(200, "Version 2 is published")
	tab = other.press(tab, "Publish", "text", "Second tab.", "on", r.day(2)).wants(409, "Another version was published in the meantime", "It will be version 3", "Second tab.")
	other.press(tab, "Publish", "text", "Second tab.", "on", r.day(1)).wants(422, "Another version takes effect later")
	other.press(tab, "Publish", "text", "First tab.", "on", r.day(2)).wants(422, "the same as that of the newest")
	other.press(tab, "Publish", "text", "Second tab.", "on", r.day(2)).wants(200, "Version 3 is published")
	weak := r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityReport)
	weak.open("/").wants(200).lacks(`/agreement"`)
	for _, path := range []string{"/agreement", "/agreement/new", "/agreement/versions/1"} {
		weak.open(path).wants(403)
	}
	weak.do(http.MethodPost, "/agreement/new", url.Values{"text": {"x"}, "do": {"publish"}}).wants(403)
	weak.do(http.MethodPost, "/agreement/versions/3/withdraw", url.Values{}).wants(403)
	r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityConfigure).open("/").wants(200, "User agreement")
}

func TestProofFiles(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		b := r.registered("c1", elena)
		page := b.open("/security").wants(200, "Version 1 accepted", "Proof as PDF")
		pdf := b.do(http.MethodGet, "/security/agreements/1/proof.pdf", nil)
		if pdf.header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(pdf.body, "%PDF-") ||
			pdf.header.Get("Content-Disposition") != `attachment; filename="agreement-1-elena@riverafamily.example.pdf"` {
			t.Errorf("%v %.20q", pdf.header, pdf.body)
		}
		if !strings.Contains(page.body, "/portal/northwind/security/agreements/1/proof.json") {
			t.Error("the page does not lead to the file")
		}
		mine := b.do(http.MethodGet, "/security/agreements/1/proof.json", nil).wants(200)
		var proof struct {
			Person      struct{ ID, Email string }
			Agreement   struct{ Text string }
			TextMatches bool `json:"text_matches"`
		}
		if err := json.NewDecoder(bytes.NewReader([]byte(mine.body))).Decode(&proof); err != nil || proof.Person.Email != elena || !proof.TextMatches {
			t.Fatalf("%s: %v", mine.body, err)
		}
		tab := r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, "Version 1 accepted", "Proof as PDF")
		path := fmt.Sprintf("/customers/c1/people/%s/agreements/1/proof.", proof.Person.ID)
		if !strings.Contains(tab.body, path+"pdf") {
			t.Errorf("%s is not on the tab", path)
		}
		staff := r.staff(wire.Staff, portal.AbilityInvite)
		if p := staff.do(http.MethodGet, path+"pdf", nil); !strings.HasPrefix(p.body, "%PDF-") {
			t.Errorf("staff's file: %d", p.status)
		}
		staff.do(http.MethodGet, path+"json", nil).wants(200)
		staff.do(http.MethodGet, path+"exe", nil).wants(404)
		staff.do(http.MethodGet, strings.Replace(path, "c1", "c2", 1)+"pdf", nil).wants(404)
		r.staff(wire.Staff, portal.AbilityReport).do(http.MethodGet, path+"pdf", nil).wants(403)
		foreign := r.staff(wire.Staff, portal.AbilityInvite)
		foreign.call = r.StaffCall(contoso, portal.AbilityInvite)
		foreign.do(http.MethodGet, path+"pdf", nil).wants(404)
		for _, odd := range []string{"/security/agreements/2/proof.pdf", "/security/agreements/1/proof.txt", "/security/agreements/%00/proof.pdf"} {
			b.do(http.MethodGet, odd, nil).wants(404)
		}
		if p := r.browser(northwind).do(http.MethodGet, "/security/agreements/1/proof.pdf", nil); p.status != 303 {
			t.Errorf("a stranger gets %d", p.status)
		}
	})
}

// TestHostileAgreement: what staff write cannot become markup of the customers' pages.
func TestHostileAgreement(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.AddCustomer(northwind, sdk.Customer{ID: "c9", Name: "Nine", Email: "nine@nine.example", Version: 1})
	})
	b := r.registered("c1", elena)
	r.published("# <img src=x onerror=alert(1)>\n\n<script>alert(1)</script>\n\n[a](javascript:alert(1)) [b](data:text/html,x) ![c](https://x.example/c.png) [d](https://d.example/\"onclick=\"x)")
	for _, p := range []*page{b.open("/"), b.open("/agreement"), r.configurer().open("/agreement/versions/2")} {
		for n := range p.doc.Descendants() {
			if n.Data == "script" || n.Data == "img" || has(n, "onclick") || has(n, "onerror") || n.Data == "a" && strings.Contains(attr(n, "href"), "script:") {
				t.Errorf("%s: the text became <%s>", p.path, n.Data)
			}
		}
		p.wants(200, "<script>alert(1)</script>")
	}
}
