package web_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// device is the cookie that tells the browser from others.
func (b *browser) device() string {
	for _, c := range b.Jar.Cookies(nil) {
		if c.Name == "billhost-device" {
			return c.Value
		}
	}
	return ""
}

// newBrowsers counts the notices of sign-ins with new browsers.
func (s *site) newBrowsers(tb testing.TB) (n int) {
	tb.Helper()
	if err := s.db.R.Get(&n, `SELECT COUNT(*) FROM staff_asks WHERE kind = $1`, books.AskDevice); err != nil {
		tb.Fatal(err)
	}
	return n
}

// TestBrowsersAreKnownAfterARightPassword: a browser gets its cookie with a session
// and no sooner, keeps it, and its person is told of each that has none yet.
func TestBrowsersAreKnownAfterARightPassword(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	_, first := s.employed(t, s.biller.ID, "dana@northwind.example")
	known := first.device()
	if !books.IsDevice(known) || s.newBrowsers(t) != 0 {
		t.Fatalf("the first browser: %q, %d notices", known, s.newBrowsers(t))
	}
	first.goes("/sign-in", "/sign-out", nil)
	first.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
	first.goes("/admin/", "/sign-in/again", url.Values{"password": {goodPassword}})
	if first.device() != known || s.newBrowsers(t) != 0 {
		t.Errorf("the same browser: %q, %d notices", first.device(), s.newBrowsers(t))
	}

	b := s.visitor(t)
	b.get("/sign-in")
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("dana@northwind.example", "wrong wrong wrong"))
	b.stays(401, "Email or password is wrong.", "/sign-in", signInAs("nobody@northwind.example", goodPassword))
	b.stays(404, "no longer valid", "/sign-in/nonsense", nil)
	b.stays(200, "Check your email", "/sign-in/forgot", url.Values{"email": {"dana@northwind.example"}})
	if b.device() != "" || s.newBrowsers(t) != 0 {
		t.Errorf("nobody has signed in: %q, %d notices", b.device(), s.newBrowsers(t))
	}
	res, _ := b.post("/sign-in", signInAs("dana@northwind.example", goodPassword))
	if !books.IsDevice(b.device()) || b.device() == known || s.newBrowsers(t) != 1 {
		t.Errorf("a new browser: %q, %d notices", b.device(), s.newBrowsers(t))
	}
	for _, c := range res.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Name == "billhost-device" && c.MaxAge != int(books.DeviceLife.Seconds()) {
			t.Errorf("cookie %s", c)
		}
	}

	made := s.visitor(t)
	for _, mine := range []string{"x", known + "x", known[1:] + "'"} {
		made.Jar.SetCookies(nil, []*http.Cookie{{Name: "billhost-device", Value: mine}})
		made.goes("/admin/", "/sign-in", signInAs("dana@northwind.example", goodPassword))
		if !books.IsDevice(made.device()) {
			t.Errorf("a name that was made up is kept: %q", made.device())
		}
	}
	if n := s.newBrowsers(t); n != 4 {
		t.Errorf("%d notices, want 4", n)
	}
}

// TestBrowsersOfSeveralBusinesses: the choice of a business signs in at that one
// alone, and its account is told.
func TestBrowsersOfSeveralBusinesses(t *testing.T) {
	t.Parallel()
	s := mustSite(t)
	s.employed(t, s.biller.ID, "dana@accounts.example")
	s.employed(t, s.other.ID, "dana@accounts.example")
	b := s.visitor(t)
	_, body := b.post("/sign-in", signInAs("dana@accounts.example", goodPassword))
	if b.device() != "" || s.newBrowsers(t) != 0 {
		t.Errorf("before the choice: %q, %d notices", b.device(), s.newBrowsers(t))
	}
	b.goes("/admin/", regexp.MustCompile(`action="(/sign-in/[^"]+)"><button[^>]*>Harbor Electric<`).FindStringSubmatch(body)[1], nil)
	var biller string
	if err := s.db.R.Get(&biller, `SELECT staff_biller FROM staff_asks WHERE kind = $1`, books.AskDevice); err != nil || biller != s.other.ID || b.device() == "" {
		t.Errorf("told at %q, %v, the browser is %q", biller, err, b.device())
	}
}
