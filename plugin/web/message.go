package web

import (
	"html/template"
	"net/http"

	"github.com/billing-addons/customer-portal/plugin/caller"
	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// messagePage says one thing and what to do about it.
type messagePage struct {
	frame
	Icon, Heading string
	Lead          template.HTML
	MaskedEmail   string
	// Facts are what the page is about, in short.
	Facts []fact
	// Does is the button that does something, nil if there is none; Links lead
	// somewhere, the first being the one to take.
	Does  *action
	Links []action
	Note  template.HTML
	// RequestID is shown when our side is to blame.
	RequestID string
}

// action is a labelled address; Quiet is for the second choice.
type action struct {
	Label, Href string
	Quiet       bool
}

// fact is a name and a value.
type fact struct {
	Name  string
	Value template.HTML
}

// message renders a message page, its title being the heading.
func (v *visit) message(status int, p messagePage) error {
	p.frame = v.titled(p.Heading)
	if v.session.UserID != "" && p.Does == nil {
		p.SignOut = v.Path("/sign-out")
	}
	return v.web.pages.message.Render(v.w, v.r, status, p)
}

// publicProblem draws the page of an error for customers.
func (s *Web) publicProblem(w http.ResponseWriter, r *http.Request, p web.Problem) {
	call := sdk.CallFrom(r.Context())
	biller, err := s.host.Billers.Biller(r.Context())
	if err != nil {
		biller = sdk.Biller{Locale: call.Locale}
	}
	v := &visit{w: w, r: r, call: call, caller: caller.Of(call, biller.Name), frame: s.frame(call, biller)}
	if p.Code == apperr.Unauthenticated {
		_ = v.redirect("/sign-in") // writes a header, which cannot fail
		return
	}
	if p.Status < http.StatusInternalServerError && v.cookie(cookieSession) != "" {
		// Without a session, or the database, the page has no Sign out.
		v.session, _ = s.service.Session(r.Context(), v.caller, v.cookie(cookieSession))
	}
	if err := v.message(p.Status, v.problemPage(p)); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "error", err.Error())
		http.Error(w, p.Message, p.Status)
	}
}

func (v *visit) problemPage(p web.Problem) messagePage {
	switch p.Code {
	case apperr.NotFound:
		page := messagePage{
			Icon: "compass", Heading: v.T("message.notfound.title"), Lead: v.Rich("message.notfound.lead"),
			Links: []action{{Label: v.T("message.notfound.see"), Href: v.Path("/")}},
			Note:  v.Rich("message.notfound.note", "Biller", v.Name()),
		}
		if v.Biller.Email != "" {
			page.Links = append(page.Links, action{Label: v.T("message.contact", "Biller", v.Name()), Href: catalogue.MailURL(v.Biller.Email), Quiet: true})
		}
		return page
	case apperr.Unavailable:
		return messagePage{Icon: "clock", Heading: v.T("message.unavailable.title"), Lead: v.Rich("message.unavailable.lead"), Links: v.again(), RequestID: p.RequestID}
	case apperr.PermissionDenied:
		return messagePage{Icon: "lock", Heading: v.T("message.denied.title"), Lead: v.Rich("message.denied.lead"), Links: v.home()}
	case apperr.TooManyRequests:
		return messagePage{Icon: "clock", Heading: v.T("message.toomany.title"), Lead: escaped(p.Message), Links: v.again()}
	case apperr.Invalid, apperr.Conflict:
		return messagePage{Icon: "info", Heading: v.T("message.invalid.title"), Lead: escaped(p.Message), Links: v.home()}
	}
	return messagePage{Icon: "warning", Heading: v.T("message.internal.title"), Lead: v.Rich("message.internal.lead"), Links: v.again(), RequestID: p.RequestID}
}

func (v *visit) home() []action {
	return []action{{Label: v.T("message.notfound.see"), Href: v.Path("/")}}
}

// again leads to the same page where that is a page, else home.
func (v *visit) again() []action {
	href := v.Path("/")
	if v.r.Method == http.MethodGet {
		href = v.Path(v.r.URL.EscapedPath())
	}
	return []action{{Label: v.T("message.again"), Href: href}}
}

func escaped(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) }

// staffErrorPage is a fragment that says what went wrong. Page is false in slots,
// which have a heading already.
type staffErrorPage struct {
	frame
	Heading, Message, RequestID string
	Page                        bool
}

// staffProblem draws the fragment of an error for staff.
func (s *Web) staffProblem(w http.ResponseWriter, r *http.Request, p web.Problem) {
	call := sdk.CallFrom(r.Context())
	page := staffErrorPage{
		frame: s.frame(call, sdk.Biller{Locale: call.Locale}), Message: p.Message,
		Page: r.URL.Path != "/customer" && r.URL.Path != "/registrations",
	}
	page.Heading = page.T("addon.title")
	if p.Status >= 500 {
		page.RequestID = p.RequestID
	}
	if err := s.pages.staffError.Render(w, r, p.Status, page); err != nil {
		s.log.ErrorContext(r.Context(), "error page failed", "error", err.Error())
		http.Error(w, p.Message, p.Status)
	}
}
