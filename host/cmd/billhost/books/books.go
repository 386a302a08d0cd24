// Package books holds the words and rules of the reference platform: billers,
// staff, customers, invoices and money. It is a leaf that store, web and the
// program itself import.
package books

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Limits of what people may type, in characters.
const (
	maxName = 200
	maxLine = 300
)

// Squeeze trims s and makes every run of white space one space.
func Squeeze(s string) string { return strings.Join(strings.Fields(s), " ") }

// NameKey is what two spellings of one name have in common: case and white
// space do not count. An import finds customers by it.
func NameKey(name string) string { return strings.ToLower(Squeeze(name)) }

// fields collects what is wrong with a form, by field.
type fields map[string]string

func (f fields) add(name, message string) {
	if _, taken := f[name]; !taken {
		f[name] = message
	}
}

// text checks one line of text of at most limit characters.
func (f fields) text(name, value string, limit int) {
	switch {
	case !utf8.ValidString(value):
		f.add(name, "This is not valid text (UTF-8).")
	case strings.ContainsFunc(value, unicode.IsControl):
		f.add(name, "Use one line without control characters.")
	case utf8.RuneCountInString(value) > limit:
		f.add(name, "This is too long.")
	}
}

// err returns nil, or an Invalid error with the fields.
func (f fields) err(message string) error {
	if len(f) == 0 {
		return nil
	}
	return &apperr.Error{Code: apperr.Invalid, Message: message, Fields: f}
}
