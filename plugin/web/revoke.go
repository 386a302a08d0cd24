package web

import "github.com/billing-addons/customer-portal/plugin/portal"

// revoke is **Revoke**: the open invitation is taken back.
func (s *Web) revoke(v *visit) error {
	id := v.r.PathValue("id")
	if err := s.service.Revoke(v.r.Context(), v.caller, id); err != nil {
		return v.backWithError(id, err)
	}
	return v.leave(v.customerHref(id, "notice", "taken"))
}

// revokedJustNow tells the page after **Revoke** what happened.
func (p *customerPage) revokedJustNow(v *visit) {
	if v.r.URL.Query().Get("notice") != "taken" || p.View.Invitation == nil || len(p.View.History) == 0 {
		return
	}
	if p.View.Invitation.State == portal.InvitationRevoked && v.justNow(p.View.History[0].At) {
		p.Notice, p.Stuck = &notice{Tone: "good", Icon: "check", Text: v.T("customer.notice.taken")}, nil
	}
}
