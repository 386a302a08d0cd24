package web_test

import (
	"bytes"
	"encoding/base64"
	"html"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
)

// written is a text that templates, formats and decoders would each read
// something else in.
const written = `{{.Title}} {{template "x"}} %s %d%n %!v %2541 100% &amp; &#37; %2B+`

// TestTextsComeBackAsWritten: names of customers and staff, searches and what a
// form refuses stand on pages and in logs as somebody typed them, decoded once.
func TestTextsComeBackAsWritten(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := mustSite(t, func(c *web.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	owner := s.signedIn(t, books.Owner)
	shows := func(body string) {
		t.Helper()
		if !strings.Contains(html.UnescapeString(body), written) || strings.Contains(body, "MISSING") || strings.Contains(body, "NOVERB") {
			t.Errorf("%q is missing in\n%s", written, body)
		}
	}
	res, body := owner.post("/admin/customers/new", url.Values{"name": {written}, "email": {written}, "number": {"%41 {{.}}"}})
	if shows(body); res.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong address: %s", res.Status)
	}
	res, _ = owner.post("/admin/customers/new", url.Values{"name": {written}, "company": {written}, "number": {"%41 {{.}}"}})
	place, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.store.FindByLabel(t.Context(), s.biller.ID, "%41 {{.}}")
	if err != nil || c.Name != written || c.Company != written || c.DisplayName != written {
		t.Fatalf("%+v, %v", c, err)
	}
	for _, path := range []string{place.RequestURI(), "/admin/customers/" + c.ID + "/edit", "/admin/customers"} {
		_, body := owner.get(path)
		shows(body)
	}
	for typed, kept := range map[string]string{"%2541": "%41", "%252541": "%2541", "%26amp%3B": "&amp;", url.QueryEscape(written): written} {
		_, body := owner.get("/admin/customers?q=" + typed)
		if !strings.Contains(html.UnescapeString(body), `value="`+kept+`"`) {
			t.Errorf("q=%s does not come back as %q", typed, kept)
		}
	}
	if res, _ := owner.get("/admin/customers/" + strings.ReplaceAll(c.ID, "-", "%252d")); res.StatusCode != http.StatusNotFound {
		t.Errorf("an id encoded twice: %s", res.Status)
	}
	if res, _ := owner.get("/admin/customers/" + strings.ReplaceAll(c.ID, "-", "%2d")); res.StatusCode != http.StatusOK {
		t.Errorf("an id encoded once: %s", res.Status)
	}
	stranger := s.visitor(t)
	if _, body := stranger.post("/sign-in", url.Values{"email": {written}, "password": {"x"}}); true {
		shows(body)
	}
	p, err := s.store.AddStaff(t.Context(), books.Staff{BillerID: s.biller.ID, Email: "odd@northwind.example", Name: written, Role: books.Viewer})
	if err != nil {
		t.Fatal(err)
	}
	token, err := s.store.NewStaffLink(t.Context(), p.BillerID, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	odd := s.visitor(t)
	odd.post("/sign-in/"+token, nil)
	if _, body := odd.get("/admin/account"); true {
		shows(body)
	}
	s.Close() // nobody writes any more
	if strings.Contains(log.String(), "MISSING") || strings.Contains(log.String(), "NOVERB") {
		t.Errorf("a value was read as a format:\n%s", log.String())
	}
}

// TestCutTextIsWhole: what is cut off somewhere is no half of a letter, which
// PostgreSQL refuses.
func TestCutTextIsWhole(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	owner := s.signedIn(t, books.Owner)
	for n := range 4 {
		s.visitor(t).stays(401, "Email or password is wrong.", "/sign-in", signInAs(strings.Repeat("x", 250+n)+strings.Repeat("🦊", 9), goodPassword))
		res, body := owner.get("/admin/audit?customer=" + url.QueryEscape(strings.Repeat("x", 196+n)+strings.Repeat("🦊", 9)))
		if res.StatusCode != http.StatusUnprocessableEntity || strings.ContainsRune(body, utf8.RuneError) || !utf8.ValidString(body) {
			t.Errorf("audit of a long name: %s\n%s", res.Status, body)
		}
	}
	var kept []string
	if err := s.db.R.Select(&kept, `SELECT email_norm FROM staff_asks`); err != nil || len(kept) != 4 {
		t.Fatalf("%d tries are kept, %v", len(kept), err)
	}
	for _, address := range kept {
		if !utf8.ValidString(address) {
			t.Errorf("kept: %q", address)
		}
	}
}

// TestSecretsAreLong: links and sessions of staff hold 256 bits, each its own.
func TestSecretsAreLong(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	seen := map[string]bool{}
	long := func(what, token string) {
		t.Helper()
		raw, err := base64.RawURLEncoding.DecodeString(token)
		if err != nil || len(raw) != 16+32 { // the biller's id, and 32 random bytes
			t.Fatalf("%s: %d bytes, %v", what, len(raw), err)
		}
		random := string(raw[16:])
		if seen[random] || strings.Count(random, random[:1]) == len(random) {
			t.Errorf("%s: %x is not random", what, random)
		}
		seen[random] = true
	}
	for range 8 {
		link := s.link(t, books.Viewer)
		long("link", link)
		b := s.visitor(t)
		res, _ := b.post("/sign-in/"+link, nil)
		long("session", res.Cookies()[0].Value)
	}
	if len(seen) != 16 {
		t.Errorf("%d secrets, want 16", len(seen))
	}
}
