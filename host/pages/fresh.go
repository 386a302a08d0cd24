package pages

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// askAgain sends a person whose proof of who they are is too old for an add-on's page
// to prove it again. What was sent with a form is not kept: nothing has happened yet.
func (h *Handler) askAgain(w http.ResponseWriter, r *http.Request, t target) {
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, addon.AskAgain(h.SignInPath, h.cameFrom(r, t)), http.StatusSeeOther)
}

// cameFrom is the page to come back to: the one that was opened or, of a form, the
// page of the staff area it was sent from, as the browser says. Where it does not say,
// or names another site, it is the add-on's first page.
func (h *Handler) cameFrom(r *http.Request, t target) string {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return retryPath(r)
	}
	from, err := url.Parse(r.Referer())
	if err != nil || !strings.EqualFold(from.Host, r.Host) || !web.IsSafePath(local(from), h.StaffPath) {
		return t.basePath + "/"
	}
	return local(from)
}
