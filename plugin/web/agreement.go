package web

import (
	"errors"
	"net/http"
	"regexp"
	"strings"

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
	Blocks []block
}

// block is one part of the agreement's text.
type block struct {
	Heading, Text string
	Items         []string
}

// numbered matches "1. Your sign-in. Your username …".
var numbered = regexp.MustCompile(`^(\d{1,2}\. [^.\n]{1,80})\.\s+(\S[\s\S]*)$`)

// blocks cuts a plain text at its empty lines: paragraphs, numbered sections and
// lists of lines that start with a hyphen.
func blocks(text string) []block {
	var out []block
	for part := range strings.SplitSeq(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n") {
		part = strings.TrimSpace(part)
		switch m := numbered.FindStringSubmatch(part); {
		case part == "":
		case m != nil:
			out = append(out, block{Heading: m[1]}, block{Text: m[2]})
		case strings.HasPrefix(part, "- "):
			var b block
			for line := range strings.SplitSeq(part, "\n") {
				b.Items = append(b.Items, strings.TrimPrefix(line, "- "))
			}
			out = append(out, b)
		default:
			out = append(out, block{Text: part})
		}
	}
	return out
}

// agreement shows the text to anybody.
func (s *Web) agreement(v *visit) error {
	a, err := s.service.Agreement(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	return s.pages.agreement.Render(v.w, v.r, http.StatusOK, v.agreementPage(a, nil))
}

func (v *visit) agreementPage(a portal.Agreement, f *web.Form) agreementPage {
	return agreementPage{
		frame: v.titled(v.T("agreement.title")), steps: v.step(5), form: newForm(f),
		Agreement: a, Blocks: blocks(a.Text),
	}
}

// holder finds who may accept now: the confirmed sign-up of this browser, else a
// session with the agreement pending. Otherwise it has answered.
func (v *visit) holder() (h portal.Holder, done bool, err error) {
	ctx := v.r.Context()
	state, err := v.web.service.SignUp(ctx, v.caller, v.cookie(cookieSignUp))
	switch {
	case err == nil && state.Step == portal.StepAccept:
		return portal.Holder{Handle: v.cookie(cookieSignUp)}, false, nil
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
	return portal.Holder{Session: v.cookie(cookieSession)}, false, nil
}

func (s *Web) acceptForm(v *visit) error {
	if _, done, err := v.holder(); done {
		return err
	}
	return v.acceptPage(http.StatusOK, nil)
}

func (v *visit) acceptPage(status int, f *web.Form) error {
	a, err := v.web.service.Agreement(v.r.Context(), v.caller)
	if err != nil {
		return err
	}
	return v.web.pages.signupAgreement.Render(v.w, v.r, status, v.agreementPage(a, f))
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
	v.known()
	in, err := s.service.Accept(v.r.Context(), v.caller, holder, f.Text("version"))
	switch {
	case errors.Is(err, portal.ErrSignUpEnded):
		return v.signUpFailed(err)
	case err != nil && v.fail(f, err, afterTries()):
		return v.acceptPage(web.StatusOf(codeOf(err)), f)
	case err != nil:
		return err
	}
	if err := v.signedIn(in); err != nil {
		return err
	}
	return v.redirect("/")
}

// decline is **I do not accept**: signed out, nothing lost.
func (s *Web) decline(v *visit) error {
	holder, done, err := v.holder()
	if done {
		return err
	}
	if err := s.service.Decline(v.r.Context(), v.caller, holder); err != nil {
		return err
	}
	v.dropCookie(cookieSession)
	v.dropCookie(cookieSignUp)
	return v.redirect("/sign-in?notice=declined")
}
