package pages

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

func lookPath() string { return StaticPath + "-/" + web.AssetsHash() + "/" }

// Look returns the path of the host's own copy of the stylesheet, and of copy.js.
func (h *Handler) Look() (css, script string) {
	return lookPath() + "portal.css", lookPath() + "copy.js"
}

// Static serves /addon-static/{id}/{digest}/…: the static files of the verified
// packages, and below "-" the stylesheet of the host's own pages. Their address
// changes with their content, so browsers keep them for good.
func (h *Handler) Static() http.Handler {
	look := web.ServeAssets(lookPath())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "Method not allowed", http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Security-Policy", inert)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cross-Origin-Resource-Policy", "same-site")
		if strings.HasPrefix(r.URL.Path, lookPath()) {
			look.ServeHTTP(w, r)
			return
		}
		if !h.serveFile(w, r) {
			http.NotFound(w, r)
		}
	})
}

// serveFile answers with a file of a package; false if there is none.
func (h *Handler) serveFile(w http.ResponseWriter, r *http.Request) bool {
	parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, StaticPath), "/", 3)
	if len(parts) != 3 || !fs.ValidPath(parts[2]) {
		return false
	}
	a, ok := h.byID(parts[0])
	kind := contentType(path.Ext(parts[2]))
	if !ok || kind == "" {
		return false
	}
	dir := a.staticDir(parts[1])
	if dir == "" {
		return false
	}
	f, err := os.OpenInRoot(dir, parts[2])
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			h.Log.WarnContext(r.Context(), "cannot open static file", "addon", a.Manifest.ID, "file", parts[2], "error", err.Error())
		}
		return false
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	h.sendFile(w, r, f, info, staticFile{digest: parts[1], name: parts[2], kind: kind})
	return true
}

// staticFile is what an address says of a file.
type staticFile struct{ digest, name, kind string }

// sendFile answers with an open file, or with its compressed copy.
func (h *Handler) sendFile(w http.ResponseWriter, r *http.Request, f *os.File, info fs.FileInfo, file staticFile) {
	head := w.Header()
	head.Set("Vary", "Accept-Encoding")
	small, ok := h.choose(r, f, info.Size(), file.digest, file.name)
	if !ok {
		http.Error(w, "This file comes without a coding or with gzip only.", http.StatusNotAcceptable)
		return
	}
	tag := file.digest
	if small != nil {
		defer func() { _ = small.Close() }() // only read
		f, tag = small, tag+"-gzip"
		head.Set("Content-Encoding", "gzip")
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		h.Log.ErrorContext(r.Context(), "cannot read static file", "file", file.name, "error", err.Error())
		http.Error(w, apperr.GenericMessage, http.StatusInternalServerError)
		return
	}
	head.Set("Content-Type", file.kind)
	head.Set("Cache-Control", "public, max-age=31536000, immutable")
	head.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
}

// contentType returns the type of a static file by its extension; "" for those
// that are not served.
func contentType(ext string) string {
	switch strings.ToLower(ext) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js", ".mjs":
		return "text/javascript; charset=utf-8"
	case ".json", ".webmanifest":
		return "application/json"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".ico":
		return "image/x-icon"
	case ".woff2":
		return "font/woff2"
	case ".txt":
		return "text/plain; charset=utf-8"
	case ".pdf":
		return "application/pdf"
	}
	return ""
}
