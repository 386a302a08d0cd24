package main

import (
	"strings"
	"testing"
	"time"
)

// TestSecurityPageSaysHereNowAndDone: this browser comes first, times name their zone, and what was
// done is told after it was done, not to whoever opens an address that says so.
func TestSecurityPageSaysHereNowAndDone(t *testing.T) {
	t.Parallel()
	r := sqliteRig(t, nil)
	b := r.registered("c1", elena)
	other := r.browser(northwind)
	other.call.UserAgent = "Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0"
	other.press(other.open("/sign-in"), "Sign in", "email", elena, "password", secret).wants(200, "You owe")
	text := b.open("/security").wants(200, "last used").text()
	_, list, _ := strings.Cut(text, "Where you are signed in")
	if here, there := strings.Index(list, "This browser"), strings.Index(list, "Firefox on Linux"); here < 0 || there < 0 || here > there {
		t.Errorf("this browser is not the first:\n%s", list)
	}
	if n := strings.Count(text, " EST") + strings.Count(text, " EDT"); n < 4 {
		t.Errorf("%d times name their zone:\n%s", n, text)
	}
	for _, notice := range []string{"password", "email", "ended", "others&n=3"} {
		b.open("/security?notice="+notice).lacks("That browser is signed out", "browsers are signed out", "Your password is changed", "from now on")
	}
	p := b.press(b.open("/security"), "Sign out everywhere else").wants(200, "Type your password again")
	b.press(p, "Sign out everywhere else", "current", secret).wants(200, "1 other browser is signed out.")
	b.press(b.open("/security/password"), "Change password", "current", secret, "password", newSecret).wants(200, "Your password is changed.")
	r.clock.advance(3 * time.Minute)
	b.open("/security?notice=password").wants(200).lacks("Your password is changed")
}
