package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// linkPage shows a link minted for staff to pass on, once.
type linkPage struct {
	frame
	Customer, URL, Back string
}

// invite is **Send Invitation**, the first time and again.
func (s *Web) invite(v *visit) error {
	id := v.r.PathValue("id")
	if _, err := s.service.Invite(v.r.Context(), v.caller, id); err != nil {
		return v.backWithError(id, err)
	}
	return v.leave(v.customerHref(id, "notice", "sent"))
}

// mintLink makes one more link for the open invitation.
func (s *Web) mintLink(v *visit) error {
	id := v.r.PathValue("id")
	link, err := s.service.Link(v.r.Context(), v.caller, id)
	if err != nil {
		return v.backWithError(id, err)
	}
	view, err := s.service.Customer(v.r.Context(), v.caller, id)
	if err != nil {
		return err
	}
	return s.pages.link.Render(v.w, v.r, http.StatusOK, linkPage{
		frame: v.titled(v.T("link.title")), Customer: view.Customer.Label(), URL: link, Back: v.customerHref(id),
	})
}

// backWithError leads back to the customer, which says what went wrong. An
// unknown customer has no page to lead to.
func (v *visit) backWithError(id string, err error) error {
	code := apperr.CodeOf(err)
	if code == apperr.Internal || code == apperr.Unavailable || code == apperr.PermissionDenied {
		return err
	}
	if _, lookErr := v.web.service.Customer(v.r.Context(), v.caller, id); lookErr != nil {
		return lookErr
	}
	return v.leave(v.customerHref(id, "error", string(code)))
}

// customerHref is the customer's page at the platform, on our tab, or our own
// page where the platform has none.
func (v *visit) customerHref(id string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	href := v.Path("/customers/" + url.PathEscape(id))
	if v.Biller.CustomerPath != "" {
		href = strings.ReplaceAll(v.Biller.CustomerPath, "{id}", url.PathEscape(id))
		q.Set("tab", "customer-portal")
	}
	if len(q) == 0 {
		return href
	}
	return href + "?" + q.Encode()
}
