package web

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/mileusna/useragent"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

type accountPage struct {
	frame
	Notice   string
	Form     *sdkweb.Form
	Browsers []browserRow
}

// browserRow is a browser that is signed in, in words.
type browserRow struct {
	books.StaffSession
	Name, Seen string
}

func accountSamples() []accountPage {
	failed := sdkweb.NewForm(nil)
	failed.Fail(&apperr.Error{Code: apperr.Invalid, Fields: map[string]string{"current": "x", "password": "x"}})
	rows := []browserRow{{}, {StaffSession: books.StaffSession{Current: true, IP: "x"}}}
	return []accountPage{
		{Form: &sdkweb.Form{}, Notice: "x", Browsers: rows}, {Form: failed}, {Form: &sdkweb.Form{Message: "x"}, frame: frame{Staff: books.Staff{HasPassword: true}}},
	}
}

func signInSamples() []signInPage {
	failed := sdkweb.NewForm(map[string]string{"next": "/admin/"})
	failed.Fail(&apperr.Error{Code: apperr.Invalid, Fields: map[string]string{"email": "x", "password": "x"}})
	person := frame{Staff: books.Staff{HasPassword: true}}
	return []signInPage{{Form: &sdkweb.Form{}, Notice: "x"}, {Dev: true, Form: failed, frame: person, Choices: []business{{}}}, {Form: &sdkweb.Form{Message: "x"}}}
}

// account shows who is signed in, where, and what the role may do.
func (s *Server) account(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	return s.accountPage(w, r, http.StatusOK, staff, &sdkweb.Form{})
}

func (s *Server) accountPage(w http.ResponseWriter, r *http.Request, status int, staff books.Staff, form *sdkweb.Form) error {
	f, err := s.frame(r, staff, staff.Name, "account")
	if err != nil {
		return err
	}
	sessions, err := s.Store.StaffSessions(r.Context(), staff.BillerID, staff.ID, s.token(r))
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation(f.Biller.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	page := accountPage{frame: f, Form: form, Notice: accountNotice(r)}
	for _, one := range sessions {
		page.Browsers = append(page.Browsers, browserRow{one, browserName(one.Agent), one.SeenAt.In(zone).Format("Jan 2, 15:04")})
	}
	return s.pages.account.Render(w, r, status, page)
}

func accountNotice(r *http.Request) string {
	switch q := r.URL.Query(); q.Get("notice") {
	case "password":
		return "Your password is saved."
	case "ended":
		return "That browser is signed out."
	case "others":
		if n, err := strconv.Atoi(q.Get("n")); err == nil && n == 1 {
			return "One other browser is signed out."
		}
		return "All other browsers are signed out."
	}
	return ""
}

// browserName is what people call the browser.
func browserName(agent string) string {
	ua := useragent.Parse(agent)
	switch {
	case ua.Name == "":
		return "Unknown browser"
	case ua.OS == "":
		return ua.Name
	}
	return ua.Name + " on " + ua.OS
}

// token is the session of the browser.
func (s *Server) token(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// savePassword chooses or changes the password. Whoever has none yet must have
// signed in a moment ago.
func (s *Server) savePassword(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	if !staff.HasPassword && !staff.Fresh(s.Now()) {
		http.Redirect(w, r, "/sign-in/again?next="+url.QueryEscape("/admin/account"), http.StatusSeeOther)
		return nil
	}
	session, err := s.setPassword(r, staff, form)
	if err != nil {
		return s.refused(w, r, form, err, func(status int) error { return s.accountPage(w, r, status, staff, form) })
	}
	s.setCookie(w, session)
	http.Redirect(w, r, "/admin/account?notice=password", http.StatusSeeOther)
	return nil
}

func (s *Server) setPassword(r *http.Request, staff books.Staff, form *sdkweb.Form) (session string, err error) {
	ctx, old := r.Context(), ""
	if staff.HasPassword {
		if err := required(form, "current"); err != nil {
			return "", err
		}
		if old, err = s.prove(r, staff, "current", form.Value("current")); err != nil {
			return "", err
		}
	}
	biller, err := s.Store.Biller(ctx, staff.BillerID)
	if err != nil {
		return "", err
	}
	if err := s.Passwords.Check(form.Value("password"), staff.Email, biller.Name); err != nil {
		return "", err
	}
	hash, err := s.Passwords.Hash(ctx, form.Value("password"))
	if err != nil {
		return "", err
	}
	return s.Store.SetStaffPassword(ctx, staff.BillerID, staff.ID, old, hash)
}

// endSession signs one other browser out.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	if id := form.Value("session"); id != "" {
		if _, err := s.Store.EndStaffSessions(r.Context(), staff.BillerID, staff.ID, id, s.token(r)); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/admin/account?notice=ended", http.StatusSeeOther)
	return nil
}

// endOthers signs all other browsers out.
func (s *Server) endOthers(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	n, err := s.Store.EndStaffSessions(r.Context(), staff.BillerID, staff.ID, "", s.token(r))
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/admin/account?notice=others&n="+strconv.Itoa(n), http.StatusSeeOther)
	return nil
}
