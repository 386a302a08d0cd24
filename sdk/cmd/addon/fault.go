package main

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"
	"strings"
)

const boardStyle = "/-/board.css"

//go:embed board.html fault.html frame.html board.css
var boardFiles embed.FS

func boardTemplates() *template.Template {
	return template.Must(template.ParseFS(boardFiles, "*.html"))
}

// faultPage is what a template shows of a fault.
type faultPage struct {
	Style string
	Fault *fault
	// Serving tells that an earlier version goes on.
	Serving bool
}

// faultWriter adds a fault to the end of a page.
type faultWriter struct {
	http.ResponseWriter

	fault *fault
	begun bool
	page  bool // which can show the fault
}

// Unwrap lets http.ResponseController reach the connection.
func (w *faultWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *faultWriter) WriteHeader(status int) {
	w.begun = true
	h := w.Header()
	if strings.HasPrefix(h.Get("Content-Type"), "text/html") && h.Get("Content-Encoding") == "" && status != http.StatusNotModified {
		w.page = true
		h.Del("Content-Length")
		h.Del("ETag")
		h.Set("Cache-Control", "no-store")
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *faultWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(b)
}

func (w *faultWriter) finish(r *http.Request) {
	if !w.page || r.Method == http.MethodHead {
		return
	}
	// An author who has closed the window needs no error.
	_ = boardTemplates().ExecuteTemplate(w.ResponseWriter, "fault.html", faultPage{boardStyle, w.fault, true})
}

// showNothing is the page while no version has started.
func showNothing(w http.ResponseWriter, f *fault) {
	if f == nil {
		f = &fault{Title: "The add-on is being built"}
	}
	var page bytes.Buffer
	if err := boardTemplates().ExecuteTemplate(&page, "fault.html", faultPage{boardStyle, f, false}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", boardPolicy)
	h.Set("Refresh", "2")
	w.WriteHeader(http.StatusServiceUnavailable)
	// As above.
	_, _ = page.WriteTo(w)
}

const boardPolicy = "default-src 'none'; style-src 'self'; frame-ancestors 'none'"

func serveBoardStyle(w http.ResponseWriter) {
	css, err := boardFiles.ReadFile("board.css")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	// As above.
	_, _ = w.Write(css)
}
