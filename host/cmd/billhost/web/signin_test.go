package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

const (
	goodPassword = "violet tractor harbour"
	newPassword  = "orange kettle meadow"
)

// employed makes a staff user with a password and returns a browser in which the
// person is signed in.
func (s *site) employed(tb testing.TB, biller, address string) (books.Staff, *browser) {
	tb.Helper()
	p, err := s.store.AddStaff(tb.Context(), books.Staff{BillerID: biller, Email: address, Name: "Dana Whitfield", Role: books.Owner})
	if err != nil {
		tb.Fatal(err)
	}
	link, err := s.store.NewStaffLink(tb.Context(), p.BillerID, p.ID)
	if err != nil {
		tb.Fatal(err)
	}
	b := s.visitor(tb)
	b.post("/sign-in/"+link, nil)
	b.goes("/admin/account?notice=password", "/admin/account/password", url.Values{"password": {goodPassword}})
	return p, b
}

// goes posts and wants to be led on.
func (b *browser) goes(to, path string, form url.Values) {
	b.tb.Helper()
	if res, body := b.post(path, form); res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != to {
		b.tb.Fatalf("%s: %s to %q, want %q\n%s", path, res.Status, res.Header.Get("Location"), to, body)
	}
}

// stays posts and wants the page again.
func (b *browser) stays(status int, says, path string, form url.Values) {
	b.tb.Helper()
	if res, body := b.post(path, form); res.StatusCode != status || !strings.Contains(body, says) {
		b.tb.Errorf("%s: %s without %q\n%s", path, res.Status, says, body)
	}
}

func signInAs(address, password string, more ...string) url.Values {
	form := url.Values{"email": {address}, "password": {password}}
	if len(more) > 0 {
		form.Set("next", more[0])
	}
	return form
}

// aged makes every session as old as that.
func (s *site) aged(tb testing.TB, d time.Duration) {
	tb.Helper()
	if _, err := s.db.W.Exec(`UPDATE staff_sessions SET created_at = $1`, time.Now().UTC().Add(-d).Truncate(time.Microsecond)); err != nil {
		tb.Fatal(err)
	}
}

func TestStaffSignInWithPassword(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, first := s.employed(t, s.biller.ID, "dana@northwind.example")
	b := s.visitor(t)
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("dana@northwind.example", "wrong wrong wrong"))
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("nobody@northwind.example", goodPassword))
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("no address", goodPassword))
	b.stays(422, "Enter your password.", "/sign-in", signInAs("dana@northwind.example", ""))
	for next, to := range map[string]string{
		"": "/admin/", "/admin/customers?q=x": "/admin/customers?q=x", "//evil.example": "/admin/", "https://evil.example/admin/": "/admin/", "/admin/../x": "/admin/",
	} {
		b := s.visitor(t)
		b.goes(to, "/sign-in", signInAs(" DANA@northwind.example", goodPassword, next))
		if res, body := b.get("/admin/account"); res.StatusCode != 200 || !strings.Contains(body, "Change your password") {
			t.Errorf("the account: %s\n%s", res.Status, body)
		}
	}
	if res, body := s.visitor(t).get("/admin/customers?q=x"); res.Header.Get("Location") != "/sign-in?next=%2Fadmin%2Fcustomers%3Fq%3Dx" {
		t.Errorf("signed out: %s %q\n%s", res.Status, res.Header.Get("Location"), body)
	}

	first.stays(422, "not your password", "/admin/account/password", url.Values{"current": {"wrong wrong wrong"}, "password": {newPassword}})
	first.stays(422, "At least 12 characters", "/admin/account/password", url.Values{"current": {goodPassword}, "password": {"short"}})
	first.stays(422, "more than the name", "/admin/account/password", url.Values{"current": {goodPassword}, "password": {"northwindpoolservice"}})
	other := s.visitor(t)
	other.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	first.goes("/admin/account?notice=password", "/admin/account/password", url.Values{"current": {goodPassword}, "password": {newPassword}})
	if res, _ := other.get("/admin/account"); res.StatusCode != 303 {
		t.Errorf("another browser after the change: %s", res.Status)
	}
	if res, _ := first.get("/admin/account"); res.StatusCode != 200 {
		t.Errorf("this browser after the change: %s", res.Status)
	}
	b.stays(401, "wrong", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	b.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", newPassword))
}

func TestStaffOfSeveralBusinessesChoose(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	s.employed(t, s.biller.ID, "dana@accounts.example")
	s.employed(t, s.other.ID, "dana@accounts.example")
	b := s.visitor(t)
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("dana@accounts.example", "wrong wrong wrong"))
	res, body := b.post("/sign-in", signInAs("dana@accounts.example", goodPassword, "/admin/customers"))
	action := regexp.MustCompile(`action="(/sign-in/[^"]+)"><button[^>]*>Harbor Electric<`).FindStringSubmatch(body)
	if res.StatusCode != 200 || action == nil || !strings.Contains(body, "Northwind Pool Service") {
		t.Fatalf("%s\n%s", res.Status, body)
	}
	checkPage(t, res, body)
	b.goes("/admin/customers", action[1], nil)
	if _, body := b.get("/admin/"); !strings.Contains(body, "Harbor Electric") || strings.Contains(body, "Northwind") {
		t.Errorf("at which business?\n%s", body)
	}
	s.visitor(t).stays(404, "no longer valid", action[1], nil)
}

