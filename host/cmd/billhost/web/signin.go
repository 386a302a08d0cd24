package web

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	hostpages "github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// Passwords checks and hashes passwords; *password.Hasher is one.
type Passwords interface {
	// Check returns an Invalid error on the field "password" that says what to do.
	Check(password, email, billerName string) error
	Hash(ctx context.Context, password string) (string, error)
	// Verify takes as long for an empty hash, which never matches, as for a real one.
	Verify(ctx context.Context, hash, password string) (bool, error)
	Outdated(hash string) bool
}

type signInPage struct {
	frame
	Dev    bool
	Notice string
	Form   *sdkweb.Form
	// Choices are the businesses that a right password opens, if there are several.
	Choices []business
}

// business is one of those a person works for, with the one-time token that leads
// to it.
type business struct{ Name, Token string }

func (s *Server) signInRoutes() map[string]sdkweb.HandlerFunc {
	return map[string]sdkweb.HandlerFunc{
		"GET /sign-in":          s.signInForm,
		"POST /sign-in":         s.signInWithPassword,
		"GET /sign-in/forgot":   s.forgotForm,
		"POST /sign-in/forgot":  s.forgot,
		"GET /sign-in/again":    s.againForm,
		"POST /sign-in/again":   s.again,
		"GET /sign-in/{token}":  s.signInAsk,
		"POST /sign-in/{token}": s.signIn,
		"POST /sign-out":        s.signOut,
	}
}

func (s *Server) signInPage(title string, form *sdkweb.Form) signInPage {
	return signInPage{frame: frame{Title: title, Static: s.static}, Dev: s.Dev, Form: form}
}

// nextOf keeps where a person wanted to go, if that is a page of ours.
func nextOf(next string) *sdkweb.Form {
	form := sdkweb.NewForm(nil)
	if sdkweb.IsSafePath(next, "/admin") {
		form.Set("next", next)
	}
	return form
}

