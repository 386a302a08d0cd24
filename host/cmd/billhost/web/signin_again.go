package web

import (
	"net/http"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/email"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// forgotForm asks whose link to mail.
func (s *Server) forgotForm(w http.ResponseWriter, r *http.Request) error {
	return s.pages.signInForgot.Render(w, r, http.StatusOK, s.signInPage("Get a one-time link", nextOf(sdkweb.QueryValue(r, "next"))))
}

// forgot mails a one-time link. The answer is the same for every address.
func (s *Server) forgot(w http.ResponseWriter, r *http.Request) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	next := nextOf(form.Value("next")).Value("next")
	form.Set("next", next)
	var norm string
	if err = required(form, "email"); err == nil {
		if norm, err = email.Normalize(form.Text("email")); err != nil {
			err = apperr.Field("email", "Enter an address like name@example.com.")
		}
	}
	if err == nil {
		retryAt, failed := s.Store.AskStaffLink(r.Context(), norm, next, s.ip(r))
		if err = failed; err == nil && !retryAt.IsZero() {
			err = s.throttled(r.Context(), "link", s.ip(r), tooMany(retryAt.Sub(s.Now())))
		}
	}
	if err != nil {
		return s.refused(w, r, form, err, func(status int) error {
			return s.pages.signInForgot.Render(w, r, status, s.signInPage("Get a one-time link", form))
		})
	}
	return s.pages.signInSent.Render(w, r, http.StatusOK, s.signInPage("Check your email", form))
}

// againForm asks a signed-in person to show again who they are.
func (s *Server) againForm(w http.ResponseWriter, r *http.Request) error {
	staff, err := s.session(r)
	if apperr.Is(err, apperr.Unauthenticated) {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	return s.againPage(w, r, http.StatusOK, staff, nextOf(sdkweb.QueryValue(r, "next")))
}

func (s *Server) againPage(w http.ResponseWriter, r *http.Request, status int, staff books.Staff, form *sdkweb.Form) error {
	page := s.signInPage("Is it still you?", form)
	page.Staff = staff
	return s.pages.signInAgain.Render(w, r, status, page)
}

// again compares the password of who is signed in and gives the browser a new
// session.
func (s *Server) again(w http.ResponseWriter, r *http.Request) error {
	staff, err := s.session(r)
	if apperr.Is(err, apperr.Unauthenticated) {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	form.Set("next", nextOf(form.Value("next")).Value("next"))
	var hash string
	if err = required(form, "password"); err == nil {
		hash, err = s.prove(r, staff, "password", form.Value("password"))
	}
	if err != nil {
		return s.refused(w, r, form, err, func(status int) error { return s.againPage(w, r, status, staff, form) })
	}
	session, err := s.Store.StartStaffSession(r.Context(), staff.BillerID, staff.ID, hash)
	if apperr.Is(err, apperr.Unauthenticated) {
		http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
		return nil
	}
	if err != nil {
		return err
	}
	return s.enter(w, r, session, form.Value("next"))
}

// prove compares the password of who is signed in and returns its hash. Invalid
// on the field for a wrong one; TooManyRequests.
func (s *Server) prove(r *http.Request, staff books.Staff, field, password string) (hash string, err error) {
	ctx, account, ip := r.Context(), "staff "+staff.BillerID+" "+staff.ID, s.ip(r)
	wrong, err := s.guess(ctx, account, ip)
	if apperr.Is(err, apperr.TooManyRequests) {
		return "", s.refuse(r, staff, refusal.Throttled, r.Pattern, err)
	}
	if err != nil {
		return "", err
	}
	if hash, err = s.Store.StaffPassword(ctx, staff.BillerID, staff.ID); err != nil {
		return "", err
	}
	ok, err := s.Passwords.Verify(ctx, hash, password)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", firstErr(s.keepWrong(ctx, staff.Email, wrong), apperr.Field(field, "That is not your password. Try again."))
	}
	return hash, s.Store.ReturnGuess(ctx, account, ip)
}
