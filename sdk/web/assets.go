package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
)

// MaxCSS is the largest portal.css may become, in bytes.
const MaxCSS = 24576

//go:embed look
var look embed.FS

// Assets returns the files of the look: portal.css, and copy.js, which shows and
// serves Copy buttons where script runs. A copy button is
//
//	<button class="btn quiet" type="button" hidden data-copy="#link" data-copied="Copied">Copy</button>
//
// and copies the text of the element that data-copy selects.
func Assets() fs.FS {
	sub, err := fs.Sub(look, "look")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// AssetsHash returns 12 hex digits that change whenever a file of Assets does.
func AssetsHash() string {
	h := sha256.New()
	names, err := fs.Glob(Assets(), "*")
	if err != nil {
		panic(err) // the pattern is constant
	}
	slices.Sort(names)
	for _, name := range names {
		b, err := fs.ReadFile(Assets(), name)
		if err != nil {
			panic(err) // the file is embedded
		}
		h.Write([]byte(name))
		h.Write(b)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// ServeAssets serves Assets below prefix, which ends with AssetsHash and a
// slash, so browsers keep the files for good; compressed to those that take it:
//
//	prefix := "/static/" + web.AssetsHash() + "/"
//	mux.Handle("GET "+prefix, web.ServeAssets(prefix))
func ServeAssets(prefix string) http.Handler {
	hash, files := AssetsHash(), map[string]asset{}
	names, err := fs.Glob(Assets(), "*")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for _, name := range names {
		files[name] = newAsset(name)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, ok := strings.CutPrefix(r.URL.Path, prefix)
		file, known := files[name]
		if !ok || !known {
			http.NotFound(w, r)
			return
		}
		h, tag, b := w.Header(), `"`+hash+`"`, file.plain
		h.Set("Vary", "Accept-Encoding")
		if CodingOf(r).Gzip && file.small != nil {
			tag, b = `"`+hash+`-gzip"`, file.small
			h.Set("Content-Encoding", "gzip")
		}
		h.Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			h.Del("Content-Encoding")
			w.WriteHeader(http.StatusNotModified)
			return
		}
		h.Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
		h.Set("Content-Length", strconv.Itoa(len(b)))
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("X-Content-Type-Options", "nosniff")
		// A write fails only when the browser has gone.
		_, _ = w.Write(b)
	})
}

// asset is a file of the look. small is nil where compressing does not pay.
type asset struct{ plain, small []byte }

func newAsset(name string) asset {
	plain, err := fs.ReadFile(Assets(), name)
	if err != nil {
		panic(err) // the file is embedded
	}
	small, err := Gzip(plain)
	if err != nil {
		panic(err) // a buffer takes everything
	}
	return asset{plain, small}
}
