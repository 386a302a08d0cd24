package web

import (
	"net/http"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// need is what a page wants of a role; the zero need is met by all.
type need struct {
	met func(books.Role) bool
	// refusal is what others are told.
	refusal string
}

func editing() need {
	return need{books.Role.CanEdit, "Your role may look at customers but not change them. Ask an owner."}
}

func auditing() need {
	return need{books.Role.CanAudit, "Your role does not allow you to look at the audit. Ask an owner."}
}

// check is PermissionDenied, and kept as refused, unless the role is enough.
func (s *Server) check(r *http.Request, staff books.Staff, n need) error {
	if n.met == nil || n.met(staff.Role) {
		return nil
	}
	return s.refuse(r, staff, refusal.Role, r.Pattern, apperr.Errorf(apperr.PermissionDenied, "%s", n.refusal))
}

// refuse keeps a request of a signed-in person that was refused in the log and, so
// many and no more, in the audit of their biller. It returns err, or why it could
// not be kept.
func (s *Server) refuse(r *http.Request, staff books.Staff, why, page string, err error) error {
	s.refusals.Refused(r.Context(), why, "page", page, "staff", staff.ID, "biller", staff.BillerID, "ip", s.ip(r).String())
	return firstErr(s.Store.RecordRefusal(r.Context(), staff, why, page), err)
}

// refuseOrigin keeps a write from another site, in the audit if somebody is signed
// in in the browser.
func (s *Server) refuseOrigin(r *http.Request, err error) error {
	refused := apperr.Wrap(apperr.PermissionDenied, "This form was sent from another site, so it was not accepted. Open the page again and repeat.", err)
	staff, none := s.session(r)
	if none == nil {
		return s.refuse(r, staff, refusal.Origin, r.Pattern, refused)
	}
	s.publicly.Refused(r.Context(), refusal.Origin, "page", r.Pattern, "ip", s.ip(r).String())
	return refused
}
