package web_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

const formType = "application/x-www-form-urlencoded"

func TestParseForm(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, kind, body, wrong string }{
		{"fine", formType, "email=+a%40b.example+&c=1&c=2", ""},
		{"charset", formType + "; charset=utf-8", "email=+a%40b.example+&c=1&c=2", ""},
		{"query is no body", "text/plain", "", "could not be read"},
		{"other type", "multipart/form-data; boundary=x", "--x--", "could not be read"},
		{"no type", "", "email=a", "could not be read"},
		{"too long", formType, "a=" + strings.Repeat("x", web.MaxForm), "too long"},
		{"not UTF-8", formType, "a=%ff", "no text"},
		{"NUL", formType, "a=x%00y", "no text"},
		{"NUL in second value", formType, "a=x&a=%00", "no text"},
		{"NUL in a name", formType, "a%00=x", "no text"},
		{"bad escape", formType, "a=%zz", "could not be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/?email=query", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.kind)
			f, err := web.ParseForm(httptest.NewRecorder(), r)
			if tt.wrong != "" {
				if !apperr.Is(err, apperr.Invalid) || !strings.Contains(apperr.MessageOf(err), tt.wrong) {
					t.Errorf("err = %v, want Invalid with %q", err, tt.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if f.Value("email") != " a@b.example " || f.Text("email") != "a@b.example" || !f.Has("c", "2") || f.Has("c", "3") || len(f.Values("c")) != 2 {
				t.Errorf("form = %+v", f)
			}
		})
	}
}

func TestFormKeepsWhatIsWrong(t *testing.T) {
	t.Parallel()
	f := web.NewForm(map[string]string{"email": "a@b"})
	if f.Failed() || f.Value("email") != "a@b" {
		t.Fatalf("new form = %+v", f)
	}
	if !f.Fail(apperr.Field("email", "Type a whole address.")) || f.Error("email") != "Type a whole address." || f.Message != "" {
		t.Errorf("after a field error: %+v", f)
	}
	if !f.Fail(apperr.Errorf(apperr.Conflict, "It changed.")) || f.Message != "It changed." || !f.Failed() {
		t.Errorf("after a form error: %+v", f)
	}
	if f.Fail(apperr.Errorf(apperr.Internal, "secret")) || f.Fail(apperr.Errorf(apperr.NotFound, "gone")) {
		t.Error("a form took an error that belongs on a page")
	}
	var zero web.Form
	zero.Set("a", "b")
	if zero.Value("a") != "b" {
		t.Error("zero form does not keep values")
	}
}

func TestQueryValue(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"q=+a+": "a", "q=%ff": "", "q=a%00": "", "": "", "q=" + strings.Repeat("x", 1001): ""} {
		if got := web.QueryValue(httptest.NewRequest("GET", "/?"+query, nil), "q"); got != want {
			t.Errorf("QueryValue(%.20q) = %q, want %q", query, got, want)
		}
	}
}
