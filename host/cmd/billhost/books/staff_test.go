package books_test

import (
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

// TestStaffNames: names stand in mails and on pages, so nothing unseen is in them.
func TestStaffNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Dana Whitfield": "Dana Whitfield", " Dana \t Whitfield\n": "Dana Whitfield", "Dana\r\nBcc: x@evil.example": "Dana Bcc: x@evil.example",
		"Dana\u2028Subject: x": "Dana Subject: x", "Łukasz Ó Briain 李": "Łukasz Ó Briain 李", "": "", " \n": "",
		"Dana\x00": "", "Dana\x1b[2J": "", "Dana\u202egnp.exe": "", "Dana\xff": "", strings.Repeat("x", 201): "",
	} {
		if got, err := books.CheckStaffName(name); got != want || (err == nil) != (want != "") {
			t.Errorf("%q became %q, %v", name, got, err)
		}
	}
}
