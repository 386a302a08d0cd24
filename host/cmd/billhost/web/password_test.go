package web_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var passwordInput = regexp.MustCompile(`<input [^\n]*name="(?:password|current)"[^\n]*>`)

// TestPasswordInputs: every field for a password, on pages and in what they share,
// is masked until the person asks to see it, and lets password managers, pasting
// and any length through.
func TestPasswordInputs(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range passwordInput.FindAllString(string(text), -1) {
			found++
			masked := strings.Contains(in, `type="password"`) || strings.Contains(in, `type="{{if .Shown}}text{{else}}password{{end}}"`)
			named := strings.Contains(in, "current-password") || strings.Contains(in, "new-password")
			if !masked || !named || strings.Contains(in, "maxlength") || strings.Contains(in, "readonly") || strings.Contains(in, "onpaste") {
				t.Errorf("%s: %s", file, in)
			}
		}
		if all := strings.Count(string(text), `type="password"`) + strings.Count(string(text), `{{else}}password{{end}}"`); all != len(passwordInput.FindAllString(string(text), -1)) {
			t.Errorf("%s: %d password fields, of which some have another name", file, all)
		}
	}
	if found < 4 {
		t.Errorf("%d password fields were found", found)
	}
}
