package portal

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

//go:embed agreement.txt
var defaultAgreement string

// DefaultAgreementVersion names the text every biller starts with.
const DefaultAgreementVersion = "1"

// MaxAgreement is the longest text of an agreement, in bytes of UTF-8.
const MaxAgreement = 64 << 10

// How much Markdown one paragraph may hold. Reading it takes time in the square
// of these, and no person writes more.
const (
	maxMarks = 1000 // characters that could mean something
	maxOpens = 24   // those that begin a line
)

// Errors of texts; compare with errors.Is. All are Invalid and about the field "text".
var (
	ErrAgreementEmpty   = apperr.Field("text", "Write the text of the agreement.")
	ErrAgreementLong    = apperr.Field("text", "The text is too long. 64 KiB is the most, about 10,000 words.")
	ErrAgreementNoText  = apperr.Field("text", "The text holds characters that are no text. Type them again.")
	ErrAgreementSigns   = apperr.Field("text", "One paragraph holds too many signs, such as asterisks and brackets. Divide it.")
	ErrAgreementSame    = apperr.Field("text", "The text is the same as that of the newest version.")
	ErrAgreementDay     = apperr.Field("on", "Choose the day from which the new version counts.")
	ErrAgreementPast    = apperr.Field("on", "That day is over. Choose today or a later day.")
	ErrAgreementFar     = apperr.Field("on", "That day is too far away. Two years from now is the latest.")
	ErrAgreementOrder   = apperr.Field("on", "Another version takes effect later than that. Choose its day or a later one, or withdraw it first.")
	ErrAgreementRaced   = apperr.Errorf(apperr.Conflict, "Another version was published in the meantime. Look at it, then publish yours if it is still right.")
	ErrAgreementInForce = apperr.Errorf(apperr.Conflict, "This version is in force, so it cannot be withdrawn. Publish a new one instead.")
	ErrAgreementGone    = apperr.Errorf(apperr.Conflict, "This version was withdrawn already.")
	ErrNoAgreement      = apperr.Errorf(apperr.NotFound, "There is no such version of the user agreement.")
	ErrNoAcceptance     = apperr.Errorf(apperr.NotFound, "There is no such acceptance of the user agreement.")
)

// Agreement is a version of the Customer Portal User Agreement.
type Agreement struct {
	// Version counts from 1, in decimal digits.
	Version string
	// EffectiveOn is the moment from which it is in force: the first of its day where
	// the biller is, or when it was published if that is later.
	EffectiveOn time.Time
	// Text is Markdown, but that of the default, which is plain: paragraphs apart by
	// an empty line. TextHash is its SHA-256 in hex.
	Text, TextHash string
}

// DefaultAgreement is the text every biller starts with, in force since on.
func DefaultAgreement(on time.Time) Agreement {
	return Agreement{
		Version: DefaultAgreementVersion, EffectiveOn: on,
		Text: defaultAgreement, TextHash: AgreementHash(defaultAgreement),
	}
}

// AgreementHash is the SHA-256 of a text in hex.
func AgreementHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// numbered matches a section of the default, "1. Your sign-in. Your username …".
var numbered = regexp.MustCompile(`(?m)^(\d{1,2}\. [^.\n]{1,80})\.[ \t]+(\S)`)

// Markdown is the text as Markdown: numbered sections of the default have their
// first sentence as heading.
func (a Agreement) Markdown() string {
	if a.Version != DefaultAgreementVersion {
		return a.Text
	}
	return numbered.ReplaceAllString(a.Text, "## $1\n\n$2")
}

// cleanAgreement is a typed text as it is kept: lines end in \n, nothing around it.
func cleanAgreement(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.Trim(text, "\n\t ") + "\n"
}

// CheckAgreementText returns why a text cannot be published: ErrAgreementEmpty,
// ErrAgreementLong, ErrAgreementNoText or ErrAgreementSigns.
func CheckAgreementText(text string) error {
	switch {
	case !strings.ContainsFunc(text, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }):
		return ErrAgreementEmpty
	case len(text) > MaxAgreement:
		return ErrAgreementLong
	case !utf8.ValidString(text) || strings.ContainsFunc(text, strange):
		return ErrAgreementNoText
	case tangled(text):
		return ErrAgreementSigns
	}
	return nil
}

// strange tells of control characters, and of those that turn the direction of
// writing: they would show another text than the one that is kept.
func strange(r rune) bool {
	turns := r >= '\u202A' && r <= '\u202E' || r >= '\u2066' && r <= '\u2069'
	return turns || unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}

// begins matches a line that is no part of the paragraph before it.
var begins = regexp.MustCompile(`^([-*+]|\d{1,9}[.)]|#{1,6})[ \t]`)

// tangled tells of Markdown that would take long to read.
func tangled(text string) bool {
	marks := 0
	for line := range strings.Lines(text) {
		words := strings.TrimSpace(line)
		if words == "" {
			marks = 0
			continue
		}
		if begins.MatchString(words) {
			marks = 0
		}
		marks += len(words) - len(strings.Map(func(r rune) rune {
			if strings.ContainsRune("*_[]()!<>\\&", r) {
				return -1
			}
			return r
		}, words))
		opens := line[:len(line)-len(strings.TrimLeft(line, " \t-*+.)0123456789"))]
		if strings.Trim(words, "-*_= ") != "" && len(strings.Join(strings.Fields(opens), "")) > maxOpens || marks > maxMarks || deep(line) {
			return true
		}
	}
	return false
}

// deep tells of a line that is indented further than lists nest.
func deep(line string) bool {
	return len(line)-len(strings.TrimLeft(line, " \t")) > 4*maxOpens
}
