package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
)

// disownForm asks before anything is undone: mail scanners follow links. It says
// what the button does now.
func (s *Web) disownForm(v *visit) error {
	token := v.r.PathValue("token")
	n, err := s.service.OpenDisown(v.r.Context(), v.caller, token)
	if err != nil {
		return v.disownFailed(err)
	}
	button := v.T("disown.submit")
	switch n.Action {
	case portal.ActionSignUpStarted, portal.ActionSignUpAsked:
		button = v.T("mail.confirm.notme.link")
	case portal.ActionAddressAsked:
		button = v.T("mail.confirm.notme.link")
		n.IP = "" // of a person whom the owner of the address need not know
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "lock", Heading: v.T("disown.title"), Lead: v.Rich("disown.lead."+string(n.Does), "Biller", v.Name(), "Why", v.suspicion(n)), Facts: v.activityFacts(n.Activity),
		Does: &action{Label: button, Href: v.Path("/not-me/" + url.PathEscape(token))},
	})
}

// suspicion says why a sign-in is shut.
func (v *visit) suspicion(n portal.Notice) string {
	if n.Action == portal.ActionSignUpStarted || n.Action == portal.ActionSignUpAsked {
		return v.T("disown.why.signup", "Biller", v.Name())
	}
	return v.T("disown.why.signin", "Biller", v.Name())
}

// activityFacts says what happened, when and from where.
func (v *visit) activityFacts(a portal.Activity) []fact {
	facts := []fact{
		{v.T("activity.what"), escaped(v.T("activity." + string(a.Action)))},
		{v.T("activity.when"), escaped(v.Moment(a.At))},
	}
	if a.IP != "" {
		facts = append(facts, fact{v.T("activity.where"), escaped(a.IP)})
	}
	return facts
}

// disown is **This wasn't me**. It says what was done, which is more than the page
// said where a sign-up was finished meanwhile.
func (s *Web) disown(v *visit) error {
	n, err := s.service.Disown(v.r.Context(), v.caller, v.r.PathValue("token"))
	if err != nil {
		return v.disownFailed(err)
	}
	if n.Does.Shuts() {
		v.dropSession()
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "check", Heading: v.T("disown.done.title"), Lead: v.Rich("disown.done."+string(n.Does), "Biller", v.Name()),
		Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in"), Quiet: true}},
	})
}

func (v *visit) disownFailed(err error) error {
	if errors.Is(err, portal.ErrLinkExpired) || errors.Is(err, portal.ErrLinkDead) {
		return v.message(http.StatusOK, messagePage{
			Icon: "hourglass", Heading: v.T("reset.gone.title"), Lead: v.Rich("disown.gone.lead"),
			Links: []action{{Label: v.T("forgot.link"), Href: v.Path("/forgot")}},
		})
	}
	return err
}
