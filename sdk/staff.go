package sdk

import (
	"context"
	"net/url"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Staff reaches the people who work for the biller; the add-on never learns who
// they are, nor their addresses. Permission staff:notify. An installation from
// before the add-on asked for it does without until the biller agrees: take
// PermissionDenied for "nobody is told".
type Staff interface {
	// Notify mails everybody of the biller's staff who holds the ability, twenty
	// people at most, from the platform's own address, and returns how many have
	// the mail. Each gets it once for a key: after an error call it again with the
	// same key, and only those who lack the mail get it. Whom the mail server
	// refuses for good is left out. Each mail counts like one of Mail.Send.
	//
	// Not on public requests: PermissionDenied there; use a job. Errors: those of
	// StaffNotice.Check, Unavailable for what may succeed later, TooManyRequests
	// over the cap.
	Notify(ctx context.Context, n StaffNotice) (told int, err error)
}

// StaffNotice is something that the biller's staff should know. The host adds the
// greeting, the link, the sender and the footer.
type StaffNotice struct {
	// Key is the idempotency key, 1 to 200 characters, unique per biller and apart
	// from those of Mail.Send.
	Key string
	// Kind is a short word for lists and counts ("access").
	Kind string
	// Ability says who is told: "staff:invite".
	Ability string
	// Subject is one line of at most 150 characters. Text is plain text of at most
	// 2,000. Neither holds a link: what a stranger typed must not lead staff away.
	Subject, Text string
	// Path is the page to open, below the add-on's staff pages ("/customers/17?tab=2");
	// empty means the first.
	Path string
}

// Limits of a notice, in characters.
const (
	maxNoticeKey     = 200
	maxNoticeKind    = 32
	maxNoticeSubject = 150
	maxNoticeText    = 2000
	maxNoticePath    = 500
)

// Check returns Invalid unless a host takes the notice.
func (n StaffNotice) Check() error {
	switch {
	case n.Key == "" || len(n.Key) > maxNoticeKey || !plain(n.Key, ""):
		return apperr.Errorf(apperr.Invalid, "A notice's key must have 1 to %d characters, none of them a control character.", maxNoticeKey)
	case !word(n.Kind) || len(n.Kind) > maxNoticeKind:
		return apperr.Errorf(apperr.Invalid, "A notice's kind must be a short word such as access.")
	case !strings.HasPrefix(n.Ability, "staff:"):
		return apperr.Errorf(apperr.Invalid, "A notice names the ability of those it is for, such as staff:invite.")
	case blank(n.Subject) || utf8.RuneCountInString(n.Subject) > maxNoticeSubject || !plain(n.Subject, ""):
		return apperr.Errorf(apperr.Invalid, "A notice's subject must be one line of 1 to %d characters.", maxNoticeSubject)
	case blank(n.Text) || utf8.RuneCountInString(n.Text) > maxNoticeText || !plain(n.Text, "\n"):
		return apperr.Errorf(apperr.Invalid, "A notice's text must be plain text of 1 to %d characters.", maxNoticeText)
	case strings.Contains(n.Subject+n.Text, "://"):
		return apperr.Errorf(apperr.Invalid, "A notice's subject and text hold no link: its path is the link.")
	case !below(n.Path):
		return apperr.Errorf(apperr.Invalid, "A notice's path must be that of a staff page of the add-on, such as /customers/17.")
	}
	return nil
}

// word tells whether s is a lower-case word of the kind that lists are filtered by.
func word(s string) bool {
	return s != "" && s[0] >= 'a' && s[0] <= 'z' && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_.-") == ""
}

func blank(s string) bool { return strings.TrimSpace(s) == "" }

// plain tells whether s is text without control characters and line ends, but
// those of but.
func plain(s, but string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') && !strings.ContainsRune(but, r)
	})
}

// below tells whether p stays below the page that it is appended to.
func below(p string) bool {
	if p == "" {
		return true
	}
	u, err := url.Parse(p)
	if err != nil || len(p) > maxNoticePath || u.Scheme != "" || u.Host != "" || u.User != nil || strings.ContainsAny(p, "\\ ") {
		return false
	}
	clean := path.Clean(u.Path)
	if clean != "/" && strings.HasSuffix(u.Path, "/") {
		clean += "/"
	}
	return strings.HasPrefix(p, "/") && clean == u.Path && plain(u.Path, "") && !strings.Contains(u.Path, "\\")
}
