package audit_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	portalAction = regexp.MustCompile(`Action = "([a-z_.]+)"`)
	hostAction   = regexp.MustCompile(`(?:Audit|Action)[A-Z]\w* += "([a-z_.]+)"`)
)

// TestEveryActionIsDocumented holds docs/audit.md to what the portal and the
// platform record.
func TestEveryActionIsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	for pattern, find := range map[string]*regexp.Regexp{
		"../portal/*.go": portalAction, "../../host/cmd/billhost/books/*.go": hostAction, "../../host/addon/operator.go": hostAction,
	} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range find.FindAllStringSubmatch(string(source), -1) {
				if n++; !strings.Contains(string(doc), "`"+m[1]+"`") {
					t.Errorf("docs/audit.md does not name %s (%s)", m[1], file)
				}
			}
		}
		if n < 5 {
			t.Errorf("%s: only %d actions found", pattern, n)
		}
	}
}
