package admin

import (
	"net/http"
	"strings"

	"github.com/billing-addons/customer-portal/host/addon"
)

// fresh sends people whose proof of who they are is old to sign in again, with
// "reauth=1" and the way back. What was sent with a form is not kept: nothing has
// happened yet. A platform that does not tell when people signed in is not asked.
func (h *Handler) fresh(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
		if staff.Fresh(h.Now()) {
			return next(w, r, staff)
		}
		back := r.URL.RequestURI()
		if r.Method != http.MethodGet {
			back = strings.TrimSuffix(r.URL.Path, "/export") // its page has no address of its own
			if page, _, ok := strings.Cut(back, "/operate/"); ok {
				back = page + "/operate"
			}
		}
		redirect(w, addon.AskAgain(h.SignInPath, back))
		return nil
	}
}
