// Package email gives addresses one spelling, so that two of them can be
// compared, and hides them where a hint must do.
package email

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// MaxBytes is the length of the longest address that mail servers accept.
const MaxBytes = 254

// Normalize returns the one spelling of a bare address: trimmed, lower-case,
// the domain in its ASCII form. Tags ("+x") and dots are kept. The result of
// Normalize is its own normal form.
//
// Error: Invalid for anything but one bare address of at most MaxBytes: a
// display name, several addresses, quotes, spaces, control or invisible
// characters, an address literal, a letter that only looks like an ASCII one.
func Normalize(addr string) (string, error) {
	addr = strings.TrimSpace(addr)
	if addr == "" {
		return "", apperr.Errorf(apperr.Invalid, "Enter an email address.")
	}
	if len(addr) > MaxBytes {
		return "", apperr.Errorf(apperr.Invalid, "This email address is too long.")
	}
	if !printable(addr) {
		return "", badAddress()
	}
	at := strings.LastIndexByte(addr, '@')
	if at < 1 {
		return "", badAddress()
	}
	local, ok := lowerLocal(addr[:at])
	if !ok {
		return "", badAddress()
	}
	domain, err := profile().ToASCII(addr[at+1:])
	if err != nil {
		return "", badAddress()
	}
	normal := local + "@" + strings.ToLower(domain)
	parsed, err := mail.ParseAddress(normal)
	if err != nil || parsed.Address != normal || parsed.Name != "" {
		return "", badAddress()
	}
	if len(normal) > MaxBytes || len(local) > 64 {
		return "", apperr.Errorf(apperr.Invalid, "This email address is too long.")
	}
	return normal, nil
}

// Mask returns a hint at the address for people who may not see it whole:
// the first letter and the domain, "j•••@acme.com". Text that is no address
// becomes dots only.
func Mask(addr string) string {
	at := strings.LastIndexByte(addr, '@')
	if at < 1 || !printable(addr) {
		return "•••"
	}
	first, _ := utf8.DecodeRuneInString(addr)
	return string(first) + "•••" + addr[at:]
}

func badAddress() error {
	return apperr.Errorf(apperr.Invalid, "Enter one email address, like name@example.com.")
}

func profile() *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true),
		idna.StrictDomainName(true), idna.VerifyDNSLength(true))
}

// printable refuses what a person cannot see or a mail server could mistake
// for the end of the address.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r == ' ' || r == utf8.RuneError || !unicode.IsPrint(r) || strings.ContainsRune(`"<>(),;:\[]`, r) {
			return false
		}
	}
	return true
}

// lowerLocal returns the local part in lower case and composed form. It is
// false for a letter such as the Kelvin sign, whose lower case is ASCII:
// another mailbox must not fold into this one.
func lowerLocal(local string) (string, bool) {
	for _, r := range local {
		if r < utf8.RuneSelf {
			continue
		}
		folded := norm.NFC.String(strings.ToLower(string(r)))
		if first, _ := utf8.DecodeRuneInString(folded); first < utf8.RuneSelf {
			return "", false
		}
	}
	lower := norm.NFC.String(strings.ToLower(norm.NFC.String(local)))
	return lower, printable(lower)
}
