package web

import (
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// MaxForm is the largest form body, in bytes.
const MaxForm = 64 << 10

// Form is what a person typed, and what is wrong with it: enough to draw the
// same form again with nothing lost. The zero value is an empty form.
type Form struct {
	values url.Values
	errors map[string]string
	// Message is what is wrong with the form as a whole; empty if nothing is.
	Message string
}

// NewForm returns a form filled with values, to be drawn for the first time.
func NewForm(values map[string]string) *Form {
	f := &Form{values: url.Values{}}
	for name, value := range values {
		f.values.Set(name, value)
	}
	return f
}

// ParseForm reads the body of a POST, never the query. Errors, all Invalid: a
// body over MaxForm or of another type, text that is not UTF-8, and NUL.
func ParseForm(w http.ResponseWriter, r *http.Request) (*Form, error) {
	return ParseLargeForm(w, r, MaxForm)
}

// ParseLargeForm is ParseForm for a body of up to limit bytes.
func ParseLargeForm(w http.ResponseWriter, r *http.Request, limit int64) (*Form, error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, apperr.Errorf(apperr.Invalid, "This form could not be read. Please go back and try again.")
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	if err := r.ParseForm(); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, apperr.Wrap(apperr.Invalid, "This form is too long. Please shorten the text and try again.", err)
		}
		return nil, apperr.Wrap(apperr.Invalid, "This form could not be read. Please go back and try again.", err)
	}
	f := &Form{values: r.PostForm}
	for name, values := range f.values {
		if !clean(name) || slices.ContainsFunc(values, unclean) {
			return nil, apperr.Errorf(apperr.Invalid, "This form holds characters that are no text. Please type them again.")
		}
	}
	return f, nil
}

// Value returns the first value of a field as it was typed, or "".
func (f *Form) Value(name string) string { return f.values.Get(name) }

// Text returns Value without the white space around it.
func (f *Form) Text(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// Values returns all values of a field, for check boxes.
func (f *Form) Values(name string) []string { return slices.Clone(f.values[name]) }

// Has reports whether the field was sent with this value: whether a choice is
// chosen or a box is checked.
func (f *Form) Has(name, value string) bool { return slices.Contains(f.values[name], value) }

// Set replaces a field's value, for example with "" before a password field is
// drawn again.
func (f *Form) Set(name, value string) {
	if f.values == nil {
		f.values = url.Values{}
	}
	f.values.Set(name, value)
}

// Error returns what is wrong with a field, or "".
func (f *Form) Error(name string) string { return f.errors[name] }

// Failed reports whether anything is wrong.
func (f *Form) Failed() bool { return f.Message != "" || len(f.errors) > 0 }

// Fail takes over what err says about the fields and, if it blames none, about
// the form. It reports false for errors that no form can show (NotFound,
// Unauthenticated, PermissionDenied, Internal): return those from the handler.
func (f *Form) Fail(err error) bool {
	switch apperr.CodeOf(err) {
	case apperr.Invalid, apperr.Conflict, apperr.TooManyRequests, apperr.Unavailable:
	default:
		return false
	}
	fields := apperr.FieldsOf(err)
	if len(fields) == 0 {
		f.Message = apperr.MessageOf(err)
		return true
	}
	if f.errors == nil {
		f.errors = map[string]string{}
	}
	maps.Copy(f.errors, fields)
	return true
}

// QueryValue returns a value of the query, trimmed; "" if it is over 1,000 bytes
// or no text. For bodies use ParseForm.
func QueryValue(r *http.Request, name string) string {
	v := strings.TrimSpace(r.URL.Query().Get(name))
	if len(v) > 1000 || unclean(v) {
		return ""
	}
	return v
}

func clean(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func unclean(s string) bool { return !clean(s) }
