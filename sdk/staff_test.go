package sdk_test

import (
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

func notice() sdk.StaffNotice {
	return sdk.StaffNotice{Key: "access/1", Kind: "access", Ability: "staff:invite", Subject: "Somebody asks", Text: "Line one.\nLine two: é.", Path: "/customers/17?tab=2"}
}

// TestNoticesAreChecked: nothing that ends a header line or leads away passes.
func TestNoticesAreChecked(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit func(*sdk.StaffNotice)
		ok   bool
	}{
		"as it is":           {func(*sdk.StaffNotice) {}, true},
		"the first page":     {func(n *sdk.StaffNotice) { n.Path = "" }, true},
		"a folder":           {func(n *sdk.StaffNotice) { n.Path = "/a/" }, true},
		"an escaped path":    {func(n *sdk.StaffNotice) { n.Path = "/customers/a%20b" }, true},
		"long, not in runes": {func(n *sdk.StaffNotice) { n.Subject = strings.Repeat("é", 150) }, true},
		"no key":             {func(n *sdk.StaffNotice) { n.Key = "" }, false},
		"a key of control":   {func(n *sdk.StaffNotice) { n.Key = "a\x1fb" }, false},
		"a long key":         {func(n *sdk.StaffNotice) { n.Key = strings.Repeat("k", 201) }, false},
		"no kind":            {func(n *sdk.StaffNotice) { n.Kind = "" }, false},
		"a kind of words":    {func(n *sdk.StaffNotice) { n.Kind = "Two words" }, false},
		"nobody":             {func(n *sdk.StaffNotice) { n.Ability = "" }, false},
		"operators":          {func(n *sdk.StaffNotice) { n.Ability = "addons:operate" }, false},
		"a header":           {func(n *sdk.StaffNotice) { n.Subject = "a\r\nBcc: all@x.example" }, false},
		"another line end":   {func(n *sdk.StaffNotice) { n.Subject = "a\u2028b" }, false},
		"no subject":         {func(n *sdk.StaffNotice) { n.Subject = " " }, false},
		"a long subject":     {func(n *sdk.StaffNotice) { n.Subject = strings.Repeat("é", 151) }, false},
		"no text":            {func(n *sdk.StaffNotice) { n.Text = "\n" }, false},
		"a long text":        {func(n *sdk.StaffNotice) { n.Text = strings.Repeat("x", 2001) }, false},
		"a bell":             {func(n *sdk.StaffNotice) { n.Text = "a\ab" }, false},
		"a link in text":     {func(n *sdk.StaffNotice) { n.Text = "Open https://evil.example" }, false},
		"a link in subject":  {func(n *sdk.StaffNotice) { n.Subject = "Open x://y" }, false},
		"no text at all":     {func(n *sdk.StaffNotice) { n.Text = "a\xff" }, false},
		"a relative path":    {func(n *sdk.StaffNotice) { n.Path = "customers" }, false},
		"another host":       {func(n *sdk.StaffNotice) { n.Path = "//evil.example/" }, false},
		"an address":         {func(n *sdk.StaffNotice) { n.Path = "https://evil.example/" }, false},
		"up":                 {func(n *sdk.StaffNotice) { n.Path = "/../../sign-out" }, false},
		"up, escaped":        {func(n *sdk.StaffNotice) { n.Path = "/%2e%2e/x" }, false},
		"a backslash":        {func(n *sdk.StaffNotice) { n.Path = "/\\evil.example" }, false},
		"one escaped":        {func(n *sdk.StaffNotice) { n.Path = "/%5cevil" }, false},
		"two lines":          {func(n *sdk.StaffNotice) { n.Path = "/a\nb" }, false},
		"two lines, hidden":  {func(n *sdk.StaffNotice) { n.Path = "/a%0ab" }, false},
		"more words":         {func(n *sdk.StaffNotice) { n.Path = "/a b" }, false},
		"a long path":        {func(n *sdk.StaffNotice) { n.Path = "/" + strings.Repeat("a", 500) }, false},
	} {
		n := notice()
		tt.edit(&n)
		if err := n.Check(); (err == nil) != tt.ok || err != nil && !apperr.Is(err, apperr.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
