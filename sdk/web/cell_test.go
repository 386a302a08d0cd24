package web_test

import (
	"testing"

	"github.com/billing-addons/customer-portal/sdk/web"
)

func TestCell(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "",
		"Acme":                       "Acme",
		"2026-11-21":                 "2026-11-21",
		`The "Blue" - Pools, -2`:     `The "Blue" - Pools, -2`,
		"a=b":                        "a=b",
		"=1+1":                       "'=1+1",
		"+1":                         "'+1",
		"-1":                         "'-1",
		"@SUM(A1)":                   "'@SUM(A1)",
		"  =1":                       "'  =1",
		"\u00a0=1":                   "'\u00a0=1",
		"＝1":                         "'＝1",
		"\tx":                        "'\tx",
		"x\n=1":                      "x\n'=1",
		"from: a; =HYPERLINK(\"x\")": "from: a;' =HYPERLINK(\"x\")",
	} {
		if got := web.Cell(text); got != want {
			t.Errorf("Cell(%q) = %q, want %q", text, got, want)
		}
	}
}
