package web

import (
	"errors"
	"net/http"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// addressPage changes the address that a person signs in with: first the new one
// and the password, then the code that was mailed to it.
type addressPage struct {
	portalPage
	form
	// Pending is the new address that waits for its code; empty if none does.
	Pending string
}

func (s *Web) addressForm(v *visit) error { return v.addressPage(http.StatusOK, nil) }

func (v *visit) addressPage(status int, f *web.Form) error {
	page := addressPage{portalPage: v.portalPage(v.T("address.title"), "false"), form: newForm(f, "email", "current", "code")}
	pending, err := v.web.service.PendingAddress(v.r.Context(), v.caller, v.session)
	switch {
	case err == nil:
		page.Pending = pending.Email
	case !errors.Is(err, portal.ErrNoAddressChange):
		return err
	}
	return v.web.pages.address.Render(v.w, v.r, status, page)
}

// changeAddress is **Send a code to the new address**.
func (s *Web) changeAddress(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if err = v.required(f, "email", "current"); err == nil {
		err = s.service.ChangeAddress(v.r.Context(), v.caller, v.cookie(cookieSession), f.Value("current"), f.Text("email"))
	}
	if err != nil {
		if v.fail(f, err, afterTries()) {
			return v.addressPage(web.StatusOf(codeOf(err)), f)
		}
		return err
	}
	return v.redirect("/security/email")
}

// confirmAddress is **Confirm my email** with the code.
func (s *Web) confirmAddress(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	var in portal.SignedIn
	if err = v.required(f, "code"); err == nil {
		in, err = s.service.ConfirmAddress(v.r.Context(), v.caller, v.cookie(cookieSession), f.Text("code"))
	}
	if err != nil {
		if v.fail(f, err, afterTries()) {
			return v.addressPage(web.StatusOf(codeOf(err)), f)
		}
		return err
	}
	v.setCookie(cookieSession, in.Session, in.ExpiresAt)
	return v.redirect("/security?notice=email")
}
