package web

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mileusna/useragent"

	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/password"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

type accountPage struct {
	frame
	Notice   string
	Form     *sdkweb.Form
	Browsers []browserRow
	// NeedsPassword tells that a new password wants the current one.
	NeedsPassword bool
	newPassword
}

// newPassword is the field for a new password. The page holds what was typed only
// if the person asked to see it; then it says how strong that is, too.
type newPassword struct {
	Shown    bool
	Password string
	Strength *strength
}

// strength is what the meter says of a shown password.
type strength struct {
	Score int
	Word  string
}

// shown is the field after one of the buttons Show and Hide, which only draw the
// form again.
func shown(form *sdkweb.Form, staff books.Staff, biller string) newPassword {
	if form.Value("show") != "password" {
		return newPassword{}
	}
	n := newPassword{Shown: true, Password: form.Value("password")}
	if n.Password != "" {
		score := password.Score(n.Password, staff.Email, biller, "Billhost")
		n.Strength = &strength{score, []string{"Very weak", "Weak", "Fair", "Strong", "Very strong"}[score] + ". At least 12 characters"}
	}
	return n
}

// browserRow is a browser that is signed in, in words.
type browserRow struct {
	books.StaffSession
	Name, Since, Seen string
}

func accountSamples() []accountPage {
	failed := sdkweb.NewForm(nil)
	failed.Fail(&apperr.Error{Code: apperr.Invalid, Fields: map[string]string{"current": "x", "password": "x"}})
	rows := []browserRow{{}, {StaffSession: books.StaffSession{Current: true, IP: "x"}}}
	return []accountPage{
		{Form: &sdkweb.Form{}, Notice: "x", Browsers: rows}, {Form: failed}, {Form: &sdkweb.Form{Message: "x"}, frame: frame{Staff: books.Staff{HasPassword: true}}, NeedsPassword: true},
		{Form: &sdkweb.Form{}, newPassword: newPassword{Shown: true, Password: "x", Strength: &strength{2, "x"}}},
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
	page := accountPage{frame: f, Form: form, Notice: accountNotice(r), NeedsPassword: staff.NeedsPassword(s.Now()), newPassword: shown(form, staff, f.Biller.Name)}
	for _, one := range sessions {
		const minute = "Jan 2, 15:04"
		page.Browsers = append(page.Browsers, browserRow{one, BrowserName(one.Agent), one.CreatedAt.In(zone).Format(minute), one.SeenAt.In(zone).Format(minute)})
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

// BrowserName is what people call the browser. A name that is no plain word is not
// repeated: it would stand on pages and in mails.
func BrowserName(agent string) string {
	ua := useragent.Parse(agent)
	switch {
	case !plainName(ua.Name):
		return "Unknown browser"
	case !plainName(ua.OS):
		return ua.Name
	}
	return ua.Name + " on " + ua.OS
}

func plainName(s string) bool {
	strange := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != ' ' }
	return s != "" && len(s) <= 30 && !strings.ContainsFunc(s, strange)
}

// token is the session of the browser.
func (s *Server) token(r *http.Request) string {
	c, err := r.Cookie(s.cookieName())
	if err != nil {
		return ""
	}
	return c.Value
}

// askAgain has a person show again who they are and leads back to the account.
func askAgain(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "/sign-in/again?next="+url.QueryEscape("/admin/account"), http.StatusSeeOther)
}

// savePassword chooses or changes the password. Whoever has none yet must have
// signed in a moment ago.
func (s *Server) savePassword(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	form, err := sdkweb.ParseForm(w, r)
	if err != nil {
		return err
	}
	if form.Value("show") != "" {
		return s.accountPage(w, r, http.StatusOK, staff, form)
	}
	if !staff.HasPassword && !staff.Fresh(s.Now()) {
		askAgain(w, r)
		return nil
	}
	session, err := s.setPassword(r, staff, form)
	if err != nil {
		return s.refused(w, r, form, err, func(status int) error { return s.accountPage(w, r, status, staff, form) })
	}
	s.signedInWith(w, r, session)
	http.Redirect(w, r, "/admin/account?notice=password", http.StatusSeeOther)
	return nil
}

func (s *Server) setPassword(r *http.Request, staff books.Staff, form *sdkweb.Form) (session string, err error) {
	ctx, old := r.Context(), ""
	if staff.NeedsPassword(s.Now()) {
		if err := required(form, "current"); err != nil {
			return "", err
		}
		if old, err = s.prove(r, staff, "current", form.Value("current")); err != nil {
			return "", err
		}
	} else if old, err = s.Store.SessionPassword(ctx, s.token(r)); err != nil {
		return "", err
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

// endSession signs one other browser out, for somebody who has just shown who they
// are.
func (s *Server) endSession(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	if !staff.Fresh(s.Now()) {
		askAgain(w, r)
		return nil
	}
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

// endOthers signs all other browsers out, for somebody who has just shown who they
// are.
func (s *Server) endOthers(w http.ResponseWriter, r *http.Request, staff books.Staff) error {
	if !staff.Fresh(s.Now()) {
		askAgain(w, r)
		return nil
	}
	n, err := s.Store.EndStaffSessions(r.Context(), staff.BillerID, staff.ID, "", s.token(r))
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/admin/account?notice=others&n="+strconv.Itoa(n), http.StatusSeeOther)
	return nil
}
