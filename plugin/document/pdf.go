package document

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/gobolditalic"
	"golang.org/x/image/font/gofont/goitalic"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"
)

// Fact is a line of a proof: a name and a value.
type Fact struct{ Name, Value string }

// Paper is a proof as it stands in a PDF.
type Paper struct {
	Title, Lead string
	Facts       []Fact
	// Heading stands above the text that was accepted.
	Heading string
	Blocks  []Block
	// Foot stands on each page, before its number.
	Foot string
	// Missing is said where the font lacks a character of the text.
	Missing string
	// Author and Lang (a BCP 47 tag) are for programs that read the file.
	Author, Lang string
	// Letter is the paper of North America instead of A4.
	Letter bool
	At     time.Time
}

// Sizes in points and millimetres.
const (
	fontName  = "Go"
	textSize  = 10.5
	lineHigh  = 5.2
	margin    = 20
	factWidth = 48
	indent    = 6
)

// WritePDF writes the paper.
func WritePDF(w io.Writer, p Paper) error {
	known, err := sfnt.Parse(goregular.TTF)
	if err != nil {
		return fmt.Errorf("read font: %w", err)
	}
	size := "A4"
	if p.Letter {
		size = "Letter"
	}
	d := &drawing{Fpdf: fpdf.New("P", "mm", size, ""), font: known}
	d.begin(p)
	d.head(p)
	for _, b := range p.Blocks {
		d.block(b)
	}
	if d.missing {
		d.gap(2)
		d.line("I", textSize, p.Missing)
	}
	if err := d.Output(w); err != nil {
		return fmt.Errorf("write PDF: %w", err)
	}
	return nil
}

// drawing is a PDF in the making.
type drawing struct {
	*fpdf.Fpdf
	font *sfnt.Font
	buf  sfnt.Buffer
	// missing is set once a character was not in the font.
	missing bool
}

func (d *drawing) begin(p Paper) {
	for style, font := range map[string][]byte{"": goregular.TTF, "B": gobold.TTF, "I": goitalic.TTF, "BI": gobolditalic.TTF} {
		d.AddUTF8FontFromBytes(fontName, style, append([]byte(nil), font...))
	}
	d.SetTitle(p.Title, true)
	d.SetAuthor(p.Author, true)
	d.SetLang(p.Lang)
	d.SetCreationDate(p.At)
	d.SetModificationDate(p.At)
	d.SetMargins(margin, margin, margin)
	d.SetAutoPageBreak(true, margin+4)
	d.AliasNbPages("{pages}")
	d.SetFooterFunc(func() {
		d.SetY(-margin)
		d.SetFont(fontName, "", 8)
		d.SetTextColor(90, 90, 90)
		d.CellFormat(0, lineHigh, d.known(p.Foot)+"  ·  "+strconv.Itoa(d.PageNo())+" / {pages}", "", 0, "L", false, 0, "")
		d.SetTextColor(0, 0, 0)
	})
	d.AddPage()
}

func (d *drawing) head(p Paper) {
	d.line("B", 17, p.Title)
	d.gap(1)
	d.line("", textSize, p.Lead)
	d.gap(3)
	for _, f := range p.Facts {
		d.SetFont(fontName, "B", textSize)
		y, page := d.GetY(), d.PageNo()
		d.MultiCell(factWidth, lineHigh, d.known(f.Name), "", "L", false)
		bottom := d.GetY()
		if d.PageNo() != page {
			y = margin // the name went to the next page, and its value follows
		}
		d.SetXY(margin+factWidth+2, y)
		d.SetFont(fontName, "", textSize)
		d.MultiCell(0, lineHigh, d.known(f.Value), "", "L", false)
		if d.GetY() < bottom && d.PageNo() == page {
			d.SetY(bottom)
		}
		d.gap(0.8)
	}
	d.gap(5)
	d.line("B", 14, p.Heading)
	d.gap(2)
}

// line writes text of one look over the whole width.
func (d *drawing) line(style string, size float64, text string) {
	d.SetFont(fontName, style, size)
	d.MultiCell(0, size*lineHigh/textSize, d.known(text), "", "L", false)
}

func (d *drawing) gap(mm float64) { d.SetY(d.GetY() + mm) }

func (d *drawing) block(b Block) {
	size, left, strong := textSize, 0.0, false
	switch b.Kind {
	case Rule:
		y := d.GetY() + 1
		width, _ := d.GetPageSize()
		d.Line(margin, y, width-margin, y)
		d.gap(3)
		return
	case Heading:
		size, strong = []float64{13, 12, 11}[min(max(b.Level, 1), maxHeading)-1], true
		d.gap(1.5)
		d.keep(3 * lineHigh)
	case Item:
		left = indent * float64(min(max(b.Level, 1), maxList))
	}
	high := size * lineHigh / textSize
	d.SetLeftMargin(margin + left)
	d.SetX(margin + left)
	if b.Kind == Item && !b.More {
		d.marker(b, high)
	}
	for _, s := range b.Spans {
		d.span(s, size, high, strong)
	}
	d.Ln(high)
	d.SetLeftMargin(margin)
	d.SetX(margin)
	d.gap(1.8)
}

// keep begins a page unless there is that much room.
func (d *drawing) keep(mm float64) {
	_, height := d.GetPageSize()
	if d.GetY()+mm > height-margin-4 {
		d.AddPage()
	}
}

// marker writes the number or the dot before an item.
func (d *drawing) marker(b Block, high float64) {
	sign := "•"
	if b.Number > 0 {
		sign = strconv.Itoa(b.Number) + "."
	}
	d.keep(high)
	d.SetFont(fontName, "", textSize)
	x := d.GetX()
	wide := max(indent, d.GetStringWidth(sign)+1)
	d.SetX(x - wide)
	d.CellFormat(wide, high, sign, "", 0, "R", false, 0, "")
	d.SetX(x)
	d.Write(high, " ")
}

func (d *drawing) span(s Span, size, high float64, strong bool) {
	style := ""
	if s.Strong || strong {
		style = "B"
	}
	if s.Em {
		style += "I"
	}
	d.SetFont(fontName, style, size)
	text := d.known(s.Text)
	if s.Href != "" && text != s.Href && "mailto:"+text != s.Href {
		text += " (" + d.known(s.Href) + ")" // on paper nobody can follow a link
	}
	for text != "" {
		end := chunk(text)
		if s.Href == "" {
			d.Write(high, text[:end])
		} else {
			d.WriteLinkString(high, text[:end], s.Href)
		}
		text = text[end:]
	}
}

// chunk is where to cut a long text, at a space if there is one: the library takes
// time in the square of what it is given at once.
func chunk(text string) int {
	const long = 400
	if len(text) <= long {
		return len(text)
	}
	if space := strings.LastIndexByte(text[:long], ' '); space > 0 {
		return space + 1
	}
	end := long
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return end
}

// known is the text in characters of the font.
func (d *drawing) known(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if unicode.IsSpace(r) {
			return ' '
		}
		if r <= 0xFFFF {
			if i, err := d.font.GlyphIndex(&d.buf, r); err == nil && i > 0 {
				return r
			}
		}
		d.missing = true
		return '?'
	}, text)
}
