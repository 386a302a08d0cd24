package document_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"github.com/billing-addons/customer-portal/plugin/document"
	"github.com/billing-addons/customer-portal/plugin/portal"
)

func draw(markdown string) string {
	r := document.New()
	return string(r.HTML(r.Parse(markdown), document.Look{Top: 2}))
}

func TestHTML(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ text, want string }{
		"paragraphs": {"One\ntwo.\n\nThree.", "<p>One two.</p>\n<p>Three.</p>"},
		"break":      {"One  \ntwo\\\nthree", "<p>One<br>two<br>three</p>"},
		"headings":   {"# A\n\n### B\n\nC\n===\n\n##### D", "<h2>A</h2>\n<h4>B</h4>\n<h2>C</h2>\n<h4>D</h4>"},
		"shifted":    {"### A\n\n#### B", "<h2>A</h2>\n<h3>B</h3>"},
		"words":      {"**a** *b* ***c*** d_e_f", "<p><strong>a</strong> <em>b</em> <em><strong>c</strong></em> d_e_f</p>"},
		"line":       {"a\n\n---\n\nb", "<p>a</p>\n<hr>\n<p>b</p>"},
		"lists": {"- a\n- b\n  1. c\n  2. d\n\n     more\n- e\n\nf",
			"<ul><li>a</li>\n<li>b\n<ol><li value=\"1\">c</li>\n<li value=\"2\">d\n<p>more</p></li></ol></li>\n<li>e\n</li></ul><p>f</p>"},
		"numbers from 3": {"3. a\n4. b", "<ol><li value=\"3\">a\n</li><li value=\"4\">b</li></ol>"},
		"link":           {"[a](https://x.example/?a=1&b=2)", `<p><a href="https://x.example/?a=1&amp;b=2" rel="nofollow noreferrer">a</a></p>`},
		"mail":           {"<a@b.example> [us](mailto:a@b.example)", `<p><a href="mailto:a@b.example" rel="nofollow noreferrer">a@b.example</a> <a href="mailto:a@b.example" rel="nofollow noreferrer">us</a></p>`},
		"entities":       {"&lt;b&gt; &amp;amp; \\*no\\*", "<p>&lt;b&gt; &amp;amp; *no*</p>"},
		"html is text":   {"<b onclick=x>a</b> <!-- c -->", "<p>&lt;b onclick=x&gt;a&lt;/b&gt; &lt;!-- c --&gt;</p>"},
		"html block":     {"<script>\nalert(1)\n</script>", "<p>&lt;script&gt; alert(1) &lt;/script&gt;</p>"},
		"picture":        {"![a cat](https://x.example/cat.png)", "<p>a cat</p>"},
		"code is text":   {"    a  `b`", "<p>a  `b`</p>"},
		"quote is text":  {"> a", "<p>&gt; a</p>"},
		"reference":      {"[a]\n\n[a]: https://x.example", "<p>[a]</p>\n<p>[a]: https://x.example</p>"},
	} {
		if diff := cmp.Diff(squeezed(tt.want), squeezed(draw(tt.text))); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// squeezed leaves out line breaks, which mean nothing.
func squeezed(s string) string { return strings.ReplaceAll(s, "\n", "") }

func TestLinksThatLeadNowhere(t *testing.T) {
	t.Parallel()
	for _, href := range []string{
		"javascript:alert(1)", "JaVaScRiPt:alert(1)", "java&#10;script:alert(1)", "data:text/html,x", "vbscript:x", "http://x.example",
		"//x.example", "/path", "#x", "https:x", "https:///x", "https://a@x.example", "mailto:nobody", "file:///etc/passwd", "https://[x",
	} {
		for _, text := range []string{"[a](" + href + ")", "[a](<" + href + ">)", "<" + href + ">"} {
			if got := draw(text); strings.Contains(got, "<a") {
				t.Errorf("%s leads somewhere: %s", text, got)
			}
		}
	}
}

func TestSpelledLinks(t *testing.T) {
	t.Parallel()
	r := document.New()
	got := r.HTML(r.Parse("[a](https://x.example/) <https://y.example>"), document.Look{Top: 3, Spelled: true})
	if want := `<p>a <span class="muted">(https://x.example/)</span> https://y.example</p>`; string(got) != want {
		t.Errorf("got %s", got)
	}
}

// TestDefaultText: the platform's text has its sections as headings, as on paper.
func TestDefaultText(t *testing.T) {
	t.Parallel()
	a := portal.DefaultAgreement(time.Now())
	got := draw(a.Markdown())
	for _, want := range []string{"<h2>1. Your sign-in</h2>\n<p>Your username is your email address.", "<h2>7. Changes</h2>", "(&#34;we&#34;)"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if n := strings.Count(got, "<h2>"); n != 7 {
		t.Errorf("%d headings", n)
	}
}

func changes(before, after string) string {
	r := document.New()
	marked := r.HTML(document.Changes(r.Parse(before), r.Parse(after)), document.Look{Top: 3, Added: "A", Removed: "R", End: "E"})
	s := regexp.MustCompile(`<ins class="tone good"><span class="sr">A </span>`).ReplaceAllString(string(marked), "[+")
	s = regexp.MustCompile(`<del class="tone bad"><span class="sr">R </span>`).ReplaceAllString(s, "[-")
	s = strings.ReplaceAll(s, `<span class="sr"> E </span>`, "")
	return squeezed(strings.NewReplacer("</ins>", "+]", "</del>", "-]").Replace(s))
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, after, want string }{
		"none":               {"# A\n\nb", "A\n===\n\nb", ""},
		"looks only":         {"a *b*", "a **b**", ""},
		"a word":             {"# H\n\nWe ask you to pay in 30 days.\n\nSame.", "# H\n\nWe ask you to pay in 14 days.\n\nSame.", "<h3>H</h3><p>We ask you to pay in [-30-] [+14+] days.</p>"},
		"added":              {"# H\n\na", "# H\n\na\n\nNew one.", "<h3>H</h3><p>[+New one.+]</p>"},
		"removed":            {"a\n\nOld one.\n\nc", "a\n\nc", "<p>[-Old one.-]</p>"},
		"rewritten":          {"Nothing alike here.", "Some other words stand now.", "<p>[-Nothing alike here.-]</p><p>[+Some other words stand now.+]</p>"},
		"link":               {"see [this page](https://a.example)", "see [this page](https://b.example)", `<p>see [-<a href="https://a.example" rel="nofollow noreferrer">this page</a> <span class="muted">(https://a.example)</span>-] [+<a href="https://b.example" rel="nofollow noreferrer">this page</a> <span class="muted">(https://b.example)</span>+]</p>`},
		"link, new words":    {"we ask you to see [one page](https://a.example)", "we ask you to see [two pages](https://b.example)", `<p>we ask you to see [-<a href="https://a.example" rel="nofollow noreferrer">one page</a>-] [+<a href="https://b.example" rel="nofollow noreferrer">two pages</a>+]</p>`},
		"link in the middle": {"see [here](https://a.example) for more", "see [here](https://b.example) for more", `<p>see [-<a href="https://a.example" rel="nofollow noreferrer">here</a> <span class="muted">(https://a.example)</span>-] [+<a href="https://b.example" rel="nofollow noreferrer">here</a> <span class="muted">(https://b.example)</span>+] for more</p>`},
		"became a link":      {"see this page", "see this [page](https://b.example)", `<p>see this [-page-] [+<a href="https://b.example" rel="nofollow noreferrer">page</a> <span class="muted">(https://b.example)</span>+]</p>`},
		"heading":            {"# Old name\n\na", "# New name\n\na", "<h3>[-Old-] [+New+] name</h3>"},
		"item":               {"- a\n- b", "- a\n- b\n- c", "<ul><li>[+c+]</li></ul>"},
		"numbers move on":    {"1. first item\n2. third item", "1. first item\n2. second thing\n3. third item", `<ol><li value="2">[+second thing+]</li></ol>`},
		"went, then came":    {"a\n\n# One\n\nx y z\n\n# Two\n\np q r", "a\n\n# Four\n\nx y zz\n\nNew.", "<h3>[-One-]</h3><h3>[+Four+]</h3><p>x y [-z-] [+zz+]</p><h3>[-Two-]</h3><p>[-p q r-]</p><p>[+New.+]</p>"},
		"section gone":       {"# One\n\na\n\n# Two\n\nb", "# One\n\na", "<h3>[-Two-]</h3><p>[-b-]</p>"},
		"nothing before":     {"", "a", "<p>[+a+]</p>"},
		"escaped":            {"a b c d", "a b c <i>", "<p>a b c [-d-] [+&lt;i&gt;+]</p>"},
	} {
		if diff := cmp.Diff(tt.want, changes(tt.before, tt.after)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// hostile are texts that try something.
func hostile() map[string]string {
	const kib = 1 << 10
	return map[string]string{
		"script":          "<script>alert(1)</script>",
		"attribute":       `[a](https://x.example/"onmouseover="alert(1))`,
		"broken link":     "[a](<javascript:alert(1)>)[b](data:text/html;base64,PHNjcmlwdD4=)",
		"svg":             "<svg/onload=alert(1)>",
		"nested lists":    strings.Repeat("- ", 20*kib) + "a",
		"indented":        indented(300),
		"quotes":          strings.Repeat("> ", 20*kib) + "a",
		"brackets":        strings.Repeat("[", 60*kib),
		"links":           strings.Repeat("[a](", 12*kib),
		"asterisks":       strings.Repeat("*a **b ", 8*kib),
		"underscores":     strings.Repeat("_a__", 15*kib),
		"angles":          strings.Repeat("<", 60*kib),
		"backslashes":     strings.Repeat("\\", 60*kib),
		"entities":        strings.Repeat("&amp;", 12*kib),
		"lines":           strings.Repeat("a\n", 32*kib),
		"paragraphs":      strings.Repeat("a\n\n", 20*kib),
		"items":           strings.Repeat("- a\n", 16*kib),
		"setext":          strings.Repeat("a\n-\n", 12*kib),
		"rules":           strings.Repeat("***\n", 16*kib),
		"one word":        strings.Repeat("a", 64*kib),
		"words":           strings.Repeat("word ", 13*kib),
		"too long":        strings.Repeat("word ", 20*kib),
		"not UTF-8":       "a\xff\xfeb",
		"NUL":             "a\x00b",
		"turned round":    "a\u202eb",
		"images":          strings.Repeat("![a](b)", 9*kib),
		"items, brackets": strings.Repeat("- [a](https://x.example)\n", 2*kib),
	}
}

func indented(depth int) string {
	var b strings.Builder
	for i := range depth {
		b.WriteString(strings.Repeat("  ", i) + "- a\n")
	}
	return b.String()
}

// TestHostileTexts: nothing but what a text may have gets onto the page, and soon.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for name, text := range hostile() {
		start := mustCPU(t)
		check(t, name, text, "One. Two.")
		if took := mustCPU(t) - start; took > 30*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// mustCPU is the time that this process computed so far, however busy the machine is.
func mustCPU(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// check draws a text, and its differences from another, and looks at each element.
func check(tb testing.TB, name, text, other string) {
	tb.Helper()
	r := document.New()
	look := document.Look{Top: 2, Added: "A", Removed: "R", End: "E"}
	blocks, others := r.Parse(text), r.Parse(other)
	for _, drawn := range []string{
		string(r.HTML(blocks, look)),
		string(r.HTML(document.Changes(others, blocks), look)), string(r.HTML(document.Changes(blocks, others), look)),
	} {
		z := html.NewTokenizer(strings.NewReader(drawn))
		var open []string
		seen := map[string]bool{}
		for kind := z.Next(); kind != html.ErrorToken; kind = z.Next() {
			token := z.Token()
			switch kind {
			case html.StartTagToken:
				if tag := token.String(); !seen[tag] {
					seen[tag] = true
					harmless(tb, name, token)
				}
				if token.Data != "br" && token.Data != "hr" {
					open = append(open, token.Data)
				}
			case html.EndTagToken:
				if len(open) == 0 || open[len(open)-1] != token.Data {
					tb.Fatalf("%q: </%s> closes %v in %.300s", name, token.Data, open, drawn)
				}
				open = open[:len(open)-1]
			case html.CommentToken, html.DoctypeToken:
				tb.Errorf("%q: %v", name, token)
			}
		}
		if len(open) > 0 {
			tb.Errorf("%q leaves open %v", name, open)
		}
	}
}

var harmlessTag = regexp.MustCompile(`^<(p|h[2-6]|ul|ol|li|li value="\d+"|strong|em|br|hr|ins class="tone good"|del class="tone bad"|span class="sr"|a href="(https://[^"]+|mailto:[^"]+)" rel="nofollow noreferrer")>$`)

func harmless(tb testing.TB, name string, token html.Token) {
	tb.Helper()
	if !harmlessTag.MatchString(token.String()) {
		tb.Errorf("%q has %s", name, token)
	}
}

func FuzzDocument(f *testing.F) {
	for _, text := range hostile() {
		f.Add(text[:min(len(text), 2000)], "One. Two.")
	}
	f.Add(portal.DefaultAgreement(time.Time{}).Markdown(), "# A\n\n1. b **c** [d](https://e.example)\n   - f")
	f.Fuzz(func(t *testing.T, a, b string) {
		check(t, a, a, b)
		if document.Changes(document.New().Parse(a), document.New().Parse(a)) != nil {
			t.Errorf("%q differs from itself", a)
		}
	})
}

func paper(text string) document.Paper {
	return document.Paper{
		Title: "Proof of acceptance", Lead: "Jane accepted.", Heading: "The text", Foot: "Northwind", Missing: "Some are missing.", Author: "Northwind", Lang: "en",
		Facts:  []document.Fact{{Name: "Person", Value: "jane@acme.com"}, {Name: "Browser", Value: strings.Repeat("Mozilla/5.0 ", 30)}},
		Blocks: document.New().Parse(text), At: time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	}
}

func mustPDF(tb testing.TB, p document.Paper) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := document.WritePDF(&b, p); err != nil {
		tb.Fatal(err)
	}
	if !bytes.HasPrefix(b.Bytes(), []byte("%PDF-")) || !bytes.Contains(b.Bytes()[b.Len()-20:], []byte("%%EOF")) {
		tb.Fatalf("no PDF: %.40q", b.Bytes())
	}
	return b.Bytes()
}

func pages(pdf []byte) int { return bytes.Count(pdf, []byte("/Type /Page\n")) }

func TestPDF(t *testing.T) {
	t.Parallel()
	short := mustPDF(t, paper("# A\n\n- Ελληνικά, Кириллица, ñ\n- [b](https://x.example)\n\n1. c **d** *e*"))
	if n := pages(short); n != 1 {
		t.Errorf("short text on %d pages", n)
	}
	long := mustPDF(t, paper(strings.Repeat("Some words that fill lines. ", 40)+"\n\n"+strings.Repeat("Another paragraph.\n\n", 2000)))
	if n := pages(long); n < 30 {
		t.Errorf("long text on %d pages", n)
	}
	texts := hostile()
	for _, name := range []string{"one word", "words", "nested lists", "broken link", "brackets"} {
		mustPDF(t, paper(texts[name]))
	}
	mustPDF(t, paper("漢字 😀 עברית \U0010FFFF"))
}

func TestPDFsAtOnce(t *testing.T) {
	t.Parallel()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if err := document.WritePDF(&bytes.Buffer{}, paper("# A\n\nb **c** *d*")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestJSON(t *testing.T) {
	t.Parallel()
	a := portal.DefaultAgreement(time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC))
	p := portal.AgreementProof{
		Acceptance: portal.Acceptance{UserID: "u1", Version: "1", TextHash: a.TextHash, At: a.EffectiveOn, IP: "203.0.113.7", Agent: "<b>", Email: "then@x.example"},
		Present:    "now@x.example", Agreement: a,
	}
	var b bytes.Buffer
	if err := document.WriteJSON(&b, p, "north", "Northwind", a.EffectiveOn); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	agreement, _ := got["agreement"].(map[string]any)
	text, _ := agreement["text"].(string)
	if agreement["text_sha256"] != portal.AgreementHash(text) || got["text_matches"] != true || got["accepted_at"] != "2026-01-02T03:04:05.000006Z" {
		t.Errorf("proof = %s", b.String())
	}
	if want := "map[email:then@x.example id:u1 present_email:now@x.example]"; fmt.Sprint(got["person"]) != want {
		t.Errorf("person = %v", got["person"])
	}
	p.Agreement.Text += "x"
	if p.Intact() {
		t.Error("a changed text is intact")
	}
}
