package document

import (
	"slices"
	"strings"
	"unicode"

	"github.com/aymanbagabas/go-udiff/lcs"
)

// Changes marks what came and what went from one text to another: the blocks that
// differ, each below the heading it stands under. It is empty if no word and no
// link differs; looks and numbers of items do not count.
func Changes(before, after []Block) []Block {
	before, after = spoken(before), spoken(after)
	c := changes{before: before, after: after, told: -1}
	from := 0
	for _, d := range lcs.DiffLines(keys(before), keys(after)) {
		c.see(from, d.ReplStart)
		c.replace(before[d.Start:d.End], d.ReplStart, d.ReplEnd)
		from = d.ReplEnd
	}
	return c.out
}

// spoken leaves out what has no words.
func spoken(blocks []Block) []Block {
	return slices.DeleteFunc(slices.Clone(blocks), func(b Block) bool { return b.Kind == Rule })
}

// changes collects marked blocks.
type changes struct {
	before, after []Block
	out           []Block
	// heading is the last one passed, told the one that out has already.
	heading, told int
	passed        bool
}

// see passes blocks that are the same.
func (c *changes) see(from, to int) {
	for i := from; i < to; i++ {
		if c.after[i].Kind == Heading {
			c.heading, c.passed = i, true
		}
	}
}

// context puts the heading there under which something changed.
func (c *changes) context(b Block) {
	if b.Kind != Heading && c.passed && c.told != c.heading {
		c.out = append(c.out, c.after[c.heading])
		c.told = c.heading
	}
}

// replace marks what stands in the place of old: what went, then what came.
func (c *changes) replace(old []Block, from, to int) {
	matches := c.matches(old, c.after[from:to])
	// nexts are the first of old that stays, from each new block on.
	nexts, next := make([]int, len(matches)), len(old)
	for i, m := range slices.Backward(matches) {
		if m >= 0 {
			next = m
		}
		nexts[i] = next
	}
	gone := 0
	for i := from; i < to; i++ {
		next = nexts[i-from]
		c.remove(old[gone:next])
		gone = next
		b := c.after[i]
		if matches[i-from] >= 0 {
			c.add(b, words(old[gone].Spans, b.Spans))
			gone++
		} else {
			c.add(b, marked(b.Spans, Added))
		}
		c.see(i, i+1)
		if b.Kind == Heading {
			c.told = i
		}
	}
	c.remove(old[gone:])
}

func (c *changes) remove(blocks []Block) {
	for _, b := range blocks {
		c.add(b, marked(b.Spans, Removed))
	}
}

func (c *changes) add(b Block, spans []Span) {
	c.context(b)
	if b.Kind == Heading {
		c.told = c.heading // what follows stands under this one
	}
	b.Spans, b.More = spans, false
	c.out = append(c.out, b)
}

// many is how many comparisons of blocks are worth their time.
const many = 2000

// matches finds, for each of the new blocks, the old one that it is a new wording
// of, or -1, in the order of both.
func (c *changes) matches(old, news []Block) []int {
	out := make([]int, len(news))
	from := 0
	for n, b := range news {
		out[n] = -1
		to := len(old)
		if len(old)*len(news) > many {
			to = min(from+1, to)
		}
		for i := from; i < to; i++ {
			if (old[i].Kind == Heading) == (b.Kind == Heading) && alike(old[i], b) {
				out[n], from = i, i+1
				break
			}
		}
	}
	return out
}

// alike tells whether half of the words are in both.
func alike(a, b Block) bool {
	x, y := tokens(a.Spans), tokens(b.Spans)
	count := map[string]int{}
	for _, t := range x {
		count[strings.TrimSpace(t.Text)]++
	}
	common := 0
	for _, t := range y {
		word := strings.TrimSpace(t.Text)
		if count[word]--; count[word] >= 0 {
			common++
		}
	}
	return 2*common >= max(len(x), len(y))
}

// words marks single words. Where only the link behind them differs, its address is
// written out.
func words(before, after []Span) []Span {
	x, y := tokens(before), tokens(after)
	var out []Span
	from := 0
	for _, d := range lcs.DiffLines(tokenKeys(x), tokenKeys(y)) {
		out = append(out, y[from:d.ReplStart].spans(Same, false)...)
		went, came := x[d.Start:d.End], y[d.ReplStart:d.ReplEnd]
		same := went.text() == came.text()
		out = append(out, went.spans(Removed, same)...)
		out = append(out, came.spans(Added, same)...)
		from = d.ReplEnd
	}
	return joined(append(out, y[from:].spans(Same, false)...))
}

// marked is all of the words with one mark.
func marked(spans []Span, m Mark) []Span {
	out := slices.Clone(spans)
	for i := range out {
		out[i].Mark = m
	}
	return out
}

// joined puts neighbours of one look together.
func joined(spans []Span) []Span {
	var out []Span
	for _, s := range spans {
		if n := len(out); n > 0 {
			last := out[n-1]
			if last.Text = s.Text; last == s {
				out[n-1].Text += s.Text
				continue
			}
		}
		out = append(out, s)
	}
	return out
}

// token is a word with the space after it.
type token struct{ Span }

// key is what makes two words the same.
func (t token) key() string { return strings.TrimSpace(t.Text) + "\x00" + t.Href }

type tokenList []token

func (l tokenList) spans(m Mark, spelled bool) []Span {
	out := make([]Span, len(l))
	for i, t := range l {
		out[i] = t.Span
		out[i].Mark, out[i].Spelled = m, spelled
	}
	return out
}

// text is the words alone.
func (l tokenList) text() string {
	var b strings.Builder
	for _, t := range l {
		b.WriteString(t.Text)
	}
	return strings.TrimSpace(b.String())
}

func tokens(spans []Span) tokenList {
	var out tokenList
	for _, s := range spans {
		rest := s.Text
		for rest != "" {
			end := wordEnd(rest)
			part := s
			part.Text, rest = rest[:end], rest[end:]
			if strings.TrimSpace(part.Text) == "" && len(out) > 0 {
				out[len(out)-1].Text += part.Text
				continue
			}
			out = append(out, token{part})
		}
	}
	return out
}

// wordEnd is where the first word and the space after it end.
func wordEnd(s string) int {
	gap := false
	for i, r := range s {
		if unicode.IsSpace(r) {
			gap = true
		} else if gap {
			return i
		}
	}
	return len(s)
}

func keys(blocks []Block) []string {
	out := make([]string, len(blocks))
	for i, b := range blocks {
		out[i] = strings.Join(tokenKeys(tokens(b.Spans)), " ")
	}
	return out
}

func tokenKeys(l tokenList) []string {
	out := make([]string, len(l))
	for i, t := range l {
		out[i] = t.key()
	}
	return out
}
