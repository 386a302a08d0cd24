package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// later are the cases that a feature still to come brings.
func later() []int { return []int{28} }

// mistakes are those that other portals made, and the test that keeps each away.
func mistakes() map[string]string {
	return map[string]string{
		"links that never expire and open the whole portal":               "TestMistakeLinksThatOpenThePortal",
		"setting a password through an invitation of an existing account": "TestMistakePasswordThroughAnInvitation",
		"reset tokens in clear, reusable or valid for every tenant":       "TestMistakeResetTokens",
		"“email not found” on reset":                                      "TestMistakeEmailNotFound",
		"open redirect through next":                                      "TestMistakeOpenRedirect",
		"joining profiles by email string":                                "TestMistakeJoiningProfiles",
		"payment forms that write the login email":                        "TestMistakeBooksWriteTheSignIn",
		"GET with side effects":                                           "TestMistakeGetWithSideEffects",
		"expired invitations that vanish from the list":                   "TestMistakeExpiredVanish",
		"the reminder that kills the earlier link":                        "TestMistakeReminderKillsTheLink",
	}
}

// TestEveryCaseHasATest: each case of a sign-up, by its number, and each mistake.
func TestEveryCaseHasATest(t *testing.T) {
	t.Parallel()
	have := testNames(t)
	for n := 1; n <= 28; n++ {
		named := regexp.MustCompile(fmt.Sprintf(`^TestCase%d[A-Z]`, n))
		if !slices.ContainsFunc(have, named.MatchString) && !slices.Contains(later(), n) {
			t.Errorf("case %d has no test", n)
		}
	}
	for mistake, test := range mistakes() {
		if !slices.Contains(have, test) {
			t.Errorf("%s: no %s", mistake, test)
		}
	}
}

// testNames are the tests of this folder, which drive the portal by its pages.
func testNames(tb testing.TB) []string {
	tb.Helper()
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		tb.Fatal(err)
	}
	var names []string
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, 0)
		if err != nil {
			tb.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}
