package web

import (
	"errors"
	"net/http"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// againPage asks for the password before something sensitive, and does it with
// the same button.
type againPage struct {
	portalPage
	form
	// Button is what it does, Action where its form goes, Session what it is about.
	Button, Action, Session string
}

// withPassword does something that asks for the password again, unless it was
// typed a short while ago. It reports done once do did its work; until then the
// page is drawn.
func (v *visit) withPassword(page againPage, f *web.Form, do func(password string) error) (done bool, err error) {
	err = do(f.Value("current"))
	if err == nil {
		return true, nil
	}
	status := http.StatusOK
	if _, asked := v.r.PostForm["current"]; asked || !errors.Is(err, portal.ErrAgain) {
		if !v.fail(f, err, afterTries()) {
			return false, err
		}
		status = web.StatusOf(codeOf(err))
	}
	page.portalPage, page.form = v.portalPage(v.T("again.title"), "false"), newForm(f, "current")
	page.Action, page.Session = v.Path(v.r.URL.Path), f.Value("session")
	return false, v.web.pages.again.Render(v.w, v.r, status, page)
}
