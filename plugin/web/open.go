package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// openPage is a step of a sign-up without an invitation: the address, or the code.
type openPage struct {
	frame
	form
	steps
	ProofID, Email string
	// CodeDead means that Resend is the way on.
	CodeDead bool
	// Resent is a notice after a redirect.
	Resent bool
}

// Unsure says whom to ask which address is the right one.
func (p openPage) Unsure() template.HTML { return p.ask("open.unsure") }

// chooseOpenPage is the password and the choice of customers, once the address is
// proven.
type chooseOpenPage struct {
	profilePage
	Email string
}

func (s *Web) openRoutes() []publicRoute {
	return []publicRoute{
		{"GET /sign-up", anyone, s.openForm},
		{"POST /sign-up", anyone, s.open},
		{"GET /sign-up/code", anyone, s.proofForm},
		{"POST /sign-up/code", anyone, s.prove},
		{"POST /sign-up/code/resend", anyone, s.resendProof},
		{"GET /sign-up/choose", anyone, s.chooseOpenForm},
		{"POST /sign-up/choose", anyone, s.chooseOpen},
		{"GET /prove/{token}", anyone, s.proofLink},
		{"POST /prove/{token}", anyone, s.proveLink},
	}
}

// openStep draws the way through a sign-up that begins at the portal link.
func (f frame) openStep(now int) steps {
	s := f.step(now)
	for i := range s.Steps[:4] {
		s.Steps[i].Name = f.T("open.step." + strconv.Itoa(i+1))
	}
	s.StepName = s.Steps[now-1].Name
	return s
}

// proofPath is the page of a proof's step.
func proofPath(p portal.ProofStep) string {
	if p == portal.ProofProven {
		return "/sign-up/choose"
	}
	return "/sign-up/code"
}

// openForm asks for the address. Whoever has begun goes on, unless it is to begin
// again.
func (s *Web) openForm(v *visit) error {
	if _, err := s.service.Session(v.r.Context(), v.caller, v.cookie(cookieSession)); err == nil {
		return v.redirect("/")
	}
	if !s.service.OpenSignUp(v.r.Context()) {
		return v.proofFailed(portal.ErrOpenOff)
	}
	if v.r.URL.Query().Get("again") == "" {
		if state, err := s.service.Proof(v.r.Context(), v.caller, v.cookie(cookieProof)); err == nil {
			return v.redirect(proofPath(state.Step))
		}
	}
	return v.openPage(http.StatusOK, nil)
}

func (v *visit) openPage(status int, f *web.Form) error {
	return v.web.pages.open.Render(v.w, v.r, status, openPage{frame: v.titled(v.T("open.title")), steps: v.openStep(2), form: newForm(f, "email")})
}

// open is **Continue**. The answer is the same for every address.
func (s *Web) open(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	var state portal.ProofState
	if err = v.required(f, "email"); err == nil {
		state, err = s.service.StartProof(v.r.Context(), v.caller, f.Text("email"))
	}
	switch {
	case errors.Is(err, portal.ErrOpenOff):
		return v.proofFailed(err)
	case err != nil && v.fail(f, err, afterMails()):
		return v.openPage(web.StatusOf(codeOf(err)), f)
	case err != nil:
		return err
	}
	v.setCookie(cookieProof, state.Handle, state.ExpiresAt)
	return v.redirect(proofPath(state.Step))
}

// proofAt returns the proof of this browser if it stands at the step. Otherwise it
// has answered.
func (v *visit) proofAt(want portal.ProofStep) (state portal.ProofState, done bool, err error) {
	state, err = v.web.service.Proof(v.r.Context(), v.caller, v.cookie(cookieProof))
	if err != nil {
		return state, true, v.proofFailed(err)
	}
	if state.Step != want {
		return state, true, v.redirect(proofPath(state.Step))
	}
	return state, false, nil
}

// proofOf is proofAt for a form that was sent: a form that was drawn for another
// sign-up of this browser is told so.
func (v *visit) proofOf(f *web.Form, want portal.ProofStep) (state portal.ProofState, done bool, err error) {
	state, done, err = v.proofAt(want)
	if drawnFor := f.Text("proof"); !done && drawnFor != "" && drawnFor != state.ID {
		return state, true, v.message(http.StatusConflict, messagePage{
			Icon: "people", Heading: v.T("message.overtaken.title"), Lead: v.Rich("message.overtaken.lead"),
			Links: []action{{Label: v.T("message.overtaken.button"), Href: v.Path(proofPath(state.Step))}},
		})
	}
	return state, done, err
}