// signInForm asks for email and password. Whoever is signed in goes on, or, with
// "reauth", shows again who they are.
func (s *Server) signInForm(w http.ResponseWriter, r *http.Request) error {
	next := sdkweb.QueryValue(r, "next")
	_, err := s.session(r)
	if err == nil {
		to := sdkweb.SafePath(next, "/admin")
		if r.URL.Query().Get("reauth") != "" {
			to = "/sign-in/again?next=" + url.QueryEscape(to)
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
	if apperr.Is(err, apperr.Unauthenticated) {
		s.forget(w, r)
	}
	page := s.signInPage("Sign in", nextOf(next))
	if page.Form.Value("next") != "" {
		page.Notice = "Please sign in to continue."
	}
	return s.pages.signInForm.Render(w, r, http.StatusOK, page)
}

// signInWithPassword signs in. Which part was wrong is never told; the work is the
// same for every address.
func (s *Server) signInWithPassword(w http.ResponseWriter, r *http.Request) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	form.Set("next", nextOf(form.Value("next")).Value("next"))
	var matched []books.Candidate
	if err = required(form, "email", "password"); err == nil {
		matched, err = s.candidates(r, form.Text("email"), form.Value("password"))
	}
	if err == nil && len(matched) > 1 {
		err = s.choose(w, r, form, matched)
	} else if err == nil {
		err = s.begin(w, r, matched[0], form)
	}
	if apperr.Is(err, apperr.Unauthenticated) {
		form.Message = apperr.MessageOf(err)
		return s.pages.signInForm.Render(w, r, http.StatusUnauthorized, s.signInPage("Sign in", form))
	}
	if err != nil {
		return s.refused(w, r, form, err, func(status int) error {
			return s.pages.signInForm.Render(w, r, status, s.signInPage("Sign in", form))
		})
	}
	return nil
}

// begin starts the session of somebody whose password was right. ErrWrongSignIn if
// it was changed, or they were disabled, while it was compared.
func (s *Server) begin(w http.ResponseWriter, r *http.Request, c books.Candidate, form *sdkweb.Form) error {
	session, err := s.Store.StartStaffSession(r.Context(), c.BillerID, c.ID, c.Hash)
	if err != nil {
		return s.tooLate(r, c, err)
	}
	if err := s.raise(r.Context(), c, form.Value("password")); err != nil {
		return err
	}
	return s.enter(w, r, session, form.Value("next"))
}

// tooLate keeps a sign-in as refused that began with a password which holds no
// longer.
func (s *Server) tooLate(r *http.Request, c books.Candidate, err error) error {
	if !apperr.Is(err, apperr.Unauthenticated) {
		return err
	}
	return firstErr(s.keepWrong(r.Context(), c.Email, 1), err)
}

// keepWrong keeps a wrong password of who has the address, and has them told where
// the delays begin.
func (s *Server) keepWrong(ctx context.Context, address string, wrong int) error {
	norm, err := email.Normalize(address)
	if err != nil {
		return err
	}
	return s.Store.RefuseGuess(ctx, norm, wrong)
}

// candidates returns whom address and password open, at least one.
// ErrWrongSignIn, TooManyRequests.
func (s *Server) candidates(r *http.Request, address, password string) ([]books.Candidate, error) {
	ctx := r.Context()
	norm, err := email.Normalize(address)
	if err != nil {
		norm = " " + short(address, 254) // nobody has an address with a space; the work is the same
	}
	account, ip := "email "+norm, s.ip(r)
	wrong, err := s.guess(ctx, account, ip)
	if err != nil {
		return nil, s.throttled(ctx, "password", ip, err)
	}
	all, err := s.Store.Candidates(ctx, norm)
	if err != nil {
		return nil, err
	}
	var matched []books.Candidate
	for i := range books.PasswordsTried {
		var c books.Candidate
		if i < len(all) {
			c = all[i]
		}
		ok, err := s.Passwords.Verify(ctx, c.Hash, password)
		if err != nil {
			return nil, err
		}
		if ok {
			matched = append(matched, c)
		}
	}
	if len(matched) == 0 {
		if err := s.Store.RefuseGuess(ctx, norm, wrong); err != nil {
			return nil, err
		}
		return nil, books.ErrWrongSignIn
	}
	return matched, s.Store.ReturnGuess(ctx, account, ip)
}

// guess counts a try before anything is compared.
func (s *Server) guess(ctx context.Context, account string, ip netip.Addr) (wrong int, err error) {
	wrong, retryAt, err := s.Store.TakeGuess(ctx, account, ip)
	if err != nil || retryAt.IsZero() {
		return wrong, err
	}
	return wrong, tooMany(retryAt.Sub(s.Now()))
}

// throttled lists a try of somebody unknown that came too early in the log.
func (s *Server) throttled(ctx context.Context, what string, ip netip.Addr, err error) error {
	if apperr.Is(err, apperr.TooManyRequests) {
		s.publicly.Refused(ctx, refusal.Throttled, "what", what, "ip", ip.String())
	}
	return err
}

// raise hashes a right password anew if its hash has become too cheap.
func (s *Server) raise(ctx context.Context, c books.Candidate, password string) error {
	if !s.Passwords.Outdated(c.Hash) {
		return nil
	}
	hash, err := s.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.Store.RaiseStaffPassword(ctx, c.BillerID, c.ID, c.Hash, hash)
}

func tooMany(wait time.Duration) error {
	if wait <= time.Minute {
		return apperr.Throttled(wait, "Too many tries. Wait %d seconds, then try again.", max(1, int((wait+time.Second-1)/time.Second)))
	}
	return apperr.Throttled(wait, "Too many tries. Wait %d minutes, then try again.", int((wait+time.Minute-1)/time.Minute))
}

func (s *Server) ip(r *http.Request) netip.Addr { return hostpages.RemoteIP(r, s.TrustedProxies) }

// required blames the named fields that are empty.
func required(form *sdkweb.Form, names ...string) error {
	missing := map[string]string{}
	for _, name := range names {
		if form.Text(name) == "" {
			missing[name] = map[string]string{
				"email": "Enter your email address.", "password": "Enter your password.", "current": "Enter your current password.",
			}[name]
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return &apperr.Error{Code: apperr.Invalid, Message: "Please correct the marked fields.", Fields: missing}
}

// refused draws a form again with what is wrong, or returns an error that no form
// can show.
func (s *Server) refused(w http.ResponseWriter, _ *http.Request, form *sdkweb.Form, err error, draw func(status int) error) error {
	if !form.Fail(err) {
		return err
	}
	if wait := apperr.RetryAfterOf(err); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
	}
	return draw(sdkweb.StatusOf(apperr.CodeOf(err)))
}

// choose lets a person whose password opens several businesses say which.
// ErrWrongSignIn if none of them is left.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, form *sdkweb.Form, matched []books.Candidate) error {
	page := s.signInPage("Choose a business", form)
	for _, c := range matched {
		token, err := s.Store.NewChoiceLink(r.Context(), c.BillerID, c.ID, c.Hash)
		if apperr.Is(err, apperr.Unauthenticated) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.raise(r.Context(), c, form.Value("password")); err != nil {
			return err
		}
		page.Choices = append(page.Choices, business{c.BillerName, token})
	}
	if len(page.Choices) == 0 {
		return s.tooLate(r, matched[0], books.ErrWrongSignIn)
	}
	return s.pages.signInChoose.Render(w, r, http.StatusOK, page)
}

// enter hands the new session to the browser; the one it had before ends.
func (s *Server) enter(w http.ResponseWriter, r *http.Request, session, next string) error {
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if err := s.Store.SignOut(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.signedInWith(w, r, session)
	http.Redirect(w, r, sdkweb.SafePath(next, "/admin"), http.StatusSeeOther)
	return nil
}

// signInAsk shows the button of a one-time link; it uses nothing up.
func (s *Server) signInAsk(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "strict-origin")
	err := s.Store.CheckStaffLink(r.Context(), r.PathValue("token"))
	if apperr.Is(err, apperr.NotFound) {
		return s.deadLink(w, r)
	}
	if err != nil {
		return err
	}
	return s.pages.signInAsk.Render(w, r, http.StatusOK, s.signInPage("Sign in", sdkweb.NewForm(nil)))
}

// signIn uses a one-time link up and starts a session; an older session of the
// same browser ends.
func (s *Server) signIn(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "strict-origin")
	session, err := s.Store.SignIn(r.Context(), r.PathValue("token"))
	if apperr.Is(err, apperr.NotFound) {
		return s.deadLink(w, r)
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, session, sdkweb.QueryValue(r, "next"))
}

func (s *Server) deadLink(w http.ResponseWriter, r *http.Request) error {
	return s.pages.signInDead.Render(w, r, http.StatusNotFound, s.signInPage("Link no longer valid", sdkweb.NewForm(nil)))
}

// signOut ends the session.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if err := s.Store.SignOut(r.Context(), s.token(r)); err != nil {
		return err
	}
	s.forget(w, r)
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	return nil
}
