package manifest

import (
	"fmt"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Problem is one mistake in a manifest.
type Problem struct {
	// Line and Column count from 1; both are 0 if the manifest was not read from
	// text. For something missing they point at what it is missing from.
	Line, Column int
	// Path names the place, such as "permissions[2].reason"; empty for the whole.
	Path string
	// Message says what is wrong and what to do.
	Message string
}

// Error lists every mistake found, in the order of the file. It counts as
// apperr.Invalid and its text may be shown to people.
type Error struct {
	// Name is the file's name as given to Parse.
	Name string
	// Problems has at least one entry.
	Problems []Problem
}

// Error returns one line for each mistake: file:line:column: path: message.
func (e *Error) Error() string {
	var b strings.Builder
	noun := "mistakes"
	if len(e.Problems) == 1 {
		noun = "mistake"
	}
	fmt.Fprintf(&b, "%s has %d %s:", e.Name, len(e.Problems), noun)
	for _, p := range e.Problems {
		b.WriteString("\n  " + e.Name)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d:%d", p.Line, p.Column)
		}
		b.WriteString(": ")
		if p.Path != "" {
			b.WriteString(p.Path + ": ")
		}
		b.WriteString(p.Message)
	}
	return b.String()
}

// Unwrap makes the error count as apperr.Invalid.
func (e *Error) Unwrap() error { return apperr.Errorf(apperr.Invalid, "%s", e.Error()) }

// unknown says that value is not a known noun, and which ones are near.
func unknown(noun, value string, known []string) string {
	if near := nearest(value, known); near != "" {
		return fmt.Sprintf("unknown %s %q; did you mean %s?", noun, value, near)
	}
	return fmt.Sprintf("unknown %s %q; choose from %s", noun, value, strings.Join(known, ", "))
}

// nearest returns the known word at most two edits away from value, or "". Half
// of a short value must be right.
func nearest(value string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(value, k); d < distance && 2*d <= len(value) {
			best, distance = k, d
		}
	}
	return best
}

// edits returns how many letters must change to turn a into b; words whose
// lengths differ by more than two count as far apart.
func edits(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