// proofFailed shows what ends a sign-up without an invitation.
func (v *visit) proofFailed(err error) error {
	again := action{Label: v.T("open.again"), Href: v.Path("/sign-up?again=1")}
	signIn := action{Label: v.T("signin.link"), Href: v.Path("/sign-in"), Quiet: true}
	switch {
	case errors.Is(err, portal.ErrOpenOff):
		signIn.Quiet = false
		return v.message(http.StatusForbidden, messagePage{Icon: "mail", Heading: v.T("open.off.title"), Lead: v.ask("open.off"), Links: []action{signIn}})
	case errors.Is(err, portal.ErrProofEnded):
		v.dropCookie(cookieProof)
		return v.message(http.StatusConflict, messagePage{Icon: "hourglass", Heading: v.T("message.ended.title"), Lead: v.Rich("open.ended"), Links: []action{again, signIn}})
	case errors.Is(err, portal.ErrHasAccount):
		v.dropCookie(cookieProof)
		signIn.Quiet = false
		return v.message(http.StatusConflict, messagePage{Icon: "person", Heading: v.T("message.existing.title"), Lead: v.Rich("open.existing", "Biller", v.Name()), Links: []action{signIn}})
	case errors.Is(err, portal.ErrNoProfiles):
		return v.message(http.StatusConflict, messagePage{Icon: "people", Heading: v.T("open.none.title"), Lead: v.ask("open.none"), Links: []action{again}})
	case errors.Is(err, portal.ErrWrongStep):
		_, _, err := v.proofAt("")
		return err
	}
	return err
}

func (s *Web) proofForm(v *visit) error {
	state, done, err := v.proofAt(portal.ProofAsked)
	if done {
		return err
	}
	f := web.NewForm(nil)
	if state.CodeDead {
		f.Message = v.T("error.code.dead")
	}
	return v.proofPage(http.StatusOK, state, f)
}

func (v *visit) proofPage(status int, state portal.ProofState, f *web.Form) error {
	return v.web.pages.openCode.Render(v.w, v.r, status, openPage{
		frame: v.titled(v.T("confirm.title")), steps: v.openStep(3), form: newForm(f, "code"),
		ProofID: state.ID, Email: state.Email, CodeDead: state.CodeDead, Resent: v.r.URL.Query().Get("resent") != "",
	})
}

// prove is **Confirm my email** with the code.
func (s *Web) prove(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	state, done, err := v.proofOf(f, portal.ProofAsked)
	if done {
		return err
	}
	if err = v.required(f, "code"); err == nil {
		err = s.service.Prove(v.r.Context(), v.caller, v.cookie(cookieProof), f.Text("code"))
	}
	if err != nil {
		return v.codeFailed(err, state, f)
	}
	return v.redirect(proofPath(portal.ProofProven))
}

// resendProof is **Resend**.
func (s *Web) resendProof(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	state, done, err := v.proofOf(f, portal.ProofAsked)
	if done {
		return err
	}
	if err := s.service.ResendProof(v.r.Context(), v.caller, v.cookie(cookieProof)); err != nil {
		return v.codeFailed(err, state, web.NewForm(nil))
	}
	return v.redirect("/sign-up/code?resent=1")
}

func (v *visit) codeFailed(err error, state portal.ProofState, f *web.Form) error {
	if errors.Is(err, portal.ErrProofEnded) || errors.Is(err, portal.ErrOpenOff) || errors.Is(err, portal.ErrWrongStep) || !v.fail(f, err, afterMails()) {
		return v.proofFailed(err)
	}
	state.CodeDead = state.CodeDead || errors.Is(err, portal.ErrCodeDead)
	return v.proofPage(web.StatusOf(codeOf(err)), state, f)
}

// proofLink is behind the link of the mail. It consumes nothing: mail scanners
// follow links.
func (s *Web) proofLink(v *visit) error {
	view, err := s.service.OpenProofLink(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieProof))
	if err != nil {
		return v.proofFailed(err)
	}
	return v.proofOutcome(http.StatusOK, view)
}

