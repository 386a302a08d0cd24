package password

import "github.com/trustelem/zxcvbn"

// Score says how hard a password is to guess, from 0 (at once) to 4 (for years),
// for a meter beside the field. known are words that the person would think of:
// the address, the name of the business. Whether a password may be chosen is for
// Hasher.Check to say.
func Score(password string, known ...string) int {
	if runes := []rune(password); len(runes) > weakInput {
		password = string(runes[:weakInput])
	}
	return min(max(zxcvbn.PasswordStrength(password, known).Score, 0), 4)
}
