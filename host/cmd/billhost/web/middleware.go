package web

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	hostpages "github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// policy is the Content-Security-Policy of staff pages.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// outer gives every request that has none a number, and writes to the log.
func (s *Server) outer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sdkweb.RequestID(r.Context()) == "" {
			id := sdkweb.NewRequestID()
			r = r.WithContext(sdkweb.WithRequestID(r.Context(), id))
			w.Header().Set("X-Request-Id", id)
		}
		r = r.WithContext(s.withActor(r))
		start := s.Now()
		next.ServeHTTP(w, r)
		s.Log.DebugContext(r.Context(), "request served", "method", r.Method,
			"took", s.Now().Sub(start).Round(time.Microsecond).String())
	})
}

// withActor tells the audit who asks, as far as that is known before anybody has
// signed in.
func (s *Server) withActor(r *http.Request) context.Context {
	a := books.Actor{RequestID: sdkweb.RequestID(r.Context()), Agent: r.UserAgent(), Device: s.device(r)}
	if ip := hostpages.RemoteIP(r, s.TrustedProxies); ip.IsValid() {
		a.IP = ip.String()
	}
	return books.WithActor(r.Context(), a)
}

// page turns a handler into one that sets the headers of staff pages, refuses
// writes from other origins and draws errors.
func (s *Server) page(h sdkweb.HandlerFunc) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	return sdkweb.Handle(s.Log, s.problem, func(w http.ResponseWriter, r *http.Request) error {
		s.setHeaders(w)
		if err := crossOrigin.Check(r); err != nil {
			return s.refuseOrigin(r, err)
		}
		return h(w, r)
	})
}

func (s *Server) setHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// signedIn runs the route for a signed-in person, and sends others to /sign-in.
func (s *Server) signedIn(t route) sdkweb.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		staff, err := s.session(r)
		if apperr.Is(err, apperr.Unauthenticated) {
			s.forget(w, r)
			http.Redirect(w, r, signInPath(r), http.StatusSeeOther)
			return nil
		}
		if err != nil {
			return err
		}
		by := books.ActorFrom(r.Context())
		by.StaffID = staff.ID
		r = r.WithContext(books.WithActor(r.Context(), by))
		if err := s.check(r, staff, t.need); err != nil {
			return err
		}
		id := r.PathValue("id")
		if id != "" && uuid.Validate(id) != nil {
			return notFound(w, r, staff)
		}
		err = t.handle(w, r, staff)
		if id != "" && apperr.Is(err, apperr.NotFound) {
			return s.refuse(r, staff, refusal.Unknown, r.Pattern, err)
		}
		return err
	}
}

// signInPath leads back, after the sign-in, to a page that was asked for.
func signInPath(r *http.Request) string {
	if r.Method != http.MethodGet || r.URL.Path == "/admin/" || !sdkweb.IsSafePath(r.URL.RequestURI(), "/admin") {
		return "/sign-in"
	}
	return "/sign-in?next=" + url.QueryEscape(r.URL.RequestURI())
}

// session returns who is signed in; Unauthenticated if nobody is.
func (s *Server) session(r *http.Request) (books.Staff, error) {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return books.Staff{}, apperr.Errorf(apperr.Unauthenticated, "Please sign in.")
	}
	return s.Store.Session(r.Context(), c.Value)
}

// StaffFrom returns who is signed in; Unauthenticated if nobody is.
func (s *Server) StaffFrom(r *http.Request) (addon.Staff, error) {
	p, err := s.session(r)
	if err != nil {
		return addon.Staff{}, err
	}
	return p.Addon(), nil
}

const noPage = "The address may have a typing mistake, or what it showed is gone."

func notFound(http.ResponseWriter, *http.Request, books.Staff) error {
	return apperr.Errorf(apperr.NotFound, noPage)
}
