package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

var (
	named = regexp.MustCompile(`^(?:\([^)]*\) )?(\w+)`)
	ways  = regexp.MustCompile(`\n\| (customer|staff|operator)[^|]*\|`)
)

// TestEveryPasswordIsGuardedAlike finds whatever compares a password, here and in
// the platform: each counts the try first, and all kinds of tries have the same
// limits. A new one fails this test until it does so too, and stands in
// docs/security.md among the ways in.
func TestEveryPasswordIsGuardedAlike(t *testing.T) {
	t.Parallel()
	signIn := portal.GuardSignIn.Limits()
	for _, g := range []portal.Guard{portal.GuardResume, portal.GuardReauth} {
		if diff := cmp.Diff(signIn, g.Limits()); diff != "" {
			t.Errorf("%s: %s", g, diff)
		}
	}
	for _, tt := range []struct {
		files, counts string
		want          []string
	}{
		{"portal/*.go", "s.throttle(", []string{"reauthenticate", "SignIn", "checkPassword", "notEnded"}},
		{"../host/cmd/billhost/web/*.go", "s.guess(", []string{"candidates", "prove"}},
	} {
		compares := map[string]bool{}
		files, err := filepath.Glob(tt.files)
		if err != nil || len(files) == 0 {
			t.Fatal(tt.files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, body := range strings.Split(string(text), "\nfunc ")[1:] {
				name := named.FindStringSubmatch(body)[1]
				at := max(strings.Index(body, ".Passwords.Verify("), strings.Index(body, "s.verify("))
				if at < 0 || name == "verify" || strings.HasSuffix(file, "_test.go") {
					continue
				}
				compares[name] = true
				if counted := strings.Index(body, tt.counts); counted < 0 || counted > at {
					t.Errorf("%s: %s compares a password before it counts the try", file, name)
				}
			}
		}
		for _, name := range tt.want {
			if !compares[name] {
				t.Errorf("%s: %s compares no password any more: %v", tt.files, name, compares)
			}
		}
		if len(compares) != len(tt.want) {
			t.Errorf("%s: passwords are compared by %v", tt.files, compares)
		}
	}
	doc, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(doc), "\n## Ways in\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if n := len(ways.FindAllString(section, -1)); n < 6 {
		t.Errorf("only %d ways in are documented", n)
	}
}
