package web

import (
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// steps draws the way through sign-up; pages embed it.
type steps struct {
	Step     int
	StepName string
	Steps    []step
}

type step struct {
	Name          string
	Done, Current bool
}

func (f frame) step(now int) steps {
	s := steps{Step: now}
	for i := 1; i <= 5; i++ {
		name := f.T("step." + strconv.Itoa(i))
		s.Steps = append(s.Steps, step{Name: name, Done: i < now, Current: i == now})
		if i == now {
			s.StepName = name
		}
	}
	return s
}

// stepPath is the page of a sign-up's step.
func stepPath(s portal.Step) string {
	switch s {
	case portal.StepProfile:
		return "/sign-up/profile"
	case portal.StepConfirm:
		return "/sign-up/confirm"
	case portal.StepAccept:
		return "/sign-up/agreement"
	}
	return "/"
}

// at returns the sign-up of this browser if it stands at the step. Otherwise it
// has answered: with a redirect to the right step, or with what to do.
func (v *visit) at(want portal.Step) (state portal.SignUpState, done bool, err error) {
	state, err = v.web.service.SignUp(v.r.Context(), v.caller, v.cookie(cookieSignUp))
	if err != nil {
		return state, true, v.signUpFailed(err)
	}
	if state.Step != want {
		return state, true, v.redirect(stepPath(state.Step))
	}
	return state, false, nil
}

// current returns the sign-up of this browser for a form that was sent. It has
// answered if there is none, also because staff took its invitation back, or if the
// form was drawn for another one: started again in another window, where the cookie
// went.
func (v *visit) current(f *web.Form) (state portal.SignUpState, done bool, err error) {
	drawnFor := f.Text("signup")
	state, err = v.web.service.SignUp(v.r.Context(), v.caller, v.cookie(cookieSignUp))
	if errors.Is(err, portal.ErrSignUpEnded) {
		revoked, lost := v.web.service.SignUpRevoked(v.r.Context(), v.caller, drawnFor)
		switch {
		case lost != nil:
			return state, true, lost
		case revoked:
			v.dropCookie(cookieSignUp)
			return state, true, v.message(http.StatusConflict, v.revokedPage())
		}
	}
	if err != nil {
		return state, true, v.signUpFailed(err)
	}
	if drawnFor != "" && drawnFor != state.ID {
		return state, true, v.message(http.StatusConflict, messagePage{
			Icon: "people", Heading: v.T("message.overtaken.title"), Lead: v.Rich("message.overtaken.lead"),
			Links: []action{{Label: v.T("message.overtaken.button"), Href: v.Path(stepPath(state.Step))}},
		})
	}
	return state, false, nil
}

// signUpFailed shows what a sign-up's errors mean, where no form can.
func (v *visit) signUpFailed(err error) error {
	switch {
	case errors.Is(err, portal.ErrSignUpEnded):
		v.dropCookie(cookieSignUp)
		return v.message(http.StatusConflict, messagePage{
			Icon: "hourglass", Heading: v.T("message.ended.title"), Lead: v.Rich("message.ended.lead"),
			Links: []action{{Label: v.T("signin.link"), Href: v.Path("/sign-in")}},
		})
	case errors.Is(err, portal.ErrRegistered):
		v.dropCookie(cookieSignUp)
		return v.message(http.StatusConflict, v.registeredPage())
	case errors.Is(err, portal.ErrWrongStep):
		state, err := v.web.service.SignUp(v.r.Context(), v.caller, v.cookie(cookieSignUp))
		if err != nil {
			return err
		}
		return v.redirect(stepPath(state.Step))
	}
	return err
}

// profilePage is step 3.
type profilePage struct {
	frame
	form
	steps
	SignUpID string
	Profiles []portal.Profile
	Chosen   string
}

// About tells profiles of one name apart.
func (p profilePage) About(profile portal.Profile) string {
	var parts []string
	if profile.Number != "" {
		parts = append(parts, p.T("profile.about", "Number", profile.Number))
	}
	if profile.Address != "" {
		parts = append(parts, profile.Address)
	}
	return strings.Join(parts, " · ")
}

// Wrong says whom to tell that a profile is not theirs.
func (p profilePage) Wrong() template.HTML {
	many := len(p.Profiles) > 1
	switch {
	case p.Biller.Email == "" && many:
		return p.Rich("profile.wrong.many.none", "Biller", p.Name())
	case p.Biller.Email == "":
		return p.Rich("profile.wrong.one.none", "Biller", p.Name())
	case many:
		return p.Rich("profile.wrong.many.email", "Link", p.tell())
	}
	return p.Rich("profile.wrong.one.email", "Link", p.tell())
}

func (p profilePage) tell() template.HTML {
	return p.Mailto(p.Biller.Email, p.T("profile.wrong.tell", "Biller", p.Name()))
}

func (s *Web) profileForm(v *visit) error {
	state, done, err := v.at(portal.StepProfile)
	if done {
		return err
	}
	return v.profilePage(http.StatusOK, state, nil)
}

func (v *visit) profilePage(status int, state portal.SignUpState, f *web.Form) error {
	profiles, err := v.web.service.Profiles(v.r.Context(), v.caller, v.cookie(cookieSignUp))
	if err != nil {
		return v.signUpFailed(err)
	}
	p := profilePage{frame: v.titled(v.T("profile.title")), steps: v.step(3), form: newForm(f, "profile"), SignUpID: state.ID, Profiles: profiles}
	if p.Chosen = p.Form.Value("profile"); p.Chosen == "" && len(profiles) > 0 {
		p.Chosen = profiles[0].CustomerID
	}
	return v.web.pages.signupProfile.Render(v.w, v.r, status, p)
}

// chooseProfile is **Continue**; the confirmation mail follows.
func (s *Web) chooseProfile(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	state, done, err := v.current(f)
	if done {
		return err
	}
	handle := v.cookie(cookieSignUp)
	ids := f.Values("profile")
	if f.Has("profile", "all") {
		profiles, err := s.service.Profiles(v.r.Context(), v.caller, handle)
		if err != nil {
			return v.signUpFailed(err)
		}
		ids = ids[:0]
		for _, p := range profiles {
			ids = append(ids, p.CustomerID)
		}
	}
	chosen, err := s.service.Choose(v.r.Context(), v.caller, handle, ids)
	switch {
	case errors.Is(err, portal.ErrWrongStep), errors.Is(err, portal.ErrSignUpEnded):
		return v.signUpFailed(err)
	case err != nil && v.fail(f, err, afterMails()):
		return v.profilePage(web.StatusOf(codeOf(err)), state, f)
	case err != nil:
		return err
	}
	return v.redirect(stepPath(chosen.Step))
}
