package password

import (
	"strings"
	"unicode"
)

// words returns the words of the names in lower case. One that is written like
// HarborView counts as one word and as two; digits and signs belong to none.
func words(names ...string) [][]rune {
	var out [][]rune
	for _, name := range names {
		for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) }) {
			out = append(out, []rune(strings.ToLower(word)))
			for _, part := range humps(word) {
				out = append(out, []rune(strings.ToLower(part)))
			}
		}
	}
	return out
}

// humps returns the parts of a word that has a capital after a small letter.
func humps(word string) []string {
	var parts []string
	start, small := 0, false
	for i, r := range word {
		if small && unicode.IsUpper(r) {
			parts = append(parts, word[start:i])
			start = i
		}
		small = unicode.IsLower(r)
	}
	if start == 0 {
		return nil
	}
	return append(parts, word[start:])
}

// onlyWords tells whether a text is made of words, in any order and number, with
// nothing but digits and signs beside and signs within them. Digits and signs may
// stand for letters of longer words.
func onlyWords(text string, words [][]rune) bool {
	within := make([][]bool, len(words)) // [w][n]: the first n letters of w were read
	for w, word := range words {
		within[w] = make([]bool, len(word))
	}
	before, between := true, false // no word was read yet; one was, and none is begun
	for _, r := range strings.ToLower(text) {
		ended := false
		for w, word := range words {
			if before || between {
				within[w][0] = true
			}
			for n := len(word) - 1; n >= 0; n-- {
				if !within[w][n] {
					continue
				}
				within[w][n] = n > 0 && !unicode.IsLetter(r) && !unicode.IsNumber(r)
				switch {
				case !reads(r, word[n], len(word)):
				case n+1 == len(word):
					ended = true
				default:
					within[w][n+1] = true
				}
			}
		}
		before = before && !unicode.IsLetter(r)
		between = ended || between && !unicode.IsLetter(r)
	}
	return between
}

// reads tells whether somebody reads r as the letter, in a word of that length.
func reads(r, letter rune, length int) bool {
	const (
		shortest = 4
		pairs    = "4a @a 8b 3e 6g 9g 1i !i |i 1l !l |l 0o 5s $s 7t +t 2z"
	)
	return r == letter || length >= shortest && strings.Contains(pairs, string([]rune{r, letter}))
}
