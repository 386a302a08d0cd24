package web

import (
	"regexp"
	"strings"
)

// formulas are where a spreadsheet would take what somebody typed for a formula:
// behind spaces too, and behind what divides cells in other countries.
var formulas = regexp.MustCompile(`(^|[;\t\r\n])([\s\x{a0}"]*)([=+\-@＝＋－＠])`)

// Cell returns a text for a cell of a CSV file: where a spreadsheet would compute
// it, an apostrophe says that it is a text (ASVS 1.2.10). Quoting is encoding/csv's.
func Cell(text string) string {
	if strings.TrimLeft(text, "\t\r\n") != text {
		text = "'" + text
	}
	return formulas.ReplaceAllString(text, "$1'$2$3")
}
