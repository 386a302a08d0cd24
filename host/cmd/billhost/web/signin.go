package web

import (
	"net/http"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

type signInPage struct {
	frame
	Dev bool
}

type accountPage struct{ frame }

// signInHelp explains how staff sign in.
func (s *Server) signInHelp(w http.ResponseWriter, r *http.Request) error {
	if _, err := s.session(r); err == nil {
		http.Redirect(w, r, "/admin/", http.StatusSeeOther)
		return nil
	}
	return s.pages.signInHelp.Render(w, r, http.StatusOK, signInPage{frame{Title: "Sign in", Static: s.static}, s.Dev})
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
	return s.pages.signInAsk.Render(w, r, http.StatusOK, signInPage{frame: frame{Title: "Sign in", Static: s.static}})
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
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if err := s.Store.SignOut(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.setCookie(w, session)
	http.Redirect(w, r, "/admin/", http.StatusSeeOther)
	return nil
}

func (s *Server) deadLink(w http.ResponseWriter, r *http.Request) error {
	return s.pages.signInDead.Render(w, r, http.StatusNotFound, signInPage{frame: frame{Title: "Link no longer valid", Static: s.static}})
}

// signOut ends the session.
func (s *Server) signOut(w http.ResponseWriter, r *http.Request) error {
	if c, err := r.Cookie(s.cookieName()); err == nil {
		if err := s.Store.SignOut(r.Context(), c.Value); err != nil {
			return err
		}
	}
	s.setCookie(w, "")
	http.Redirect(w, r, "/sign-in", http.StatusSeeOther)
	return nil
}

// account shows who is signed in and what the role may do.
func (s *Server) account(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	f, err := s.frame(r, staff, staff.Name, "account")
	if err != nil {
		return err
	}
	return s.pages.account.Render(w, r, http.StatusOK, accountPage{f})
}
