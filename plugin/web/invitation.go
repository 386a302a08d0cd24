package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// invitationPage is step 2, behind an invitation's link: email and password, or
// the password chosen before.
type invitationPage struct {
	frame
	form
	steps
	Action                string
	Customer, MaskedEmail string
	ExpiresAt             time.Time
	// AskHref is **Ask {Biller} for access**, once somebody typed another address.
	AskHref string
}

func (v *visit) openLink() (portal.LinkView, error) {
	return v.web.service.Open(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieSignUp), v.cookie(cookieSession))
}

// invitation answers the link of a welcome mail. It changes nothing but when the
// link was opened.
func (s *Web) invitation(v *visit) error {
	link, err := v.openLink()
	if err != nil {
		return err
	}
	if link.Outcome == portal.LinkAskPassword && v.r.URL.Query().Get("again") != "" {
		link.Outcome = portal.LinkFresh
	}
	return v.linkOutcome(link)
}

// linkOutcome shows what a link leads to.
func (v *visit) linkOutcome(link portal.LinkView) error {
	switch link.Outcome {
	case portal.LinkFresh:
		return v.registerForm(http.StatusOK, link, nil)
	case portal.LinkAskPassword:
		return v.resumeForm(http.StatusOK, link, nil)
	case portal.LinkResume:
		return v.redirect(stepPath(link.Step))
	case portal.LinkSignedIn:
		return v.redirect("/")
	}
	return v.message(http.StatusOK, v.deadLink(link))
}

// register is **Sign Up**, its field Show, and the password of a resumed sign-up.
func (s *Web) register(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	link, err := v.openLink()
	if err != nil {
		return err
	}
	switch link.Outcome {
	case portal.LinkFresh, portal.LinkAskPassword, portal.LinkResume:
	default:
		return v.linkOutcome(link)
	}
	if f.Value("resume") != "" {
		return s.resume(v, link, f)
	}
	if showing(f) {
		return v.registerForm(http.StatusOK, link, f)
	}
	err = v.required(f, "email", "password")
	var state portal.SignUpState
	if err == nil {
		state, err = s.service.Register(v.r.Context(), v.caller, v.r.PathValue("token"), f.Text("email"), f.Value("password"))
	}
	if err != nil {
		return v.linkFailed(err, link, f, func() error { return v.registerForm(web.StatusOf(codeOf(err)), link, f) })
	}
	return v.goOn(state)
}

func (s *Web) resume(v *visit, link portal.LinkView, f *web.Form) error {
	if showing(f) {
		return v.resumeForm(http.StatusOK, link, f)
	}
	err := v.required(f, "password")
	var state portal.SignUpState
	if err == nil {
		state, err = s.service.ResumeWithPassword(v.r.Context(), v.caller, v.r.PathValue("token"), f.Value("password"))
	}
	if err != nil {
		return v.linkFailed(err, link, f, func() error { return v.resumeForm(web.StatusOf(codeOf(err)), link, f) })
	}
	return v.goOn(state)
}

// linkFailed shows the form again, or what became of the link meanwhile.
func (v *visit) linkFailed(err error, link portal.LinkView, f *web.Form, again func() error) error {
	if isLinkError(err) {
		now, openErr := v.openLink()
		if openErr != nil {
			return openErr
		}
		return v.linkOutcome(now)
	}
	if v.fail(f, err, afterTries(), "Email", link.MaskedEmail) {
		return again()
	}
	return err
}

func (v *visit) registerForm(status int, link portal.LinkView, f *web.Form) error {
	p := v.invitationPage("start.title", link, f, "email", "password")
	if p.Error("email") != "" && p.Form.Text("email") != "" {
		p.AskHref = v.askHref()
	}
	return v.web.pages.invitationOpen.Render(v.w, v.r, status, p)
}

func (v *visit) resumeForm(status int, link portal.LinkView, f *web.Form) error {
	return v.web.pages.invitationPassword.Render(v.w, v.r, status, v.invitationPage("resume.title", link, f, "password"))
}

func (v *visit) invitationPage(title string, link portal.LinkView, f *web.Form, fields ...string) invitationPage {
	return invitationPage{
		frame: v.titled(v.T(title)), steps: v.step(2),
		form:     newForm(f, fields...).show().measured(v, link.CustomerName),
		Action:   v.Path("/welcome/" + url.PathEscape(v.r.PathValue("token"))),
		Customer: link.CustomerName, MaskedEmail: link.MaskedEmail, ExpiresAt: link.ExpiresAt,
	}
}

// goOn keeps the handle of a sign-up and leads to its step.
func (v *visit) goOn(state portal.SignUpState) error {
	if state.Handle != "" {
		v.setCookie(cookieSignUp, state.Handle, state.ExpiresAt)
	}
	return v.redirect(stepPath(state.Step))
}

// newLink is **Email me a new link**: the answer never tells what happened.
func (s *Web) newLink(v *visit) error {
	token := v.r.PathValue("token")
	if err := s.service.RequestNewLink(v.r.Context(), v.caller, token); err != nil {
		return err
	}
	return v.redirect("/welcome/" + url.PathEscape(token) + "?asked=1")
}

// switchPerson is **Sign out and continue**.
func (s *Web) switchPerson(v *visit) error {
	if err := s.service.SignOut(v.r.Context(), v.caller, v.cookie(cookieSession)); err != nil {
		return err
	}
	v.dropSession()
	v.dropCookie(cookieProfile)
	return v.redirect("/welcome/" + url.PathEscape(v.r.PathValue("token")))
}
