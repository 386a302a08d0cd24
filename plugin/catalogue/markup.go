package catalogue

import (
	"html/template"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Bold is the text in <b>, for Rich.
func (t Text) Bold(text string) template.HTML {
	return template.HTML("<b>" + template.HTMLEscapeString(text) + "</b>")
}

// longestFirm is how many characters of a line in bold fit on a small phone.
const longestFirm = 30

// Firm is Bold that does not break across lines, unless no line of a phone holds it.
func (t Text) Firm(text string) template.HTML {
	if utf8.RuneCountInString(text) > longestFirm {
		return t.Bold(text)
	}
	return template.HTML(`<b class="nowrap">` + template.HTMLEscapeString(text) + "</b>")
}

// Link is a link inside a sentence, for Rich. href is a path of our own.
func (t Text) Link(href, text string) template.HTML {
	if !strings.HasPrefix(href, "/") {
		href = "#"
	}
	return anchor(href, text)
}

// Phone is a link that dials the number.
func (t Text) Phone(number string) template.HTML { return anchor(TelURL(number), number) }

// Mailto is a link that writes to the address; text defaults to the address.
func (t Text) Mailto(address, text string) template.HTML {
	if text == "" {
		text = address
	}
	return anchor(MailURL(address), text)
}

// extension is what follows a number: "ext. 12".
var extension = regexp.MustCompile(`(?i)(?:\bextension|\bext|x)\.?\s*(\d{1,7})\s*$`)

// TelURL returns the tel: address (RFC 3966) of a number as people write it, with a
// word before it or an extension behind.
func TelURL(number string) string {
	ext := ""
	if m := extension.FindStringSubmatchIndex(number); m != nil && digits(number[:m[0]]) != "" {
		number, ext = number[:m[0]], ";ext="+number[m[2]:m[3]]
	}
	plus := ""
	if i := strings.IndexAny(number, "+0123456789"); i >= 0 && number[i] == '+' {
		plus = "+"
	}
	return "tel:" + plus + digits(number) + ext
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// MailURL returns the mailto: address; characters that would start header
// fields of the mail are left out.
func MailURL(address string) string {
	return "mailto:" + strings.NewReplacer("?", "", "&", "", "%", "", " ", "").Replace(address)
}

func anchor(href, text string) template.HTML {
	return template.HTML(`<a href="` + template.HTMLEscapeString(href) + `">` + template.HTMLEscapeString(text) + `</a>`)
}
