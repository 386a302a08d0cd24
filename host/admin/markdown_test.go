package admin_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/admin"
)

var (
	allowedTag  = regexp.MustCompile(`^</?(p|h3|h4|ul|ol|li|strong|em|del|code|pre|blockquote|br|hr|table|thead|tbody|tr|th|td|a|div)\b`)
	allowedLink = regexp.MustCompile(`^<a href="(https?://[^/"]|mailto:)[^"]*"( rel="nofollow( noopener)?")?( target="_blank")?>$`)
	anyTag      = regexp.MustCompile(`<[^>]*>`)
)

// FuzzDocument wants only what the page allows of whatever an add-on writes.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{readme, "", "![![x](a)](b)", "[![a](b)](c) ![d](e)", "# ![x](y)", "> ![x](y)", "|![x](y)|\n|-|\n|<b>|", "<a href=x onclick=y>", "[x](JaVaScRiPt:x)", "&#60;script>", "[x](https:/admin/x)"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		html := string(admin.Document(text, "Name"))
		for _, tag := range anyTag.FindAllString(html, -1) {
			switch {
			case !allowedTag.MatchString(tag):
				t.Errorf("%q became %q", text, tag)
			case strings.HasPrefix(tag, "<a") && !allowedLink.MatchString(tag):
				t.Errorf("%q became the link %q", text, tag)
			}
		}
	})
}

// TestCostlyDocuments are made to take the parser minutes.
func TestCostlyDocuments(t *testing.T) {
	t.Parallel()
	const most = 64 << 10
	for _, s := range []string{"[", "![", "*", "_a*", ">", "> ", "- ", "1. ", "`", "<", "|", "![a](", "[a](<", "*a_ ", "<!--", "[a]: b\n", "_a*\n", strings.Repeat("_a*", 600) + "\n\n", strings.Repeat(">", 24) + "\n\n"} {
		began := time.Now()
		html := string(admin.Document(strings.Repeat(s, most/len(s)), "Name"))
		if took := time.Since(began); took > 10*time.Second || html == "" && s != "[a]: b\n" {
			t.Errorf("%.20q took %s and became %.40q", s, took, html)
		}
	}
	if html := string(admin.Document(strings.Repeat("<b>*", 5000), "Name")); strings.Contains(html, "<b>") || !strings.Contains(html, "<pre>&lt;b&gt;") {
		t.Errorf("costly text became %.100s", html)
	}
}
