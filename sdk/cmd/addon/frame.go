package main

import (
	"net/http"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/web"
)

// lookPath is where the look of the platform's pages is served.
func lookPath() string { return "/-/look/" + web.AssetsHash() + "/" }

// framed draws the fragments of staff pages and slots inside a page with the look
// that platforms give them.
func framed(title string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&frameWriter{ResponseWriter: w, title: title}, r)
	})
}

// frameWriter writes the frame before a fragment of HTML. What follows needs no
// end: browsers close the elements.
type frameWriter struct {
	http.ResponseWriter

	title string
	begun bool
	head  bool // of the frame, to be written
}

// Unwrap lets http.ResponseController reach the connection.
func (w *frameWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements http.ResponseWriter.
func (w *frameWriter) WriteHeader(status int) {
	h := w.Header()
	if status >= http.StatusOK && !w.begun {
		w.begun = true
		w.head = strings.HasPrefix(h.Get("Content-Type"), "text/html") && h.Get("Content-Encoding") == ""
		if w.head {
			h.Del("Content-Length")
			h.Del("ETag")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *frameWriter) Write(b []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.head {
		w.head = false
		page := map[string]string{"Title": w.title, "Look": lookPath() + "portal.css"}
		if err := boardTemplates().ExecuteTemplate(w.ResponseWriter, "frame.html", page); err != nil {
			return 0, err
		}
	}
	return w.ResponseWriter.Write(b)
}
