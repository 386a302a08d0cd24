package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryErrorHasItsSentence: what the portal says to people is told in the
// words of the catalogue, or has a page of its own.
func TestEveryErrorHasItsSentence(t *testing.T) {
	t.Parallel()
	var pages strings.Builder
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !strings.HasSuffix(name, "_test.go") {
			pages.WriteString(read(t, name))
		}
	}
	byCode := []string{
		"portal.ErrUnknownLink", "portal.ErrSignedOut", "portal.ErrAgreementPending", // pages of their codes
		"portal.ErrWrongStep", "portal.ErrStaleMail", // lead on, and end a job
	}
	found := 0
	for pkg, pattern := range map[string]string{"portal": "../portal/*.go", "password": "../password/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, m := range regexp.MustCompile(`(?m)^\s*(?:var )?(Err\w+)\s+=`).FindAllStringSubmatch(read(t, file), -1) {
				found++
				name := pkg + "." + m[1]
				if !regexp.MustCompile(regexp.QuoteMeta(name)+`\b`).MatchString(pages.String()) && !slices.Contains(byCode, name) {
					t.Errorf("no page and no sentence for %s", name)
				}
			}
		}
	}
	if found < 25 {
		t.Errorf("%d errors found; the pattern misses some", found)
	}
}

func read(tb testing.TB, name string) string {
	tb.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}
