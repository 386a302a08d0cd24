package admin

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
)

// freshLife is how old the proof of who a person is may be for what cannot be
// undone.
const freshLife = 15 * time.Minute

// fresh sends people whose proof of who they are is old to sign in again, with
// "reauth=1" and the way back. What was sent with a form is not kept: nothing has
// happened yet. A platform that does not tell when people signed in is not asked.
func (h *Handler) fresh(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, staff addon.Staff) error {
		if at := staff.AuthenticatedAt; at.IsZero() || h.Now().Sub(at) < freshLife {
			return next(w, r, staff)
		}
		back := r.URL.RequestURI()
		if r.Method != http.MethodGet {
			back = r.URL.Path
			if page, _, ok := strings.Cut(back, "/operate/"); ok {
				back = page + "/operate"
			}
		}
		redirect(w, h.SignInPath+"?reauth=1&next="+url.QueryEscape(back))
		return nil
	}
}
