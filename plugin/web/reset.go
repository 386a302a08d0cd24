package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// forgotPage asks whose password was forgotten.
type forgotPage struct {
	frame
	form
}

// resetPage is behind the link of the mail: the new password.
type resetPage struct {
	frame
	form
	Action, MaskedEmail string
}

func (s *Web) resetRoutes() []publicRoute {
	return []publicRoute{
		{"GET /forgot", anyone, s.forgotForm},
		{"POST /forgot", anyone, s.forgot},
		{"GET /reset/{token}", anyone, s.resetForm},
		{"POST /reset/{token}", anyone, s.reset},
		{"GET /not-me/{token}", anyone, s.disownForm},
		{"POST /not-me/{token}", anyone, s.disown},
		{"GET /security/password", member, s.changeForm},
		{"POST /security/password", member, s.change},
	}
}

func (s *Web) forgotForm(v *visit) error {
	f := web.NewForm(nil)
	f.Set("email", web.QueryValue(v.r, "email"))
	return v.forgotPage(http.StatusOK, f)
}

func (v *visit) forgotPage(status int, f *web.Form) error {
	return v.web.pages.forgot.Render(v.w, v.r, status, forgotPage{frame: v.titled(v.T("forgot.title")), form: newForm(f, "email")})
}

// forgot is **Send me a link**. The answer is the same for every address.
func (s *Web) forgot(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if err = v.required(f, "email"); err == nil {
		err = s.service.ForgotPassword(v.r.Context(), v.caller, f.Text("email"))
	}
	if err != nil {
		if v.fail(f, err, afterMails()) {
			return v.forgotPage(web.StatusOf(codeOf(err)), f)
		}
		return err
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "mail", Heading: v.T("forgot.sent.title"),
		Lead:  v.Rich("forgot.sent.lead", "Email", v.Firm(f.Text("email")), "Biller", v.Name()),
		Note:  v.Rich("forgot.sent.note"),
		Links: []action{{Label: v.T("forgot.back"), Href: v.Path("/sign-in"), Quiet: true}},
	})
}

// resetForm consumes nothing: mail scanners follow links.
func (s *Web) resetForm(v *visit) error {
	masked, err := s.service.OpenReset(v.r.Context(), v.caller, v.r.PathValue("token"))
	if err != nil {
		return v.resetFailed(err)
	}
	return v.resetPage(http.StatusOK, masked, nil)
}

func (v *visit) resetPage(status int, masked string, f *web.Form) error {
	return v.web.pages.reset.Render(v.w, v.r, status, resetPage{
		frame: v.titled(v.T("reset.title")), form: newForm(f, "password").show().measured(v).replacing(),
		Action: v.Path("/reset/" + url.PathEscape(v.r.PathValue("token"))), MaskedEmail: masked,
	})
}

// reset is **Save new password**.
func (s *Web) reset(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	token := v.r.PathValue("token")
	masked, err := s.service.OpenReset(v.r.Context(), v.caller, token)
	if err != nil {
		return v.resetFailed(err)
	}
	if showing(f) {
		return v.resetPage(http.StatusOK, masked, f)
	}
	var state portal.SignUpState
	if err = v.required(f, "password"); err == nil {
		state, err = s.service.ResetPassword(v.r.Context(), v.caller, token, f.Value("password"))
	}
	switch {
	case err == nil && state.Handle == "":
		v.dropSession()
		return v.redirect("/sign-in?notice=reset")
	case err == nil:
		return v.goOn(state)
	case codeOf(err) != apperr.Conflict && v.fail(f, err, afterTries()):
		return v.resetPage(web.StatusOf(codeOf(err)), masked, f)
	}
	return v.resetFailed(err)
}

func (v *visit) resetFailed(err error) error {
	switch {
	case errors.Is(err, portal.ErrResetGone):
		return v.message(http.StatusOK, messagePage{
			Icon: "hourglass", Heading: v.T("reset.gone.title"), Lead: v.Rich("reset.gone.lead"),
			Links: []action{{Label: v.T("reset.gone.link"), Href: v.Path("/forgot")}, {Label: v.T("forgot.back"), Href: v.Path("/sign-in"), Quiet: true}},
		})
	case errors.Is(err, portal.ErrHasAccount), errors.Is(err, portal.ErrRegistered):
		return v.message(http.StatusConflict, v.registeredPage())
	}
	return err
}

// changePage changes the password of who is signed in.
type changePage struct {
	portalPage
	form
	// Current is the current password, while the new one is shown.
	Current string
}

func (s *Web) changeForm(v *visit) error {
	return v.changePage(http.StatusOK, nil)
}

func (v *visit) changePage(status int, f *web.Form) error {
	var names []string
	for _, g := range v.session.Grants {
		names = append(names, g.Name)
	}
	page := changePage{
		portalPage: v.portalPage(v.T("change.title"), "false"),
		form:       newForm(f, "current", "password").show().measured(v, names...).replacing(),
	}
	if f != nil && showing(f) {
		page.Current = f.Value("current")
	}
	return v.web.pages.change.Render(v.w, v.r, status, page)
}

// change is **Change password**.
func (s *Web) change(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if showing(f) {
		return v.changePage(http.StatusOK, f)
	}
	var in portal.SignedIn
	if err = v.required(f, "current", "password"); err == nil {
		in, err = s.service.ChangePassword(v.r.Context(), v.caller, v.cookie(cookieSession), f.Value("current"), f.Value("password"))
	}
	if err != nil {
		if v.fail(f, err, afterTries()) {
			return v.changePage(web.StatusOf(codeOf(err)), f)
		}
		return err
	}
	v.setCookie(cookieSession, in.Session, in.ExpiresAt)
	return v.redirect("/security?notice=password")
}
