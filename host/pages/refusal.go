package pages

import (
	"net/http"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// refuse draws why a request is refused, and lists it in the log.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, staff addon.Staff, addonID, why string, m message) {
	h.refusals.Refused(r.Context(), why, "method", r.Method, "addon", addonID, "staff", staff.ID, "biller", staff.BillerID, "ip", remoteIP(r, h.TrustedProxies).String())
	h.notice(w, r, m, addon.Page{Status: http.StatusForbidden, Active: navigation(addonID), Refused: why})
}

// listRefused lists a request in the log that the boundary or the add-on refused;
// nothing if there is no reason. No path is in it: it may hold the token of a link.
func (h *Handler) listRefused(r *http.Request, t target, why string) {
	list := h.refusals
	if t.surface == wire.Public {
		list = h.publicly
	}
	if why != "" {
		list.Refused(r.Context(), why, "method", r.Method, "addon", t.addon.Manifest.ID, "biller", t.biller.ID,
			"staff", t.viewer.StaffID, "ip", remoteIP(r, h.TrustedProxies).String())
	}
}

// whyOf says for what reason an add-on refused a request that it answers with the
// status; empty if it did not.
func whyOf(status int) string {
	switch status {
	case http.StatusForbidden:
		return refusal.Role
	case http.StatusNotFound:
		return refusal.Unknown
	case http.StatusTooManyRequests:
		return refusal.Throttled
	}
	return ""
}
