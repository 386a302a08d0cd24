package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// FuzzParseForm reads bodies of any kind: each is refused as invalid or is text,
// and no field comes from the query.
func FuzzParseForm(f *testing.F) {
	for _, body := range []string{"", "a=b&a=c", "a=%", "a=%00", "a=%ff", "%00=a", "a;b=c", "&&==", "a=" + strings.Repeat("x", web.MaxForm), "a=%2541", "q=1"} {
		f.Add(formType, body)
		f.Add("multipart/form-data; boundary=x", body)
	}
	f.Add("", "a=b")
	f.Add("application/x-www-form-urlencoded; charset=\x00", "a=b")
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequest("POST", "/?only-in-the-query=x", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		form, err := web.ParseForm(httptest.NewRecorder(), r)
		if err != nil {
			if !apperr.Is(err, apperr.Invalid) || form != nil {
				t.Fatalf("ParseForm(%q, %q) = %v", kind, body, err)
			}
			return
		}
		if len(body) > web.MaxForm {
			t.Fatalf("%d bytes are taken", len(body))
		}
		if !strings.Contains(body, "only-in-the-query") && form.Value("only-in-the-query") != "" {
			t.Fatalf("ParseForm(%q, %q) reads the query", kind, body)
		}
		for name := range r.PostForm {
			for _, v := range form.Values(name) {
				if !utf8.ValidString(name+v) || strings.ContainsRune(name+v, 0) {
					t.Fatalf("ParseForm(%q, %q): field %q = %q", kind, body, name, v)
				}
			}
		}
	})
}