func (v *visit) proofOutcome(status int, view portal.ProofLinkView) error {
	again := []action{{Label: v.T("open.again"), Href: v.Path("/sign-up?again=1")}, {Label: v.T("signin.link"), Href: v.Path("/sign-in"), Quiet: true}}
	switch view.Outcome {
	case portal.ProofLinkHere, portal.ProofLinkElsewhere:
		lead := "confirm.link.button"
		if view.Outcome == portal.ProofLinkElsewhere {
			lead = "open.elsewhere"
		}
		return v.message(status, messagePage{
			Icon: "mail-open", Heading: v.T("confirm.submit"), Lead: v.Rich(lead, "Email", v.Firm(view.MaskedEmail)),
			Does: &action{Label: v.T("confirm.submit"), Href: v.Path("/prove/" + url.PathEscape(v.r.PathValue("token")))},
		})
	case portal.ProofLinkGoOn:
		return v.redirect(proofPath(portal.ProofProven))
	case portal.ProofLinkDone:
		return v.message(status, v.registeredPage())
	case portal.ProofLinkUsed:
		return v.message(status, messagePage{Icon: "hourglass", Heading: v.T("message.gone.title"), Lead: v.Rich("open.used"), Links: again})
	}
	heading := v.T("message.gone.title")
	if view.Outcome == portal.ProofLinkExpired {
		heading = v.T("expired.title")
	}
	return v.message(status, messagePage{Icon: "hourglass", Heading: heading, Lead: v.Rich("open.gone"), Links: again})
}

// proveLink is **Confirm my email** with the link.
func (s *Web) proveLink(v *visit) error {
	state, err := s.service.ProveLink(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieProof))
	if isLinkError(err) {
		view, err := s.service.OpenProofLink(v.r.Context(), v.caller, v.r.PathValue("token"), v.cookie(cookieProof))
		if err != nil {
			return v.proofFailed(err)
		}
		return v.proofOutcome(http.StatusConflict, view)
	}
	if err != nil {
		return v.proofFailed(err)
	}
	if state.Handle != "" {
		v.setCookie(cookieProof, state.Handle, state.ExpiresAt)
	}
	return v.redirect(proofPath(state.Step))
}

func (s *Web) chooseOpenForm(v *visit) error {
	state, done, err := v.proofAt(portal.ProofProven)
	if done {
		return err
	}
	return v.chooseOpenPage(http.StatusOK, state, nil)
}

func (v *visit) chooseOpenPage(status int, state portal.ProofState, f *web.Form) error {
	profiles, err := v.web.service.OpenProfiles(v.r.Context(), v.caller, v.cookie(cookieProof))
	if err != nil {
		return v.proofFailed(err)
	}
	var names []string
	for _, profile := range profiles {
		names = append(names, profile.Name)
	}
	p := chooseOpenPage{Email: state.Email, profilePage: profilePage{
		frame: v.titled(v.T("start.title")), steps: v.openStep(4),
		form: newForm(f, "password", "profile").show().measured(v, names...), SignUpID: state.ID, Profiles: profiles,
	}}
	if p.Chosen = p.Form.Value("profile"); p.Chosen == "" && len(profiles) == 1 {
		p.Chosen = profiles[0].CustomerID
	}
	return v.web.pages.openChoose.Render(v.w, v.r, status, p)
}

// chooseOpen is **Sign Up**: the only thing that grants access is the choice made
// here.
func (s *Web) chooseOpen(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	state, done, err := v.proofOf(f, portal.ProofProven)
	if done {
		return err
	}
	if showing(f) {
		return v.chooseOpenPage(http.StatusOK, state, f)
	}
	ids := f.Values("profile")
	if f.Has("profile", "all") {
		if ids, err = v.allOpen(); err != nil {
			return v.proofFailed(err)
		}
	}
	var signUp portal.SignUpState
	if err = v.required(f, "password"); err == nil {
		signUp, err = s.service.FinishProof(v.r.Context(), v.caller, v.cookie(cookieProof), f.Value("password"), ids)
	}
	switch {
	case err == nil:
		v.dropCookie(cookieProof)
		return v.goOn(signUp)
	case ends(err):
		return v.proofFailed(err)
	case v.fail(f, err, afterTries()):
		return v.chooseOpenPage(web.StatusOf(codeOf(err)), state, f)
	}
	return err
}

// allOpen is every customer that is offered: "sign up for all of these".
func (v *visit) allOpen() ([]string, error) {
	profiles, err := v.web.service.OpenProfiles(v.r.Context(), v.caller, v.cookie(cookieProof))
	ids := make([]string, len(profiles))
	for i, p := range profiles {
		ids[i] = p.CustomerID
	}
	return ids, err
}

// ends reports whether the sign-up, not the form, is what is wrong.
func ends(err error) bool {
	return slices.ContainsFunc([]error{
		portal.ErrProofEnded, portal.ErrOpenOff, portal.ErrHasAccount, portal.ErrNoProfiles, portal.ErrWrongStep,
	}, func(end error) bool { return errors.Is(err, end) })
}

// Wrong says whom to tell that a customer is missing or not theirs.
func (p chooseOpenPage) Wrong() template.HTML { return p.ask("open.missing") }
