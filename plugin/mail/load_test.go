package mail_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// TestMailsLoadNothing: no mail has a reader's program load anything, from us or from
// others, so nobody learns who reads it when and where.
func TestMailsLoadNothing(t *testing.T) {
	t.Parallel()
	r := MustRenderer(t)
	loads := []string{"img", "link", "script", "iframe", "object", "embed", "video", "audio", "source", "svg", "base", "form"}
	for name, letter := range letters() {
		m, err := r.Render(northwind(), letter)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := html.Parse(strings.NewReader(m.HTML))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type == html.ElementNode && slices.Contains(loads, n.Data) {
				t.Errorf("%s has <%s>", name, n.Data)
			}
			for _, a := range n.Attr {
				if slices.Contains([]string{"src", "srcset", "background", "poster", "ping"}, a.Key) || a.Key == "href" && n.Data != "a" {
					t.Errorf("%s has %s=%q at <%s>", name, a.Key, a.Val, n.Data)
				}
			}
		}
		if low := strings.ToLower(m.HTML); strings.Contains(low, "url(") || strings.Contains(low, "@import") {
			t.Errorf("%s has a style that loads something", name)
		}
	}
}
