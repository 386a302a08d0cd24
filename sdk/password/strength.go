package password

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/trustelem/zxcvbn"
)

// weakInput bounds what the strength estimate looks at: its time grows much
// faster than its input.
const weakInput = 64

// Score says how hard a password is to guess, from 0 (at once) to 4 (for years),
// for a meter beside the field. known is what the person would think of, the
// address and the name of the business, and the product's: what is made of their
// words is easy to guess, and with others they count for little. Whether a
// password may be chosen is for Hasher.Check to say.
func Score(password string, known ...string) int {
	known = append(known, product)
	most := 4
	if utf8.RuneCountInString(password) <= MaxLength && onlyWords(password, words(known...)) {
		most = leastScore - 1
	}
	if runes := []rune(password); len(runes) > weakInput {
		password = string(runes[:weakInput])
	}
	apart := strings.FieldsFunc(strings.Join(known, " "), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
	return min(max(zxcvbn.PasswordStrength(password, append(apart, known...)).Score, 0), most)
}
