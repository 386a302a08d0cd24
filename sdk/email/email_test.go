package email_test

import (
	"strings"
	"testing"

	"golang.org/x/net/idna"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 61) + "@" + strings.Repeat("b", 63) + "." + strings.Repeat("c", 63) + "." + strings.Repeat("d", 62) + ".e"
	for _, c := range []struct{ name, in, want string }{
		{"plain", "jane@example.com", "jane@example.com"},
		{"trimmed and lower-case", "  Jane.Doe+Bills@Example.COM\n", "jane.doe+bills@example.com"},
		{"domain in punycode", "kai@bücher.example", "kai@xn--bcher-kva.example"},
		{"upper-case umlaut", "kai@BÜCHER.example", "kai@xn--bcher-kva.example"},
		{"local part outside ASCII", "JÖRG@example.com", "jörg@example.com"},
		{"composed form", "jo\u0308rg@example.com", "jörg@example.com"},
		{"longest", long, long},
		{"too long", "a" + long, ""},
		{"local too long", strings.Repeat("a", 65) + "@example.com", ""},
		{"empty", " ", ""},
		{"no domain", "jane@", ""},
		{"no local", "@example.com", ""},
		{"no at", "example.com", ""},
		{"display name", "Jane <jane@example.com>", ""},
		{"two addresses", "a@example.com,b@example.com", ""},
		{"two at signs", "a@b@example.com", ""},
		{"space", "jane doe@example.com", ""},
		{"header injection", "jane@example.com\r\nBcc: x@example.com", ""},
		{"nul", "jane\x00@example.com", ""},
		{"zero width", "ja\u200bne@example.com", ""},
		{"quoted", `"jane"@example.com`, ""},
		{"comment", "jane@example.com (x)", ""},
		{"literal", "jane@[127.0.0.1]", ""},
		{"kelvin sign", "\u212aate@example.com", ""},
		{"invalid utf-8", "ja\xffne@example.com", ""},
		{"underscore in domain", "jane@exa_mple.com", ""},
		{"dots", "jane..doe@example.com", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := email.Normalize(c.in)
			if got != c.want || (err != nil) != (c.want == "") {
				t.Fatalf("Normalize(%q) = %q, %v; want %q", c.in, got, err, c.want)
			}
			if err != nil && !apperr.Is(err, apperr.Invalid) {
				t.Fatalf("code %q, want invalid", apperr.CodeOf(err))
			}
		})
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"jane@acme.com":  "j•••@acme.com",
		"j@acme.com":     "j•••@acme.com",
		"örg@acme.com":   "ö•••@acme.com",
		"":               "•••",
		"nonsense":       "•••",
		"@acme.com":      "•••",
		"a\n@acme.com":   "•••",
		"a@b@acme.com":   "a•••@acme.com",
		"jane@acme.com ": "•••",
	} {
		if got := email.Mask(in); got != want {
			t.Errorf("Mask(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, s := range []string{"jane@example.com", "kai@bücher.example", "\u212a@x.y", "İ@x.y", "a@b@c", `"a b"@c.d`, "a@xn--a.b", "a@BÜCHER.example", "a@b.c\r\nBcc: x@y.z", "a@ß.de", "a@\u3002.b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		got, err := email.Normalize(in)
		if err != nil {
			if got != "" || !apperr.Is(err, apperr.Invalid) {
				t.Fatalf("Normalize(%q) = %q, %v", in, got, err)
			}
			return
		}
		if len(got) > email.MaxBytes || strings.ContainsAny(got, " \r\n\t<>,\"\x00") || strings.Count(got, "@") != 1 {
			t.Fatalf("Normalize(%q) = %q", in, got)
		}
		at := strings.LastIndexByte(got, '@')
		unicodeDomain, err := idna.ToUnicode(got[at+1:])
		if err != nil {
			t.Fatalf("Normalize(%q) = %q, whose domain is none: %v", in, got, err)
		}
		for _, form := range []string{got, " " + got + "\n", got[:at] + "@" + strings.ToUpper(got[at+1:]), got[:at+1] + unicodeDomain} {
			if again, err := email.Normalize(form); len(form) <= email.MaxBytes && (err != nil || again != got) {
				t.Fatalf("Normalize(%q) = %q, but of %q %q, %v", in, got, form, again, err)
			}
		}
	})
}
