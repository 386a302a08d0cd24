package web

import (
	"errors"
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// signInPage asks for email and password.
type signInPage struct {
	frame
	form
	Notice string
	// Open tells that people may sign up without an invitation.
	Open bool
}

// Trouble says whom to ask without a sign-in or password.
func (p signInPage) Trouble() template.HTML { return p.ask("signin.trouble") }

func (s *Web) signInForm(v *visit) error {
	if _, err := s.service.Session(v.r.Context(), v.caller, v.cookie(cookieSession)); err == nil {
		return v.redirect("/")
	}
	f := web.NewForm(nil)
	notice := ""
	if next := web.QueryValue(v.r, "next"); web.IsSafePath(next, v.call.BasePath) {
		f.Set("next", next)
		notice = v.T("signin.notice.over")
	}
	switch v.r.URL.Query().Get("notice") {
	case "out":
		notice = v.T("signin.notice.out")
	case "reset":
		notice = v.T("signin.notice.reset")
	case "declined":
		notice = v.T("signin.notice.declined")
	}
	return v.signInPage(http.StatusOK, f, notice)
}

func (v *visit) signInPage(status int, f *web.Form, notice string) error {
	return v.web.pages.signin.Render(v.w, v.r, status, signInPage{
		frame: v.titled(v.T("signin.title")), form: newForm(f, "email", "password").show(), Notice: notice,
		Open: v.web.service.OpenSignUp(v.r.Context()),
	})
}

// signIn is **Sign in**. Which part was wrong is never told.
func (s *Web) signIn(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if showing(f) {
		return v.signInPage(http.StatusOK, f, "")
	}
	err = v.required(f, "email", "password")
	var in portal.SignedIn
	if err == nil {
		v.known()
		in, err = s.service.SignIn(v.r.Context(), v.caller, f.Text("email"), f.Value("password"))
	}
	switch {
	case errors.Is(err, portal.ErrWrongSignIn):
		f.Message, v.failed = v.T("error.signin"), true
		return v.signInPage(http.StatusUnauthorized, f, "")
	case err != nil && v.fail(f, err, afterTries()):
		return v.signInPage(web.StatusOf(codeOf(err)), f, "")
	case err != nil:
		return err
	}
	return v.enter(in, f.Text("next"))
}

// enter leads on from a sign-in that went well.
func (v *visit) enter(in portal.SignedIn, next string) error {
	if in.Pending != nil {
		v.setCookie(cookieSignUp, in.Pending.Handle, in.Pending.ExpiresAt)
		if in.Pending.Step == portal.StepConfirm {
			return v.redirect("/sign-up/confirm?first=1")
		}
		return v.redirect(stepPath(in.Pending.Step))
	}
	if err := v.signedIn(in); err != nil {
		return err
	}
	if in.AgreementPending {
		return v.redirect(stepPath(portal.StepAccept))
	}
	return v.leave(web.SafePath(next, v.call.BasePath))
}

// signOut ends the session at once.
func (s *Web) signOut(v *visit) error {
	if err := s.service.SignOut(v.r.Context(), v.caller, v.cookie(cookieSession)); err != nil {
		return err
	}
	v.dropSession()
	v.dropCookie(cookieSignUp)
	v.dropCookie(cookieProfile)
	return v.redirect("/sign-in?notice=out")
}
