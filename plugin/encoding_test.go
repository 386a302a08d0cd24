package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// written is a text that templates, formats and decoders would each read
// something else in; people read it as it is written.
const written = `{{.Biller}} {{define "x"}} %s %d %n %!v %2541 100% &amp; &#37;`

// written60 is one that fits on a button.
const written60 = `{{.Name}} %s %d%n %2541 &amp;`

// readable is the text of a page of HTML.
func readable(tb testing.TB, page string) string {
	tb.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		tb.Fatal(err)
	}
	return textOf(doc)
}

// TestTextsComeBackAsWritten: names, titles, button, agreement and errors stand on
// pages, in mails and in files as somebody wrote them, whatever they look like.
func TestTextsComeBackAsWritten(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		c := customers()[0]
		c.DisplayName, c.Number = written, "%s{{.}}"
		h.AddCustomer(northwind, c)
		h.AddInvoice(northwind, sdk.Invoice{
			ID: "w", Number: "%d{{.}}", CustomerID: "c1", Title: written, Status: "open", DueOn: day("2026-06-15"), Memo: written,
			Total: usd(1), Balance: usd(1), Lines: []sdk.InvoiceLine{{Description: written, Detail: written, QuantityMilli: 1000}},
		})
		h.AddBiller(sdk.Biller{
			ID: northwind, Slug: northwind, Name: written, Hours: written, TimeZone: "America/New_York", Locale: "en-US", CustomerPath: "/admin/customers/{id}",
		})
	})
	r.set(northwind, portal.SettingButtonText, written60)
	agreement := "Terms {{.Text}} {{template \"x\"}} %s %d %n %2541"
	r.published("# " + agreement + "\n\n" + agreement)
	link := r.invited("c1", elena)
	b := r.browser(northwind)
	b.open(link).wants(200, written)
	p := b.press(b.open(link), "Sign Up", "email", elena, "password", secret)
	p = b.press(p, "Continue")
	p = b.press(p, "Confirm my email", "code", codeOf(t, r.mail("confirmation", elena, 1)))
	b.press(p.wants(200, agreement), "I Accept").wants(200, written)
	b.open("/invoices/w").wants(200, written, "%d{{.}}")
	b.open("/agreement").wants(200, agreement)
	if proof := b.do(http.MethodGet, "/security/agreements/2/proof.json", nil).wants(200); !strings.Contains(proof.body, `%s %d %n %2541`) || !strings.Contains(proof.body, "{{.Text}}") {
		t.Errorf("the proof says\n%s", proof.body)
	}
	b.do(http.MethodGet, "/security/agreements/2/proof.pdf", nil).wants(200)
	s, tab := r.staff(wire.Staff, portal.AbilityInvite, portal.AbilityReport), r.staff(wire.Slot, portal.AbilityInvite, portal.AbilityReport)
	s.open("/customers/c1").wants(200, elena)
	tab.open("/registrations").wants(200, written, "%s{{.}}")
	for _, m := range r.Host.Mails() {
		if !strings.Contains(m.Text, written) || !strings.Contains(readable(t, m.HTML), written) {
			t.Errorf("mail %s:\n%s\n%s", m.Kind, m.Text, readable(t, m.HTML))
		}
	}
	if m := r.mail("invitation", elena, 1); !strings.Contains(m.Text, written60) || !strings.Contains(readable(t, m.HTML), written60) {
		t.Errorf("the button of the mail: %s", m.Text)
	}
}

// TestErrorsComeBackAsWritten: what a mail server says is no format either.
func TestErrorsComeBackAsWritten(t *testing.T) {
	t.Parallel()
	const answer = `550 5.1.1 100%s {{.}} %d%n full`
	r := sqliteRig(t, func(h *sdktest.Host) {
		h.SendFn = func(context.Context, string, sdk.Message) (sdk.MailResult, error) {
			return sdk.MailResult{}, apperr.Errorf(apperr.Invalid, "%s", answer)
		}
	})
	if _, err := r.staffInviter().Send(t.Context(), "c1"); err != nil {
		t.Fatal(err)
	}
	r.eventually("status Bounced", func() bool { return r.status("c1") == "Bounced" })
	r.staff(wire.Slot, portal.AbilityInvite).open("/customer?customer=c1").wants(200, answer)
}

// TestDecodedOnce: what was encoded twice, in a path, a query or a form, stays
// encoded once.
func TestDecodedOnce(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, func(h *sdktest.Host) {
		for _, id := range []string{"A", "%41", "%2541"} {
			h.AddInvoice(northwind, sdk.Invoice{ID: id, Number: "NO " + id, CustomerID: "c1", Title: "x", Status: "open", DueOn: day("2026-06-15"), Total: usd(1), Balance: usd(1)})
		}
		h.AddInvoice(northwind, sdk.Invoice{ID: "%2e%2e%2f", Number: "DOTS", CustomerID: "c1", Title: "x", Status: "open", DueOn: day("2026-06-15"), Total: usd(1), Balance: usd(1)})
	})
	b := r.registered("c1", elena)
	for path, number := range map[string]string{"A": "NO A", "%41": "NO A", "%2541": "NO %41", "%252541": "NO %2541", "%252e%252e%252f": "DOTS"} {
		b.open("/invoices/"+path).wants(200, number)
	}
	report := r.staff(wire.Slot, portal.AbilityReport)
	for typed, kept := range map[string]string{"%2541": "%41", "%252541": "%2541", "%26amp%3B": "&amp;", "%252B+%2B": "%2B +"} {
		if got := attr(report.open("/registrations?q="+typed).input("q"), "value"); got != kept {
			t.Errorf("q=%s comes back as %q, want %q", typed, got, kept)
		}
	}
	stranger := r.browser(northwind)
	for _, typed := range []string{"%41@b.example", "%2541", "&amp;%2B+", "a%00b", "%C3%A9@x"} {
		p := stranger.do(http.MethodPost, "/sign-in", url.Values{"email": {typed}})
		if got := attr(p.input("email"), "value"); got != typed {
			t.Errorf("%q comes back as %q", typed, got)
		}
	}
	stranger.do(http.MethodGet, "/invoices/%252e%252e%252f", nil).wants(303)
	if p := b.do(http.MethodGet, "/sign-in?next="+url.QueryEscape("/portal/northwind/%2e%2e/%252e"), nil); strings.Contains(p.location, "..") {
		t.Errorf("leads to %q", p.location)
	}
}
