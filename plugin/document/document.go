// Package document reads the Markdown of the user agreement, draws it for pages,
// marks what changed from one text to the next and writes the proof of an
// acceptance as PDF or JSON.
//
// What Markdown may say is little: headings, lists, strong and emphasised words,
// links to https and mailto addresses, lines and line breaks. Everything else
// stands there as it was typed.
package document

import (
	"html"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/parser"
	mdhtml "github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// Kind says what a block is.
type Kind int

// Kinds of blocks.
const (
	Paragraph Kind = iota
	Heading
	Item
	Rule
)

// Mark says whether words came or went.
type Mark int

// Marks of words.
const (
	Same Mark = iota
	Added
	Removed
)

// Block is a paragraph, a heading, an item of a list or a line.
type Block struct {
	Kind Kind
	// Level counts headings from the text's highest, and nested lists, from 1.
	Level int
	// Number is an item's in a numbered list, 0 in others.
	Number int
	// More is a further paragraph of the item before.
	More  bool
	Spans []Span
}

// Span is words of one look.
type Span struct {
	Text       string
	Strong, Em bool
	// Href is where a link leads, https or mailto; empty for no link.
	Href string
	Mark Mark
	// Spelled writes out where the link leads: nothing else of it changed.
	Spelled bool
}

// The deepest that headings and lists go.
const (
	maxHeading = 3
	maxList    = 6
)

// Renderer reads and draws. It is safe for concurrent use.
type Renderer struct {
	parser parser.Parser
	policy *bluemonday.Policy
}

// New returns a Renderer.
func New() *Renderer {
	return &Renderer{
		parser: parser.NewParser(
			parser.WithBlockParsers(
				util.Prioritized(parser.NewSetextHeadingParser(), 100),
				util.Prioritized(parser.NewThematicBreakParser(), 200),
				util.Prioritized(parser.NewListParser(), 300),
				util.Prioritized(parser.NewListItemParser(), 400),
				util.Prioritized(parser.NewCodeBlockParser(), 450),
				util.Prioritized(parser.NewATXHeadingParser(), 500),
				util.Prioritized(parser.NewParagraphParser(), 600),
			),
			parser.WithInlineParsers(
				util.Prioritized(parser.NewLinkParser(), 100),
				util.Prioritized(parser.NewAutoLinkParser(), 200),
				util.Prioritized(parser.NewEmphasisParser(), 300),
			),
		),
		policy: newPolicy(),
	}
}

// Parse reads a text. One that portal.CheckAgreementText refuses comes back as
// paragraphs of what was typed.
func (r *Renderer) Parse(markdown string) []Block {
	if portal.CheckAgreementText(markdown) != nil {
		return plain(markdown)
	}
	source := []byte(markdown)
	w := reader{source: source}
	w.blocks(r.parser.Parse(text.NewReader(source)), 0)
	return shifted(w.out)
}

// plain cuts a text at its empty lines.
func plain(s string) []Block {
	var out []Block
	for part := range strings.SplitSeq(strings.ReplaceAll(s, "\r\n", "\n"), "\n\n") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, Block{Spans: []Span{{Text: part}}})
		}
	}
	return out
}

// shifted has the highest heading at level 1, whatever it was in the text.
func shifted(blocks []Block) []Block {
	top := 6
	for _, b := range blocks {
		if b.Kind == Heading {
			top = min(top, b.Level)
		}
	}
	for i := range blocks {
		if blocks[i].Kind == Heading {
			blocks[i].Level = min(blocks[i].Level-top+1, maxHeading)
		}
	}
	return blocks
}

// reader turns goldmark's tree into blocks.
type reader struct {
	source []byte
	out    []Block
}

func (r *reader) blocks(parent ast.Node, depth int) {
	for c := parent.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Heading:
			r.add(Block{Kind: Heading, Level: c.Level, Spans: r.spans(c, Span{}, nil)})
		case *ast.ThematicBreak:
			r.out = append(r.out, Block{Kind: Rule})
		case *ast.CodeBlock:
			r.add(Block{Spans: r.indented(c)})
		case *ast.List:
			r.list(c, depth+1)
		default:
			r.add(Block{Spans: r.spans(c, Span{}, nil)})
		}
	}
}

func (r *reader) list(l *ast.List, depth int) {
	number := 0
	if l.IsOrdered() {
		number = max(1, l.Start)
	}
	for item := l.FirstChild(); item != nil; item = item.NextSibling() {
		more := false
		for c := item.FirstChild(); c != nil; c = c.NextSibling() {
			if nested, ok := c.(*ast.List); ok {
				r.list(nested, depth+1)
				continue
			}
			spans := r.spans(c, Span{Strong: c.Kind() == ast.KindHeading}, nil)
			if c.Kind() == ast.KindCodeBlock {
				spans = r.indented(c)
			}
			r.add(Block{Kind: Item, Level: min(depth, maxList), Number: number, More: more, Spans: spans})
			more = true
		}
		if l.IsOrdered() {
			number++
		}
	}
}

// indented is what stands in lines that are indented: words like others.
func (r *reader) indented(n ast.Node) []Span {
	return []Span{{Text: strings.TrimSpace(string(n.Lines().Value(r.source)))}}
}

func autoHref(l *ast.AutoLink, source []byte) string {
	if l.AutoLinkType == ast.AutoLinkEmail {
		return "mailto:" + string(l.URL(source))
	}
	return string(l.URL(source))
}

// add keeps a block that says something.
func (r *reader) add(b Block) {
	for _, s := range b.Spans {
		if strings.TrimSpace(s.Text) != "" {
			r.out = append(r.out, b)
			return
		}
	}
}

// spans reads words; what they look like follows from look, that of what they are in.
func (r *reader) spans(parent ast.Node, look Span, out []Span) []Span {
	for c := parent.FirstChild(); c != nil; c = c.NextSibling() {
		in := look
		switch c := c.(type) {
		case *ast.Text:
			in.Text = unescaped(c.Segment.Value(r.source))
			switch {
			case c.HardLineBreak():
				in.Text += "\n"
			case c.SoftLineBreak():
				in.Text += " "
			}
			out = append(out, in)
		case *ast.String:
			in.Text = unescaped(c.Value)
			out = append(out, in)
		case *ast.AutoLink:
			in.Text = string(c.Label(r.source))
			in.Href = safeHref(autoHref(c, r.source))
			out = append(out, in)
		case *ast.Link:
			in.Href = safeHref(unescaped(c.Destination))
			out = r.spans(c, in, out)
		case *ast.Emphasis:
			if c.Level > 1 {
				in.Strong = true
			} else {
				in.Em = true
			}
			out = r.spans(c, in, out)
		default: // a picture is its description
			out = r.spans(c, in, out)
		}
	}
	return out
}

// unescaped is what backslashes and entities stand for.
func unescaped(segment []byte) string {
	var b strings.Builder
	w := util.BufWriter(nopFlusher{&b})
	mdhtml.DefaultWriter.Write(w, segment)
	return html.UnescapeString(b.String())
}

// nopFlusher makes a builder a util.BufWriter.
type nopFlusher struct{ *strings.Builder }

func (nopFlusher) Available() int { return 0 }
func (nopFlusher) Buffered() int  { return 0 }
func (nopFlusher) Flush() error   { return nil }
