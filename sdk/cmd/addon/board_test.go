package main

import (
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// TestBoardShowsWhatStaffWereTold: an author sees what a platform would mail.
func TestBoardShowsWhatStaffWereTold(t *testing.T) {
	t.Parallel()
	show := func(notices ...sdktest.Notice) string {
		var b strings.Builder
		data := map[string]any{"Name": "Hello", "Style": boardStyle, "Notices": notices, "Mails": []sdktest.Mail{}, "Links": []link{}}
		if err := boardTemplates().Lookup("board.html").Execute(&b, data); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	told := show(sdktest.Notice{StaffNotice: sdk.StaffNotice{Ability: "staff:invite", Kind: "access", Subject: "S <b>", Text: "T"}})
	for _, want := range []string{"Staff were told", "S &lt;b&gt;", "<pre>T</pre>", "hold staff:invite, access; leads to /<"} {
		if !strings.Contains(told, want) {
			t.Errorf("no %q in %s", want, told)
		}
	}
	if strings.Contains(show(), "told") {
		t.Error("the board tells of nothing")
	}
}