func TestStaffDelaysAreNeutral(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	s.employed(t, s.biller.ID, "dana@northwind.example")
	answers := map[string]string{}
	for _, address := range []string{"dana@northwind.example", "nobody@northwind.example"} {
		b := s.visitor(t)
		for range books.FreeTries {
			b.stays(401, "Email or password is wrong.", "/sign-in", signInAs(address, "wrong wrong wrong"))
		}
		res, body := b.post("/sign-in", signInAs(address, goodPassword))
		if res.StatusCode != 429 || !regexp.MustCompile(`Too many tries. Wait (30|29|28) seconds`).MatchString(body) || res.Header.Get("Retry-After") == "" || strings.Contains(body, "locked") {
			t.Errorf("%s: %s\n%s", address, res.Status, body)
		}
		checkPage(t, res, body)
		body = regexp.MustCompile(`Wait \d+ seconds`).ReplaceAllString(body, "")
		answers[strings.ReplaceAll(body, address, "ADDRESS")] = address
		b.stays(200, "Check your email", "/sign-in/forgot", url.Values{"email": {address}})
	}
	if len(answers) != 1 {
		t.Error("known and unknown addresses are answered differently")
	}
	for n := range 30 { // the budget of one address
		if res, _ := s.visitor(t).post("/sign-in/forgot", url.Values{"email": {"dana@northwind.example"}}); res.StatusCode == 429 {
			if n != 18 || res.Header.Get("Retry-After") == "" {
				t.Errorf("link %d: %v", n+3, res.Header)
			}
			return
		}
	}
	t.Error("links are not throttled")
}

func TestStaffShowAgainWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	res, _ := b.get("/sign-in?reauth=1&next=%2Fadmin%2Fmarketplace")
	if res.Header.Get("Location") != "/sign-in/again?next=%2Fadmin%2Fmarketplace" {
		t.Fatalf("to %q", res.Header.Get("Location"))
	}
	res, body := b.get(res.Header.Get("Location"))
	if !strings.Contains(body, "Is it still you?") {
		t.Fatalf("%s\n%s", res.Status, body)
	}
	checkPage(t, res, body)
	s.aged(t, time.Hour)
	stale := b.staff(t)
	b.stays(422, "not your password", "/sign-in/again", url.Values{"password": {"wrong wrong wrong"}})
	if !b.staff(t).AuthenticatedAt.Equal(stale.AuthenticatedAt) {
		t.Error("a wrong password is a proof")
	}
	before := b.cookie()
	b.goes("/admin/marketplace", "/sign-in/again", url.Values{"password": {goodPassword}, "next": {"/admin/marketplace"}})
	if p := b.staff(t); !p.Fresh(time.Now()) || b.cookie() == before {
		t.Errorf("after the right one: %+v", p)
	}
	if _, err := s.store.Session(t.Context(), before); err == nil {
		t.Error("the session from before lives on")
	}
	if res, _ := s.visitor(t).get("/sign-in/again"); res.Header.Get("Location") != "/sign-in" {
		t.Errorf("nobody is asked: %s", res.Status)
	}

	link := s.signedIn(t, books.Viewer)
	s.aged(t, time.Hour)
	link.goes("/sign-in/again?next=%2Fadmin%2Faccount", "/admin/account/password", url.Values{"password": {goodPassword}})
	if _, body := link.get("/sign-in/again"); strings.Contains(body, `name="password"`) || !strings.Contains(body, "Email me a one-time link") {
		t.Errorf("without a password:\n%s", body)
	}
}

func (b *browser) cookie() string {
	for _, c := range b.Jar.Cookies(nil) {
		if c.Name == "billhost-session" {
			return c.Value
		}
	}
	return ""
}

// request is one that the browser would send.
func (b *browser) request(tb testing.TB) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "/admin/", nil)
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range b.Jar.Cookies(nil) {
		r.AddCookie(c)
	}
	return r
}

func (b *browser) staff(tb testing.TB) books.Staff {
	tb.Helper()
	p, err := b.site.store.Session(tb.Context(), b.cookie())
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func TestStaffSignOutElsewhere(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, b := s.employed(t, s.biller.ID, "dana@northwind.example")
	for range 2 {
		s.visitor(t).goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	}
	_, body := b.get("/admin/account")
	ids := regexp.MustCompile(`name="session" value="([^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(ids) != 2 || !strings.Contains(body, "This browser") {
		t.Fatalf("sessions:\n%s", body)
	}
	b.goes("/admin/account?notice=ended", "/admin/account/sessions/end", url.Values{"session": {ids[0][1]}})
	b.goes("/admin/account?notice=ended", "/admin/account/sessions/end", nil)
	b.goes("/admin/account?notice=others&n=1", "/admin/account/sessions/others", nil)
	if _, body := b.get("/admin/account?notice=others&n=1"); strings.Contains(body, "Sign out everywhere else") || !strings.Contains(body, "One other browser is signed out.") {
		t.Errorf("after that:\n%s", body)
	}
}
