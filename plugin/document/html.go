package document

import (
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
)

// Look says how a text stands on a page.
type Look struct {
	// Top is the level of the text's highest heading, 2 below the page's <h1>.
	Top int
	// Spelled writes out where links lead and makes none, for pages of staff.
	Spelled bool
	// Added, Removed and End are said before and after words that came or went, to
	// those who do not see the marks.
	Added, Removed, End string
}

// newPolicy allows what writer writes: a second wall, should the first have a hole.
func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "br", "hr", "ins", "del", "span")
	p.AllowAttrs("value").Matching(regexp.MustCompile(`^\d{1,9}$`)).OnElements("li")
	p.AllowAttrs("class").Matching(regexp.MustCompile(`^(sr|muted|tone good|tone bad)$`)).OnElements("ins", "del", "span")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemeWithCustomPolicy("https", func(u *url.URL) bool { return u.Host != "" && u.User == nil })
	p.AllowURLSchemes("mailto")
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	return p
}

// safeHref returns the address if a link may lead there, else "".
func safeHref(address string) string {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.User != nil:
		return ""
	case u.Scheme == "https" && u.Host != "":
		return u.String()
	case u.Scheme == "mailto" && strings.Contains(u.Opaque, "@"):
		return u.String()
	}
	return ""
}

// HTML draws blocks.
func (r *Renderer) HTML(blocks []Block, look Look) template.HTML {
	w := writer{look: look}
	for i, b := range blocks {
		if i > 0 {
			w.b.WriteByte('\n')
		}
		w.block(b)
	}
	w.closeLists(0)
	return template.HTML(r.policy.Sanitize(w.b.String()))
}

// writer writes blocks; each list that is open has an open item.
type writer struct {
	b    strings.Builder
	look Look
	// open are the elements of the lists that are open.
	open []string
}

func (w *writer) block(b Block) {
	if b.Kind == Item {
		w.item(b)
		return
	}
	w.closeLists(0)
	switch b.Kind {
	case Rule:
		w.b.WriteString("<hr>")
	case Heading:
		level := min(max(w.look.Top, 2)+b.Level-1, 6)
		fmt.Fprintf(&w.b, "<h%d>", level)
		w.spans(b.Spans)
		fmt.Fprintf(&w.b, "</h%d>", level)
	default:
		w.paragraph(b)
	}
}

func (w *writer) paragraph(b Block) {
	w.b.WriteString("<p>")
	w.spans(b.Spans)
	w.b.WriteString("</p>")
}

func (w *writer) item(b Block) {
	tag := "ul"
	if b.Number > 0 {
		tag = "ol"
	}
	level := min(max(b.Level, 1), maxList)
	w.closeLists(level)
	if b.More && len(w.open) == level {
		w.paragraph(b)
		return
	}
	if len(w.open) == level && w.open[level-1] != tag {
		w.closeLists(level - 1)
	}
	value := ""
	if b.Number > 0 {
		value = ` value="` + strconv.Itoa(min(b.Number, 1e9-1)) + `"`
	}
	if len(w.open) == level {
		w.b.WriteString("</li>")
	}
	for len(w.open) < level {
		w.open = append(w.open, tag)
		w.b.WriteString("<" + tag + ">")
		if len(w.open) < level {
			w.b.WriteString("<li>")
		}
	}
	w.b.WriteString("<li" + value + ">")
	w.spans(b.Spans)
}

// closeLists leaves that many open.
func (w *writer) closeLists(n int) {
	for len(w.open) > n {
		last := len(w.open) - 1
		w.b.WriteString("</li></" + w.open[last] + ">")
		w.open = w.open[:last]
	}
}

// spans writes words, those with one mark together. The space after them is
// outside of the mark.
func (w *writer) spans(spans []Span) {
	for i, s := range spans {
		if s.Mark == Same {
			w.span(s)
			continue
		}
		if i == 0 || spans[i-1].Mark != s.Mark {
			w.begin(s.Mark)
		}
		if i < len(spans)-1 && spans[i+1].Mark == s.Mark {
			w.span(s)
			continue
		}
		words := strings.TrimRight(s.Text, " ")
		gap := s.Text[len(words):]
		if gap == "" && i < len(spans)-1 && spans[i+1].Mark == Added {
			gap = " "
		}
		s.Text = words
		w.span(s)
		w.end(s.Mark)
		w.b.WriteString(gap)
	}
}

func (w *writer) begin(m Mark) {
	open, word := `<ins class="tone good">`, w.look.Added
	if m == Removed {
		open, word = `<del class="tone bad">`, w.look.Removed
	}
	w.b.WriteString(open + `<span class="sr">` + template.HTMLEscapeString(word) + ` </span>`)
}

func (w *writer) end(m Mark) {
	w.b.WriteString(`<span class="sr"> ` + template.HTMLEscapeString(w.look.End) + ` </span>`)
	if m == Removed {
		w.b.WriteString("</del>")
		return
	}
	w.b.WriteString("</ins>")
}

func (w *writer) span(s Span) {
	words := strings.ReplaceAll(template.HTMLEscapeString(s.Text), "\n", "<br>")
	if s.Strong {
		words = "<strong>" + words + "</strong>"
	}
	if s.Em {
		words = "<em>" + words + "</em>"
	}
	href := template.HTMLEscapeString(s.Href)
	if s.Href != "" && !w.look.Spelled {
		words = `<a href="` + href + `">` + words + `</a>`
	}
	if s.Href != "" && (w.look.Spelled || s.Spelled) && s.Text != s.Href && "mailto:"+s.Text != s.Href {
		words += ` <span class="muted">(` + href + `)</span>`
	}
	w.b.WriteString(words)
}
