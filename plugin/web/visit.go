package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Cookies; the host keeps those of billers apart by renaming them.
const (
	cookieSession = "session"
	cookieSignUp  = "signup"
	cookieProfile = "profile"
	cookieProof   = "proof"
	cookieDevice  = "device"
)

// visit is one request: what came, who asks, and the frame of the answer.
type visit struct {
	frame
	w      http.ResponseWriter
	r      *http.Request
	call   sdk.Call
	caller portal.Caller
	// session is set on routes for members.
	session portal.SessionView
}

// visit asks the host for the biller, which every page shows: one host call.
func (s *Web) visit(w http.ResponseWriter, r *http.Request) (*visit, error) {
	call := sdk.CallFrom(r.Context())
	biller, err := s.host.Billers.Biller(r.Context())
	if err != nil {
		return nil, err
	}
	v := &visit{w: w, r: r, call: call, caller: caller.Of(call, biller.Name), frame: s.frame(call, biller)}
	v.web = s
	v.caller.Device = v.cookie(cookieDevice)
	return v, nil
}

// needSession fills in the session, or redirects to where one is made, or to the
// agreement that a member has yet to accept, and reports that the request is answered.
func (v *visit) needSession(a access) (done bool, err error) {
	session, err := v.web.service.Session(v.r.Context(), v.caller, v.cookie(cookieSession))
	switch {
	case apperr.Is(err, apperr.Unauthenticated):
		if v.cookie(cookieSession) != "" {
			v.forgetPages() // the session was ended elsewhere, or by itself
		}
		next := ""
		if v.r.Method == http.MethodGet && v.r.URL.Path != "/" {
			next = "?next=" + url.QueryEscape(v.Path(v.r.URL.Path))
		}
		return true, v.redirect("/sign-in" + next)
	case err != nil:
		return false, err
	case session.AgreementPending && a == member:
		return true, v.redirect("/sign-up/agreement")
	}
	v.session = session
	return false, nil
}

// redirect answers 303 to a path of the current surface.
func (v *visit) redirect(path string) error { return v.leave(v.Path(path)) }

// leave answers 303 to a path of this origin that need not be ours.
func (v *visit) leave(path string) error {
	v.w.Header().Set("Location", path)
	v.w.WriteHeader(http.StatusSeeOther)
	return nil
}

func (v *visit) cookie(name string) string {
	c, err := v.r.Cookie(name)
	if err != nil || len(c.Value) > 200 {
		return ""
	}
	return c.Value
}

// setCookie keeps value until the time, or for the browser's session if it is zero.
func (v *visit) setCookie(name, value string, until time.Time) {
	c := &http.Cookie{
		Name: name, Value: value, Path: v.call.BasePath + "/",
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(v.call.BaseURL, "https://"),
	}
	if !until.IsZero() {
		c.Expires = until.UTC()
		c.MaxAge = max(1, int(until.Sub(v.web.now()).Seconds()))
	}
	http.SetCookie(v.w, c)
}

// dropSession lets the browser forget a session that is over, and the pages that it
// showed.
func (v *visit) dropSession() {
	v.dropCookie(cookieSession)
	v.forgetPages()
}

func (v *visit) forgetPages() { v.w.Header().Set("Clear-Site-Data", `"cache", "storage"`) }

func (v *visit) dropCookie(name string) {
	if v.cookie(name) == "" {
		return
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Path: v.call.BasePath + "/", MaxAge: -1,
		HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: strings.HasPrefix(v.call.BaseURL, "https://"),
	})
}

// signedIn keeps the new session, and lets go of the sign-up it came from and of
// the session this browser had before: nobody could sign out of that any more.
func (v *visit) signedIn(in portal.SignedIn) error {
	if old := v.cookie(cookieSession); old != "" {
		if err := v.web.service.SignOut(v.r.Context(), v.caller, old); err != nil {
			return err
		}
	}
	v.setCookie(cookieSession, in.Session, in.ExpiresAt)
	v.dropCookie(cookieSignUp)
	return nil
}

// known gives the browser the cookie that tells it from others, before somebody
// signs in with it.
func (v *visit) known() {
	if v.caller.Device == "" {
		v.caller.Device = portal.NewSecret()
	}
	v.setCookie(cookieDevice, v.caller.Device, v.web.now().Add(portal.DeviceLife))
}
