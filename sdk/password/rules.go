package password

import (
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Lengths of a password, in characters.
const (
	MinLength = 12
	MaxLength = 128
)

// leastScore is the Score of a password that is not easy to guess.
const leastScore = 2

// Errors of Check: Invalid, on the field "password". Compare with errors.Is.
var (
	ErrUnreadable = refuse("This password has characters we cannot read. Type it again.")
	ErrShort      = refuse("Use at least 12 characters. A few words in a row are easy to remember.")
	ErrLong       = refuse("Use at most 128 characters.")
	ErrEmail      = refuse("Choose a password that is more than your email address.")
	ErrName       = refuse("Choose a password that is more than the name of the company, of this portal, or yours.")
	ErrBreached   = refuse("This password is on lists that attackers try first. Choose another.")
	ErrWeak       = refuse("This password is easy to guess. Make it longer, or use a few words that do not belong together.")
)

// Check returns one of the errors above, which says what to do, or nil for a
// password that may be chosen. Any characters are fine; nothing is cut off.
func (h *Hasher) Check(password, email, billerName string) error {
	switch n := utf8.RuneCountInString(password); {
	case !utf8.ValidString(password):
		return ErrUnreadable
	case n < MinLength:
		return ErrShort
	case n > MaxLength:
		return ErrLong
	case h.isEmail(password, email):
		return ErrEmail
	case h.onlyNames(password, email, billerName):
		return ErrName
	case h.breach.Breached(password):
		return ErrBreached
	case Score(password, append([]string{email, billerName}, h.product...)...) < leastScore:
		return ErrWeak
	}
	return nil
}

func refuse(message string) error { return apperr.Field("password", message) }

// isEmail tells whether the password is made of the address alone.
func (h *Hasher) isEmail(password, email string) bool {
	return onlyWords(password, words(email))
}

// onlyNames tells whether the password is made of the names, and perhaps the
// address, alone.
func (h *Hasher) onlyNames(password, email, billerName string) bool {
	return onlyWords(password, words(append([]string{email, billerName}, h.product...)...))
}
