package web_test

import (
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/billing-addons/customer-portal/sdk/web"
)

type greeting struct {
	Name  string
	Lines []string
	Due   time.Time
}

func files(page string) fstest.MapFS {
	return fstest.MapFS{
		"layout.html": {Data: []byte(`{{define "layout"}}<title>{{t "hello"}}</title>{{template "main" .}}{{end}}`)},
		"page.html":   {Data: []byte(`{{define "main"}}` + page + `{{end}}`)},
	}
}

func config(page string) web.RendererConfig {
	word := func(w string) template.FuncMap {
		return template.FuncMap{"t": func(string) string { return w }}
	}
	return web.RendererConfig{
		Files: files(page), Shared: []string{"layout*.html"}, Entry: "layout", Default: "en",
		Locales: map[string]template.FuncMap{"en": word("Hello"), "de": word("Hallo")},
		Locale:  func(r *http.Request) string { return r.URL.Query().Get("l") },
	}
}

func TestNewPageFindsMistakes(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, page, want string }{
		{"syntax", `{{if}}`, "parse page"},
		{"unknown field", `{{.Nmae}}`, "Nmae"},
		{"unknown field in a branch that a sample reaches", `{{range .Lines}}{{.Nmae}}{{end}}`, "Nmae"},
		{"unknown icon", `{{icon "nothing"}}`, `no icon "nothing"`},
		{"unsafe context", `<a href="{{if .Name}}"{{end}}>`, "check page"},
		{"unknown template", `{{template "gone"}}`, "gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := web.NewRenderer(config(tt.page))
			if err != nil {
				t.Fatal(err)
			}
			_, err = web.NewPage(r, "page.html", greeting{}, greeting{Lines: []string{"x"}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("err = %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestRender(t *testing.T) {
	t.Parallel()
	r, err := web.NewRenderer(config(`<p>{{.Name}} {{date .Due}}{{icon "check" "flip"}}</p>`))
	if err != nil {
		t.Fatal(err)
	}
	page := web.MustPage[greeting](r, "page.html")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			locale, want := "de", "<title>Hallo</title>"
			if i%2 == 0 {
				locale, want = "xx", "<title>Hello</title>"
			}
			w := httptest.NewRecorder()
			data := greeting{Name: "<b>", Due: time.Date(2026, 6, 2, 0, 0, 0, 0, time.UTC)}
			if err := page.Render(w, httptest.NewRequest("GET", "/?l="+locale, nil), 422, data); err != nil {
				t.Error(err)
			}
			for _, want := range []string{want, "&lt;b&gt;", `<time datetime="2026-06-02">June 2, 2026</time>`, `<svg class="icon flip"`} {
				if !strings.Contains(w.Body.String(), want) {
					t.Errorf("no %q in %s", want, w.Body)
				}
			}
			if w.Code != 422 || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
				t.Errorf("status %d, type %q", w.Code, w.Header().Get("Content-Type"))
			}
		})
	}
	wg.Wait()
}

func TestRenderWritesNothingWhenThePageFails(t *testing.T) {
	t.Parallel()
	c := config(`before {{fail .Name}}`)
	c.Funcs = template.FuncMap{"fail": func(s string) (string, error) {
		if s != "" {
			return "", fmt.Errorf("cannot")
		}
		return "", nil
	}}
	r, err := web.NewRenderer(c)
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	err = web.MustPage[greeting](r, "page.html").Render(w, httptest.NewRequest("GET", "/", nil), 200, greeting{Name: "x"})
	if err == nil || w.Body.Len() != 0 || len(w.Header()) != 0 {
		t.Errorf("err = %v, body = %q, header = %v", err, w.Body, w.Header())
	}
}

func TestMoment(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 6, 8, 13, 1, 0, 0, time.UTC)
	for zone, want := range map[string]string{
		"America/New_York": `<time datetime="2026-06-08T13:01:00Z">June 8, 2026, 9:01 AM</time>`,
		"Nowhere/Land":     `<time datetime="2026-06-08T13:01:00Z">June 8, 2026, 1:01 PM</time>`,
	} {
		if got := string(web.Moment(at, zone)); got != want {
			t.Errorf("Moment in %s = %s, want %s", zone, got, want)
		}
	}
	if got := web.Moment(time.Time{}, "UTC"); got != "" {
		t.Errorf("Moment of zero = %q", got)
	}
}
