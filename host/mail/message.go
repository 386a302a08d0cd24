package mail

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Limits of one mail: its subject in characters, each part in bytes.
const (
	maxSubject = 250
	maxBody    = 1 << 20
)

// MessageID returns the Message-ID, without angle brackets, of the mail that a
// biller's add-on sends with an idempotency key. It is the same at every try,
// so a mail server and a person can tell a duplicate.
func (s *Sender) MessageID(biller, addon, key string) string {
	mac := hmac.New(sha256.New, s.cfg.Key)
	for _, part := range []string{"message-id", biller, addon, key} {
		mac.Write(fmt.Appendf(nil, "%d:%s,", len(part), part))
	}
	_, domain, _ := strings.Cut(s.cfg.From, "@")
	return hex.EncodeToString(mac.Sum(nil)[:16]) + "@" + domain
}

// check refuses what must not reach a header or a server. Its errors are
// written for staff.
func check(m addon.Mail) error {
	switch {
	case CheckAddress(m.To) != nil:
		return CheckAddress(m.To)
	case m.ReplyTo != "" && CheckAddress(m.ReplyTo) != nil:
		return apperr.Errorf(apperr.Invalid, "The contact address of the business is not an email address.")
	case !oneLine(m.Subject) || strings.TrimSpace(m.Subject) == "" || utf8.RuneCountInString(m.Subject) > maxSubject:
		return apperr.Field("subject", fmt.Sprintf("The subject must be one line of 1 to %d characters.", maxSubject))
	case !oneLine(m.FromName) || !oneLine(m.MessageID) || strings.ContainsAny(m.MessageID, "<> "):
		return apperr.Errorf(apperr.Invalid, "The sender's name must be one line.")
	case m.MessageID == "" || strings.TrimSpace(m.Text) == "":
		return apperr.Errorf(apperr.Invalid, "A mail needs a text part and a key.")
	case len(m.Text) > maxBody || len(m.HTML) > maxBody:
		return apperr.Errorf(apperr.Invalid, "The mail is too large: each part may have 1 MiB.")
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML):
		return apperr.Errorf(apperr.Invalid, "The mail must be UTF-8 text.")
	}
	return nil
}

// CheckAddress returns Invalid, blaming the field "email", unless address is
// one bare address that a mail server may take.
func CheckAddress(address string) error {
	a, err := mail.ParseAddress(address)
	if err != nil || a.Name != "" || a.Address != address || len(address) > 254 || !oneLine(address) {
		return apperr.Field("email", "Enter an email address such as name@example.com.")
	}
	return nil
}

func oneLine(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	})
}

// render returns the mail as it goes over the wire, before dot-stuffing.
func (s *Sender) render(m addon.Mail, date time.Time) ([]byte, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	name := m.FromName
	if name == "" {
		name = s.cfg.PlatformName
	}
	msg.FromMailAddress(&mail.Address{Name: name, Address: s.cfg.From})
	msg.ToMailAddress(&mail.Address{Address: m.To})
	if m.ReplyTo != "" {
		msg.ReplyToMailAddress(&mail.Address{Name: m.FromName, Address: m.ReplyTo})
	}
	msg.Subject(m.Subject)
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetDateWithValue(date.UTC())
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Auto-Response-Suppress", "All")
	msg.SetBodyString(gomail.TypeTextPlain, textWithFooter(m.Text, m.Footer))
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, htmlWithFooter(m.HTML, m.Footer))
	}
	var b bytes.Buffer
	if _, err := msg.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("render mail: %w", err)
	}
	return b.Bytes(), nil
}

func textWithFooter(text string, footer []string) string {
	text = strings.TrimRight(text, "\r\n ")
	if len(footer) == 0 {
		return text + "\n"
	}
	return text + "\n\n-- \n" + strings.Join(footer, "\n") + "\n"
}

// htmlWithFooter puts the footer inside the body, where a mail has one.
func htmlWithFooter(page string, footer []string) string {
	if len(footer) == 0 {
		return page
	}
	lines := make([]string, len(footer))
	for i, l := range footer {
		lines[i] = html.EscapeString(l)
	}
	block := `<p style="max-width:600px; margin:20px auto; padding:0 20px; color:#57606b; ` +
		`font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif; font-size:13px; line-height:19px;">` +
		strings.Join(lines, "<br>") + "</p>\n"
	if i := strings.LastIndex(strings.ToLower(page), "</body>"); i >= 0 && len(strings.ToLower(page)) == len(page) {
		return page[:i] + block + page[i:]
	}
	return page + block
}
