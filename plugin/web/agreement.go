package web

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// agreementPage shows the Customer Portal User Agreement, as step 5 with the
// button **I Accept**, or to read.
type agreementPage struct {
	frame
	form
	steps
	portal.Agreement
	Body template.HTML
	// Holder is the key of who accepts.
	Holder string
	// Before is set for somebody who accepted an earlier version.
	Before *earlier
	// Accepted are the versions that somebody who is signed in accepted before, and
	// Erase is where they end the sign-in: neither asks for this acceptance.
	Accepted []acceptanceRow
	Erase    string
}

// earlier is the version that somebody accepted before, and what is new since.
type earlier struct {
	Version string
	On      template.HTML
	Changes template.HTML
}

// agreement shows the text to anybody.
func (s *Web) agreement(v *visit) error {
	a, err := s.service.Agreement(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	return s.pages.agreement.Render(v.w, v.r, http.StatusOK, v.agreementPage(a, nil, nil))
}

// agreementPage has no steps: whoever accepts a new version is on no way through
// sign-up.
func (v *visit) agreementPage(a portal.Agreement, before *earlier, f *web.Form) agreementPage {
	top := 2
	if before != nil {
		top = 3
	}
	return agreementPage{
		frame: v.titled(v.T("agreement.title")), form: newForm(f), Agreement: a, Before: before,
		Body: v.web.documents.HTML(v.web.documents.Parse(a.Markdown()), v.look(top, false)),
	}
}

// earlier is what the person accepted before; nil for a first acceptance.
func (v *visit) earlier(h portal.Holder, now portal.Agreement) (*earlier, error) {
	before, at, found, err := v.web.service.LastAccepted(v.r.Context(), v.caller, h)
	if err != nil || !found || before.Version == now.Version {
		return nil, err
	}
	return &earlier{Version: before.Version, On: v.TimeDate(at), Changes: v.changes(before, v.web.documents.Parse(now.Markdown()), false)}, nil
}

// accepting is who may accept now, and the way that led here. Somebody with a
// session has no such way.
type accepting struct {
	portal.Holder
	steps
	// key tells who it is from others that use this browser.
	key string
}

// holderKey is the key of a person; it tells nothing of the id.
func holderKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:8])
}

// drawnFor reports whether a form was drawn for whom it is about now: not if somebody
// else signed in or up in another window.
func (h accepting) drawnFor(f *web.Form) bool {
	return f.Text("holder") == h.key
}

// holder finds who may accept now: the confirmed sign-up of this browser, else a
// session with the agreement pending. Otherwise it has answered.
func (v *visit) holder() (h accepting, done bool, err error) {
	ctx := v.r.Context()
	state, err := v.web.service.SignUp(ctx, v.caller, v.cookie(cookieSignUp))
	switch {
	case err == nil && state.Step == portal.StepAccept:
		way := v.step(5)
		if state.Open {
			way = v.openStep(5)
		}
		return accepting{portal.Holder{Handle: v.cookie(cookieSignUp)}, way, holderKey(state.UserID)}, false, nil
	case err == nil:
		return h, true, v.redirect(stepPath(state.Step))
	case !errors.Is(err, portal.ErrSignUpEnded):
		return h, true, err
	}
	session, err := v.web.service.Session(ctx, v.caller, v.cookie(cookieSession))
	switch {
	case apperr.Is(err, apperr.Unauthenticated):
		return h, true, v.redirect("/sign-in")
	case err != nil:
		return h, true, err
	case !session.AgreementPending:
		return h, true, v.redirect("/")
	}
	v.session = session
	return accepting{Holder: portal.Holder{Session: v.cookie(cookieSession)}, key: holderKey(session.UserID)}, false, nil
}

func (s *Web) acceptForm(v *visit) error {
	holder, done, err := v.holder()
	if done {
		return err
	}
	return v.acceptPage(http.StatusOK, holder, nil)
}

func (v *visit) acceptPage(status int, h accepting, f *web.Form) error {
	a, err := v.web.service.Agreement(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	before, err := v.earlier(h.Holder, a)
	if err != nil {
		return err
	}
	p := v.agreementPage(a, before, f)
	p.steps, p.Holder = h.steps, h.key
	if h.Session != "" {
		p.Erase = v.Path("/security/erase")
		if p.Accepted, err = v.myAcceptances(); err != nil {
			return err
		}
	}
	return v.web.pages.signupAgreement.Render(v.w, v.r, status, p)
}

// accept is **I Accept**, which signs in.
func (s *Web) accept(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	holder, done, err := v.holder()
	if done {
		return err
	}
	if !holder.drawnFor(f) {
		return v.acceptForAnother(holder)
	}
	v.known()
	in, err := s.service.Accept(v.r.Context(), v.caller, holder.Holder, f.Text("version"))
	switch {
	case errors.Is(err, portal.ErrSignUpEnded):
		return v.signUpFailed(err)
	case err != nil && v.fail(f, err, afterTries()):
		return v.acceptPage(web.StatusOf(codeOf(err)), holder, f)
	case err != nil:
		return err
	}
	if err := v.signedIn(in); err != nil {
		return err
	}
	return v.redirect("/")
}

// acceptForAnother shows the agreement to whom it is about now.
func (v *visit) acceptForAnother(h accepting) error {
	f := web.NewForm(nil)
	f.Message, v.failed = v.T("error.agreement.other"), true
	return v.acceptPage(http.StatusConflict, h, f)
}

// decline is **I do not accept**: signed out, nothing lost.
func (s *Web) decline(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	holder, done, err := v.holder()
	if done {
		return err
	}
	if !holder.drawnFor(f) {
		return v.acceptForAnother(holder)
	}
	if err := s.service.Decline(v.r.Context(), v.caller, holder.Holder); err != nil {
		return err
	}
	v.dropSession()
	v.dropCookie(cookieSignUp)
	return v.redirect("/sign-in?notice=declined")
}
