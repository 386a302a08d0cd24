package admin

import (
	"bytes"
	"net/http"
	"strconv"

	"github.com/billing-addons/customer-portal/host/addon"
)

// iconPolicy lets an icon that somebody opens by itself do nothing: as a picture in
// a page, browsers run and load nothing of it anyway.
const iconPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"

// icon serves the add-on's own icon. Only two types are ever named, and browsers
// are told not to guess.
func (h *Handler) icon(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
	offer, _, err := h.find(r, staff)
	if err != nil {
		return err
	}
	data, err := h.Catalog.Icon(r.Context(), offer)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Content-Type", "image/svg+xml")
	if bytes.HasPrefix(data, []byte("\x89PNG")) {
		header.Set("Content-Type", "image/png")
	}
	header.Set("Content-Security-Policy", iconPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "private, max-age=3600")
	header.Set("Content-Length", strconv.Itoa(len(data)))
	// A write fails only when the browser has gone.
	_, _ = w.Write(data)
	return nil
}
