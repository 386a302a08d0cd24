package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// confirmPage is step 4: the six-digit code.
type confirmPage struct {
	frame
	form
	steps
	SignUpID, MaskedEmail string
	// CodeDead means that Resend is the way on.
	CodeDead bool
	// Resent and SignedInFirst are notices after a redirect.
	Resent, SignedInFirst bool
}

// OldAddress says whom to ask if the address is an old one.
func (p confirmPage) OldAddress() template.HTML {
	switch {
	case p.Biller.Phone != "":
		return p.Rich("confirm.old.phone", "Phone", p.Phone(p.Biller.Phone))
	case p.Biller.Email != "":
		return p.Rich("confirm.old.write", "Email", p.Mailto(p.Biller.Email, ""))
	}
	return p.Rich("confirm.old.none", "Biller", p.Name())
}

func (s *Web) confirmForm(v *visit) error {
	state, done, err := v.at(portal.StepConfirm)
	if done {
		return err
	}
	f := web.NewForm(nil)
	if state.CodeDead {
		f.Message = v.T("error.code.dead")
	}
	return v.confirmPage(http.StatusOK, state, f)
}

func (v *visit) confirmPage(status int, state portal.SignUpState, f *web.Form) error {
	q := v.r.URL.Query()
	return v.web.pages.signupConfirm.Render(v.w, v.r, status, confirmPage{
		frame: v.titled(v.T("confirm.title")), steps: v.step(4), form: newForm(f, "code"),
		SignUpID: state.ID, MaskedEmail: state.MaskedEmail, CodeDead: state.CodeDead, Resent: q.Get("resent") != "", SignedInFirst: q.Get("first") != "",
	})
}

// confirm is **Confirm my email** with the code.
func (s *Web) confirm(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	state, done, err := v.current(f)
	if done {
		return err
	}
	if err = v.required(f, "code"); err == nil {
		_, err = s.service.Confirm(v.r.Context(), v.caller, v.cookie(cookieSignUp), f.Text("code"))
	}
	if errors.Is(err, portal.ErrHasAccount) {
		v.dropCookie(cookieSignUp)
		return v.message(http.StatusConflict, v.existingPage("message.existing.typed", state.MaskedEmail, state.CustomerName))
	}
	if err != nil {
		return v.confirmFailed(err, f)
	}
	return v.redirect(stepPath(portal.StepAccept))
}

// resend is **Resend**.
func (s *Web) resend(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if _, done, err := v.current(f); done {
		return err
	}
	if err := s.service.ResendConfirmation(v.r.Context(), v.caller, v.cookie(cookieSignUp)); err != nil {
		return v.confirmFailed(err, web.NewForm(nil))
	}
	return v.redirect("/sign-up/confirm?resent=1")
}

func (v *visit) confirmFailed(err error, f *web.Form) error {
	if errors.Is(err, portal.ErrSignUpEnded) || errors.Is(err, portal.ErrRegistered) || errors.Is(err, portal.ErrWrongStep) || !v.fail(f, err, afterMails()) {
		return v.signUpFailed(err)
	}
	state, done, stateErr := v.at(portal.StepConfirm)
	if done {
		return stateErr
	}
	return v.confirmPage(web.StatusOf(codeOf(err)), state, f)
}

// confirmLinkPage is behind the link of a confirmation mail: one button in the
// browser that signed up, the password first in another.
type confirmLinkPage struct {
	frame
	form
	steps
	Action      string
	MaskedEmail string
	AskPassword bool
}

func (v *visit) openConfirmation() (portal.ConfirmationView, error) {
	return v.web.service.OpenConfirmation(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieSignUp))
}

// confirmLinkForm consumes nothing: mail scanners follow links.
func (s *Web) confirmLinkForm(v *visit) error {
	view, err := v.openConfirmation()
	if err != nil {
		return err
	}
	return v.confirmationOutcome(http.StatusOK, view, nil)
}

func (v *visit) confirmationOutcome(status int, view portal.ConfirmationView, f *web.Form) error {
	switch view.Outcome {
	case portal.ConfirmationSameBrowser, portal.ConfirmationAskPassword:
		return v.web.pages.signupLink.Render(v.w, v.r, status, confirmLinkPage{
			frame: v.titled(v.T("confirm.submit")), steps: v.step(4), form: newForm(f, "password").show(),
			Action:      v.Path("/confirm/" + url.PathEscape(v.r.PathValue("token"))),
			MaskedEmail: view.MaskedEmail, AskPassword: view.Outcome == portal.ConfirmationAskPassword,
		})
	case portal.ConfirmationAgreement:
		return v.redirect(stepPath(portal.StepAccept))
	case portal.ConfirmationNotAccepted:
		return v.message(http.StatusOK, v.notAcceptedPage())
	case portal.ConfirmationExistingAccount:
		return v.message(status, v.existingPage("message.existing.typed", view.MaskedEmail, view.CustomerName))
	case portal.ConfirmationRegistered:
		return v.message(http.StatusOK, v.registeredPage())
	}
	if v.r.URL.Query().Get("asked") != "" {
		return v.message(http.StatusOK, messagePage{Icon: "mail", Heading: v.T("message.newlink.title"), Lead: v.Rich("message.newlink.lead"), MaskedEmail: view.MaskedEmail})
	}
	heading := v.T("message.gone.title")
	if view.Outcome == portal.ConfirmationExpired {
		heading = v.T("expired.title")
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "hourglass", Heading: heading, Lead: v.Rich("message.gone.lead"), MaskedEmail: view.MaskedEmail,
		Does: &action{Label: v.T("expired.again"), Href: v.Path("/confirm/" + url.PathEscape(v.r.PathValue("token")) + "/new-link")},
		Note: v.Rich("expired.note", "Link", v.Link(v.Path("/sign-in"), v.T("signin.link"))),
	})
}

// newInvitation is **Email me a new link** on the page of a dead confirmation: the
// answer never tells what happened.
func (s *Web) newInvitation(v *visit) error {
	token := v.r.PathValue("token")
	if err := s.service.RequestNewInvitation(v.r.Context(), v.caller, token); err != nil {
		return err
	}
	return v.redirect("/confirm/" + url.PathEscape(token) + "?asked=1")
}

// confirmLink is **Confirm my email** with the link.
func (s *Web) confirmLink(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	view, err := v.openConfirmation()
	if err != nil {
		return err
	}
	if showing(f) {
		return v.confirmationOutcome(http.StatusOK, view, f)
	}
	if view.Outcome == portal.ConfirmationAskPassword {
		err = v.required(f, "password")
	}
	var state portal.SignUpState
	if err == nil {
		state, err = s.service.ConfirmLink(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieSignUp), f.Value("password"))
	}
	switch {
	case err == nil:
		return v.goOn(state)
	case isLinkError(err):
		if view, err = v.openConfirmation(); err != nil {
			return err
		}
		return v.confirmationOutcome(http.StatusConflict, view, f)
	case v.fail(f, err, afterTries()):
		return v.confirmationOutcome(web.StatusOf(codeOf(err)), view, f)
	}
	return err
}
