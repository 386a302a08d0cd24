package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestForgottenPasswordIsReplaced: who came by a link of their mailbox chooses a new
// password without the old one, for a quarter of an hour; who came by a password
// does not.
func TestForgottenPasswordIsReplaced(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	dana, _ := s.employed(t, s.biller.ID, "dana@northwind.example")
	byLink := func() *browser {
		link, err := s.store.NewStaffLink(t.Context(), dana.BillerID, dana.ID)
		if err != nil {
			t.Fatal(err)
		}
		b := s.visitor(t)
		b.goes("/admin/", "/sign-in/"+link, nil)
		return b
	}
	b := byLink()
	if _, body := b.get("/admin/account"); strings.Contains(body, `name="current"`) {
		t.Errorf("a forgotten password is asked for:\n%s", body)
	}
	s.aged(t, time.Hour)
	if _, body := b.get("/admin/account"); !strings.Contains(body, `name="current"`) {
		t.Error("an hour after the link no password is asked for")
	}
	b.stays(422, "Enter your current password.", "/admin/account/password", url.Values{"password": {newPassword}})
	b = byLink()
	b.goes("/admin/account?notice=password", "/admin/account/password", url.Values{"password": {newPassword}})
	b.stays(422, "Enter your current password.", "/admin/account/password", url.Values{"password": {goodPassword}})
	s.visitor(t).stays(401, "wrong", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	s.visitor(t).goes("/admin/", "/sign-in", signInAs("dana@northwind.example", newPassword))
}

// TestNewPasswordShowsItsStrength works without scripts: the page holds the password
// only while the person wants to see it, and nothing is saved by looking.
func TestNewPasswordShowsItsStrength(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	show := func(password, show string) string {
		t.Helper()
		res, body := b.post("/admin/account/password", url.Values{"password": {password}, "show": {show}})
		if res.StatusCode != 200 {
			t.Fatalf("%s\n%s", res.Status, body)
		}
		checkPage(t, res, body)
		return body
	}
	for password, word := range map[string]string{"northwind": "Very weak", "password12345": "Weak", "orange kettle meadow salt": "Very strong"} {
		body := show(password, "password")
		if !strings.Contains(body, "<meter") || !strings.Contains(body, word+". At least 12 characters") || !strings.Contains(body, `type="text" value="`+password+`"`) {
			t.Errorf("%s:\n%s", password, body)
		}
	}
	if body := show(newPassword, "hide"); strings.Contains(body, newPassword) || strings.Contains(body, "<meter") {
		t.Errorf("hidden:\n%s", body)
	}
	_, body := b.get("/admin/account") // the first button is what the Enter key presses
	if first := regexp.MustCompile(`(?s)action="/admin/account/password">.*?(<button[^>]*>)`).FindStringSubmatch(body); first == nil || first[1] != "<button hidden>" {
		t.Errorf("Enter presses %v", first)
	}
	if body := show(`"><script>`, "password"); strings.Contains(body, "<script>") {
		t.Error("a password becomes markup")
	}
	s.visitor(t).goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
}

// TestEndingSessionsWantsAFreshProof: who sits down at a browser left open ends
// nobody's session.
func TestEndingSessionsWantsAFreshProof(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	other := s.visitor(t)
	other.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	_, body := b.get("/admin/account")
	id := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(body)
	if id == nil || strings.Count(body, "Signed in <time") != 2 || strings.Count(body, "Last used <time") != 2 || strings.Count(body, "127.0.0.1") < 2 {
		t.Fatalf("what is known of the browsers:\n%s", body)
	}
	s.aged(t, 20*time.Minute)
	const again = "/sign-in/again?next=%2Fadmin%2Faccount"
	for path, form := range map[string]url.Values{"/admin/account/sessions/end": {"session": {id[1]}}, "/admin/account/sessions/others": nil} {
		b.goes(again, path, form)
		if res, _ := other.get("/admin/account"); res.StatusCode != http.StatusOK {
			t.Fatalf("%s ended a session without a proof", path)
		}
	}
	b.goes("/admin/account", "/sign-in/again", url.Values{"password": {goodPassword}, "next": {"/admin/account"}})
	b.goes("/admin/account?notice=others&n=1", "/admin/account/sessions/others", nil)
	if res, _ := other.get("/admin/account"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("the other browser: %s", res.Status)
	}
}
