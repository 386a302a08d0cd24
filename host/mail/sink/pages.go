package sink

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed templates
var templates embed.FS

const (
	pagePolicy = "default-src 'none'; style-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	// mailPolicy lets a mail have its inline styles and nothing else; it runs
	// without origin, and its links open in the whole window.
	mailPolicy = "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; " +
		"img-src data:; form-action 'none'; frame-ancestors 'self'"
)

// page is what the templates are fed.
type page struct {
	Prefix string
	CSS    []string
	Title  string
	Mails  []Mail
	Mail   Mail
}

// handler shows the mails of a sink.
type handler struct {
	sink   *Sink
	prefix string
	css    []string
	pages  *template.Template
}

// Handler returns the pages with the mails: the list at prefix ("/dev/mail"),
// one mail at prefix/{number}, its HTML part and its raw form below that. css
// are addresses of stylesheets on the same origin. For development only: it
// asks nobody who they are.
func (s *Sink) Handler(prefix string, css ...string) (http.Handler, error) {
	pages, err := template.New("").ParseFS(templates, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("parse mail pages: %w", err)
	}
	h := &handler{sink: s, prefix: prefix, css: css, pages: pages}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix, h.list)
	mux.HandleFunc("GET "+prefix+"/{$}", h.list)
	mux.HandleFunc("GET "+prefix+"/{id}", h.one)
	mux.HandleFunc("GET "+prefix+"/{id}/html", h.html)
	mux.HandleFunc("GET "+prefix+"/{id}/raw", h.raw)
	return mux, nil
}

func (h *handler) list(w http.ResponseWriter, _ *http.Request) {
	h.draw(w, http.StatusOK, "list.html", page{Title: "Mail", Mails: h.sink.Mails()})
}

func (h *handler) one(w http.ResponseWriter, r *http.Request) {
	m, ok := h.find(r)
	if !ok {
		h.draw(w, http.StatusNotFound, "missing.html", page{Title: "No such mail"})
		return
	}
	h.draw(w, http.StatusOK, "mail.html", page{Title: m.Subject, Mail: m})
}

func (h *handler) html(w http.ResponseWriter, r *http.Request) {
	m, ok := h.find(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	header(w, "text/html; charset=utf-8", mailPolicy)
	write(w, []byte(topLinks(m.HTML)))
}

// topLinks makes links leave the frame they are shown in.
func topLinks(page string) string {
	const base = `<base target="_top">`
	if i := strings.Index(page, "<head>"); i >= 0 {
		return page[:i+len("<head>")] + base + page[i+len("<head>"):]
	}
	return base + page
}

func (h *handler) raw(w http.ResponseWriter, r *http.Request) {
	m, ok := h.find(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	header(w, "text/plain; charset=utf-8", pagePolicy)
	write(w, m.Raw)
}

func (h *handler) find(r *http.Request) (Mail, bool) {
	id, err := strconv.Atoi(r.PathValue("id"))
	if err != nil {
		return Mail{}, false
	}
	return h.sink.Mail(id)
}

func (h *handler) draw(w http.ResponseWriter, status int, name string, p page) {
	p.Prefix, p.CSS = h.prefix, h.css
	var b bytes.Buffer
	if err := h.pages.ExecuteTemplate(&b, name, p); err != nil {
		http.Error(w, "This page cannot be drawn: "+err.Error(), http.StatusInternalServerError)
		return
	}
	header(w, "text/html; charset=utf-8", pagePolicy)
	w.WriteHeader(status)
	write(w, b.Bytes())
}

func header(w http.ResponseWriter, contentType, policy string) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

// write sends an answer; a browser that has gone needs none.
func write(w http.ResponseWriter, b []byte) { _, _ = w.Write(b) }
