package web

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"path"
	"strconv"
	"time"
)

// RendererConfig says where the templates of a surface are.
type RendererConfig struct {
	// Files holds the templates, usually an embed.FS.
	Files fs.FS
	// Shared are glob patterns of layouts and partials that every page gets.
	Shared []string
	// Entry is the template to run, for example "layout"; empty means the page
	// itself, which is right for fragments.
	Entry string
	// Funcs are added to icon, date and moment, and may replace them.
	Funcs template.FuncMap
	// Locales holds functions bound to one language each, such as t; every
	// locale has the same names. Each page is parsed once per locale, so nothing
	// is shared or cloned while requests run. Nil means one unnamed locale.
	Locales map[string]template.FuncMap
	// Locale chooses a key of Locales for a request; nil, and a key that is not
	// there, mean Default.
	Locale func(r *http.Request) string
	// Default is a key of Locales.
	Default string
}

// Renderer makes the pages of a surface. It is safe for concurrent use.
type Renderer struct{ config RendererConfig }

// NewRenderer checks the configuration. Pages are parsed by NewPage.
func NewRenderer(c RendererConfig) (*Renderer, error) {
	if c.Locales == nil {
		c.Locales = map[string]template.FuncMap{c.Default: nil}
	}
	if _, ok := c.Locales[c.Default]; !ok {
		return nil, fmt.Errorf("default locale %q has no functions", c.Default)
	}
	return &Renderer{config: c}, nil
}

// Page is one page that shows a T.
type Page[T any] struct {
	name    string
	entry   string
	config  RendererConfig
	locales map[string]*template.Template
}

// NewPage parses the page's file together with the shared ones and draws it once
// with each sample, or with a zero T if there is none, so that a mistake in the
// template is an error at start. Give samples for the branches that a zero T
// does not reach.
func NewPage[T any](r *Renderer, file string, samples ...T) (*Page[T], error) {
	p := &Page[T]{name: file, entry: r.config.Entry, config: r.config, locales: map[string]*template.Template{}}
	if p.entry == "" {
		p.entry = path.Base(file)
	}
	if samples == nil {
		samples = make([]T, 1)
	}
	for locale, funcs := range r.config.Locales {
		set, err := parse(r.config, file, funcs)
		if err != nil {
			return nil, fmt.Errorf("parse page %s: %w", file, err)
		}
		p.locales[locale] = set
		for _, sample := range samples {
			if _, err := p.execute(locale, sample); err != nil {
				return nil, fmt.Errorf("check page %s: %w", file, err)
			}
		}
	}
	return p, nil
}

// MustPage is NewPage that panics, for tests.
func MustPage[T any](r *Renderer, file string, samples ...T) *Page[T] {
	p, err := NewPage(r, file, samples...)
	if err != nil {
		panic(err)
	}
	return p
}

// Render draws the page into memory and, only if that worked, writes the status
// and the page. Content-Type is text/html unless the header says otherwise.
func (p *Page[T]) Render(w http.ResponseWriter, r *http.Request, status int, data T) error {
	b, err := p.execute(p.locale(r), data)
	if err != nil {
		return fmt.Errorf("render page %s: %w", p.name, err)
	}
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/html; charset=utf-8")
	}
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	// A write fails only when the browser has gone, and then nobody is told.
	_, _ = w.Write(b.Bytes())
	return nil
}

// HTML draws the page for use inside another one.
func (p *Page[T]) HTML(r *http.Request, data T) (template.HTML, error) {
	b, err := p.execute(p.locale(r), data)
	if err != nil {
		return "", fmt.Errorf("render page %s: %w", p.name, err)
	}
	return template.HTML(b.String()), nil
}

func (p *Page[T]) locale(r *http.Request) string {
	if p.config.Locale != nil {
		if l := p.config.Locale(r); p.locales[l] != nil {
			return l
		}
	}
	return p.config.Default
}

func (p *Page[T]) execute(locale string, data T) (*bytes.Buffer, error) {
	b := new(bytes.Buffer)
	if err := p.locales[locale].ExecuteTemplate(b, p.entry, data); err != nil {
		return nil, err
	}
	return b, nil
}

func parse(c RendererConfig, file string, locale template.FuncMap) (*template.Template, error) {
	funcs := template.FuncMap{"icon": Icon, "date": Date, "moment": Moment}
	maps.Copy(funcs, c.Funcs)
	maps.Copy(funcs, locale)
	t, err := template.New(path.Base(file)).Funcs(funcs).Option("missingkey=error").ParseFS(c.Files, file)
	if err != nil {
		return nil, err
	}
	for _, pattern := range c.Shared {
		names, err := fs.Glob(c.Files, pattern)
		if err != nil || len(names) == 0 {
			return nil, errors.Join(err, fmt.Errorf("no template matches %s", pattern))
		}
		for _, name := range names {
			if name == file {
				continue
			}
			if _, err := t.ParseFS(c.Files, name); err != nil {
				return nil, err
			}
		}
	}
	return t, nil
}

// Date returns a calendar day as a <time>, "June 2, 2026", read in UTC; nothing
// for the zero time. Surfaces in other languages replace it by their own.
func Date(t time.Time) template.HTML {
	if t.IsZero() {
		return ""
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.DateOnly) + `">` + t.Format("January 2, 2006") + `</time>`)
}

// Moment returns a point in time as a <time>, "June 2, 2026, 3:04 PM", as clocks
// show it in the time zone (an IANA name; UTC if unknown); nothing for the zero
// time.
func Moment(t time.Time, zone string) template.HTML {
	if t.IsZero() {
		return ""
	}
	loc, err := time.LoadLocation(zone)
	if err != nil {
		loc = time.UTC
	}
	return template.HTML(`<time datetime="` + t.UTC().Format(time.RFC3339) + `">` + t.In(loc).Format("January 2, 2006, 3:04 PM") + `</time>`)
}
