package web

import (
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
)

func (s *Server) cookieName() string { return s.named("billhost-session") }

func (s *Server) deviceCookie() string { return s.named("billhost-device") }

// named is the name of a cookie that, over HTTPS, no other host can set.
func (s *Server) named(name string) string {
	if s.Secure {
		return "__Host-" + name
	}
	return name
}

// setCookie hands the session to the browser; an empty one takes it away.
func (s *Server) setCookie(w http.ResponseWriter, session string) {
	life := books.StaffSessionLife
	if session == "" {
		life = -time.Second
	}
	s.set(w, s.cookieName(), session, life)
}

// forget has the browser forget a session that is over, and the pages it showed.
func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	if s.token(r) == "" {
		return
	}
	s.setCookie(w, "")
	w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
}

func (s *Server) set(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", Secure: s.Secure, HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int(life.Seconds()),
	})
}

// device tells the browser from others. One that has no cookie for that has a new
// name, which it is given when somebody has signed in: see signedInWith.
func (s *Server) device(r *http.Request) string {
	if c, err := r.Cookie(s.deviceCookie()); err == nil && books.IsDevice(c.Value) {
		return c.Value
	}
	return books.NewDevice()
}

// signedInWith hands a session that has just begun to the browser, and the cookie
// that tells it from others, for as long as it is remembered.
func (s *Server) signedInWith(w http.ResponseWriter, r *http.Request, session string) {
	s.setCookie(w, session)
	s.set(w, s.deviceCookie(), books.ActorFrom(r.Context()).Device, books.DeviceLife)
}
