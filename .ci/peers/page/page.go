// Package page is the page that every peer serves: 8 KiB, written at once.
package page

import (
	"bytes"
	"net/http"
)

// Size is the page's length in bytes.
const Size = 8 << 10

// Handler answers every request with the page.
func Handler() http.Handler {
	body := bytes.Repeat([]byte("0123456789abcde\n"), Size/16)
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		// The host has gone if this fails.
		_, _ = w.Write(body)
	})
}
