package sink

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"time"
)

// Mail is one mail as it came.
type Mail struct {
	// ID counts the mails from 1.
	ID int
	At time.Time
	// From and To are the headers, decoded.
	From, To, Subject string
	// EnvelopeFrom and EnvelopeTo are what the SMTP dialogue said.
	EnvelopeFrom string
	EnvelopeTo   []string
	// Text and HTML are the parts; either may be empty.
	Text, HTML string
	Header     mail.Header
	Raw        []byte
}

var linkPattern = regexp.MustCompile(`https?://[^\s<>"]+`)

// Link returns the first address in the text part, "" if there is none.
func (m Mail) Link() string { return trimLink(linkPattern.FindString(m.Text)) }

// trimLink leaves out what belongs to the sentence around the address.
func trimLink(link string) string { return strings.TrimRight(link, ".,;:!?)'") }

// segment is a piece of the text part: an address to follow if Href is set.
type segment struct{ Text, Href string }

// Paragraphs cuts the text part at empty lines, each paragraph into lines and
// each line at its links.
func (m Mail) Paragraphs() [][][]segment {
	var list [][][]segment
	for paragraph := range strings.SplitSeq(m.Text, "\n\n") {
		paragraph = strings.Trim(paragraph, "\n")
		if paragraph == "" {
			continue
		}
		var lines [][]segment
		for line := range strings.SplitSeq(paragraph, "\n") {
			lines = append(lines, segments(line))
		}
		list = append(list, lines)
	}
	return list
}

func segments(line string) []segment {
	var list []segment
	rest := line
	for {
		at := linkPattern.FindStringIndex(rest)
		if at == nil {
			return append(list, segment{Text: rest})
		}
		link := trimLink(rest[at[0]:at[1]])
		list = append(list, segment{Text: rest[:at[0]]}, segment{Text: link, Href: link})
		rest = rest[at[0]+len(link):]
	}
}

func parse(raw []byte) (Mail, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, fmt.Errorf("read header: %w", err)
	}
	m := Mail{Header: msg.Header, Raw: raw}
	for field, target := range map[string]*string{"From": &m.From, "To": &m.To, "Subject": &m.Subject} {
		if *target, err = new(mime.WordDecoder).DecodeHeader(msg.Header.Get(field)); err != nil {
			return Mail{}, fmt.Errorf("decode %s: %w", field, err)
		}
	}
	err = m.part(textproto.MIMEHeader(msg.Header), msg.Body, 0)
	return m, err
}

// part keeps the first text and the first HTML part.
func (m *Mail) part(h textproto.MIMEHeader, body io.Reader, depth int) error {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		kind, params = "text/plain", nil
	}
	if strings.HasPrefix(kind, "multipart/") && depth < 5 {
		return m.parts(multipart.NewReader(body, params["boundary"]), depth)
	}
	content, err := io.ReadAll(decoded(h.Get("Content-Transfer-Encoding"), body))
	if err != nil {
		return fmt.Errorf("decode part: %w", err)
	}
	text := strings.ReplaceAll(string(content), "\r\n", "\n")
	switch {
	case kind == "text/plain" && m.Text == "":
		m.Text = text
	case kind == "text/html" && m.HTML == "":
		m.HTML = text
	}
	return nil
}

func (m *Mail) parts(r *multipart.Reader, depth int) error {
	for {
		p, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read part: %w", err)
		}
		if err := m.part(p.Header, p, depth+1); err != nil {
			return err
		}
	}
}

func decoded(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	}
	return r
}
