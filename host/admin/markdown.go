package admin

import (
	"bytes"
	"html/template"
	"net/url"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// topHeading is the level that a document's first level of headings gets: the page
// has one <h1>, and the document stands below an <h2>.
const topHeading = 3

// document turns an add-on's Markdown, which anybody may have written, into HTML
// for the page of the add-on called name. Pictures go, and within text become their
// descriptions; raw HTML goes, links lead to other sites only and give them no weight and no window.
func document(markdown, name string) template.HTML {
	if costly(markdown) {
		return template.HTML(scrolling("<pre>" + template.HTMLEscapeString(markdown) + "</pre>"))
	}
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table, extension.Strikethrough),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(fitting{name}, 100))),
	)
	var b bytes.Buffer
	if err := md.Convert([]byte(markdown), &b); err != nil {
		return template.HTML(template.HTMLEscapeString(markdown))
	}
	policy := bluemonday.NewPolicy()
	policy.AllowElements("p", "h3", "h4", "ul", "ol", "li", "strong", "em", "del", "code", "pre", "blockquote", "br", "hr",
		"table", "thead", "tbody", "tr", "th", "td")
	policy.AllowAttrs("href").OnElements("a")
	policy.AllowURLSchemes("mailto")
	for _, scheme := range []string{"https", "http"} { // browsers take "https:/x" for a path of this site
		policy.AllowURLSchemeWithCustomPolicy(scheme, func(u *url.URL) bool { return u.Host != "" })
	}
	policy.AllowRelativeURLs(false)
	policy.RequireParseableURLs(true)
	policy.RequireNoFollowOnLinks(true)
	policy.AddTargetBlankToFullyQualifiedLinks(true) // adds rel=noopener
	return template.HTML(scrolling(policy.Sanitize(b.String())))
}

// How much Markdown one block may hold. Its parser takes time in the square of
// these: beyond them no person wrote it, and it is shown as the text it is.
const (
	maxMarks  = 2000 // characters that could mean something
	maxIndent = 24   // those that begin a line
)

// costly reports whether reading the Markdown could take long.
func costly(markdown string) bool {
	marks := 0
	for line := range strings.Lines(markdown) {
		text := strings.TrimSpace(line)
		if text == "" || strings.Trim(text, "-*_= ") == "" { // a rule is cheap
			marks = 0
			continue
		}
		for _, c := range []byte(text) {
			if strings.IndexByte("*_[]()!~<>`|&\\", c) >= 0 {
				marks++
			}
		}
		opens := line[:len(line)-len(strings.TrimLeft(line, " \t>-*+.)0123456789"))]
		if marks > maxMarks || len(strings.Trim(opens, " \t")) > maxIndent {
			return true
		}
	}
	return false
}

// scrolling lets what may be wide scroll by itself. No attribute is left on these
// elements, so they read as written here.
func scrolling(html string) string {
	const open = `<div class="scroll" tabindex="0" role="group" aria-label="Scrollable part">`
	return strings.NewReplacer(
		"<table>", open+`<table class="table dense">`, "</table>", "</table></div>",
		"<pre>", open+"<pre>", "</pre>", "</pre></div>",
	).Replace(html)
}

// fitting makes a document part of a page.
type fitting struct{ name string }

// Transform implements parser.ASTTransformer.
func (f fitting) Transform(doc *ast.Document, r text.Reader, _ parser.Context) {
	source := r.Source()
	if h, ok := doc.FirstChild().(*ast.Heading); ok && h.Level == 1 && strings.EqualFold(strings.TrimSpace(string(h.Lines().Value(source))), f.name) {
		doc.RemoveChild(doc, h) // the page says it already
	}
	var headings []*ast.Heading
	var images []*ast.Image
	top := 6
	// Walk fails only when its function does.
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if entering {
			switch n := n.(type) {
			case *ast.Heading:
				headings, top = append(headings, n), min(top, n.Level)
			case *ast.Image:
				images = append(images, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, h := range headings {
		h.Level = min(h.Level-top+topHeading, topHeading+1)
	}
	for _, i := range images {
		describe(i, source)
	}
}

// describe puts an image's description into its place; a paragraph of nothing but
// images goes as a whole.
func describe(i *ast.Image, source []byte) {
	parent := i.Parent()
	around := parent
	if parent.Kind() == ast.KindLink {
		around = parent.Parent()
	}
	if around == nil {
		return // gone with an image before
	}
	if alone(around, source) {
		if p := around.Parent(); p != nil {
			p.RemoveChild(p, around)
		}
		return
	}
	for c := i.FirstChild(); c != nil; c = i.FirstChild() {
		parent.InsertBefore(parent, i, c)
	}
	parent.RemoveChild(parent, i)
}

// alone reports whether there is nothing but images, and links on images.
func alone(n ast.Node, source []byte) bool {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Image:
		case *ast.Link:
			if !alone(c, source) {
				return false
			}
		case *ast.Text:
			if strings.TrimSpace(string(c.Segment.Value(source))) != "" {
				return false
			}
		default:
			return false
		}
	}
	return true
}
