package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// disownForm asks before anything is undone: mail scanners follow links.
func (s *Web) disownForm(v *visit) error {
	token := v.r.PathValue("token")
	a, err := s.service.OpenDisown(v.r.Context(), v.caller, token)
	if err != nil {
		return v.disownFailed(err)
	}
	lead, button := v.Rich("disown.lead", "Biller", v.Name()), v.T("disown.submit")
	switch a.Action {
	case portal.ActionResetAsked:
		lead = v.Rich("disown.lead.asked", "Biller", v.Name())
	case portal.ActionSignUpStarted, portal.ActionSignUpAsked:
		lead, button = v.Rich("disown.lead.signup", "Biller", v.Name()), v.T("mail.confirm.notme.link")
	case portal.ActionAddressAsked:
		lead, button = v.Rich("disown.lead.address", "Biller", v.Name()), v.T("mail.confirm.notme.link")
		a.IP = "" // of a person whom the owner of the address need not know
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "lock", Heading: v.T("disown.title"), Lead: lead, Facts: v.activityFacts(a),
		Does: &action{Label: button, Href: v.Path("/not-me/" + url.PathEscape(token))},
	})
}

// activityFacts says what happened, when and from where.
func (v *visit) activityFacts(a portal.Activity) []fact {
	facts := []fact{
		{v.T("activity.what"), escaped(v.T("activity." + string(a.Action)))},
		{v.T("activity.when"), escaped(v.DateTime(a.At))},
	}
	if a.IP != "" {
		facts = append(facts, fact{v.T("activity.where"), escaped(a.IP)})
	}
	return facts
}

// disown is **This wasn't me**.
func (s *Web) disown(v *visit) error {
	token := v.r.PathValue("token")
	a, err := s.service.OpenDisown(v.r.Context(), v.caller, token)
	if err == nil {
		err = s.service.Disown(v.r.Context(), v.caller, token)
	}
	if err != nil {
		return v.disownFailed(err)
	}
	var lead template.HTML
	switch a.Action {
	case portal.ActionResetAsked:
		lead = v.Rich("disown.done.asked")
	case portal.ActionSignUpStarted, portal.ActionSignUpAsked:
		lead = v.Rich("disown.done.signup")
	case portal.ActionAddressAsked:
		lead = v.Rich("disown.done.address")
	default:
		v.dropSession()
		lead = v.Rich("disown.done.lead")
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "check", Heading: v.T("disown.done.title"), Lead: lead,
		Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in"), Quiet: true}}, Note: v.Contact(),
	})
}

func (v *visit) disownFailed(err error) error {
	if errors.Is(err, portal.ErrLinkExpired) || errors.Is(err, portal.ErrLinkDead) {
		return v.message(http.StatusOK, messagePage{
			Icon: "hourglass", Heading: v.T("reset.gone.title"), Lead: v.Rich("disown.gone.lead"),
			Links: []action{{Label: v.T("forgot.link"), Href: v.Path("/forgot")}}, Note: v.Contact(),
		})
	}
	return err
}
