package addon

import (
	"path/filepath"
	"strings"
	"time"
)

// ExportName is what a file of an add-on's data is called, with the ending that
// the add-on gave it: "notice-board-northwind-20260504.jsonl". The day is that of
// at in its own zone.
func ExportName(addonID, biller string, at time.Time, fileName string) string {
	ending := filepath.Ext(fileName)
	if len(ending) > 8 || strings.ContainsFunc(strings.TrimPrefix(ending, "."), notWord) {
		ending = ""
	}
	return strings.Map(func(r rune) rune {
		if r != '-' && notWord(r) {
			return '_'
		}
		return r
	}, addonID+"-"+biller+"-"+at.Format("20060102")) + ending
}

func notWord(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}
