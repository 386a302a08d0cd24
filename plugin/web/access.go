package web

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

func (s *Web) accessRoutes() []publicRoute {
	return []publicRoute{
		{"GET /welcome/{token}/access", anyone, s.askForm},
		{"POST /welcome/{token}/access", anyone, s.ask},
	}
}

// askPage is **Ask {Biller} for access**.
type askPage struct {
	frame
	form
	steps
	Action, Back, MaskedEmail string
}

func (v *visit) askHref() string {
	return v.Path("/welcome/" + url.PathEscape(v.r.PathValue("token")) + "/access")
}

func (s *Web) askForm(v *visit) error {
	masked, err := s.service.AccessForm(v.r.Context(), v.caller, v.r.PathValue("token"))
	if err != nil {
		return v.askFailed(err)
	}
	return v.askPage(http.StatusOK, masked, nil)
}

// askFailed leads to what became of the link meanwhile.
func (v *visit) askFailed(err error) error {
	if isLinkError(err) {
		return v.redirect("/welcome/" + url.PathEscape(v.r.PathValue("token")))
	}
	return err
}

func (v *visit) askPage(status int, masked string, f *web.Form) error {
	return v.web.pages.accessAsk.Render(v.w, v.r, status, askPage{
		frame: v.titled(v.T("access.ask", "Biller", v.Name())), steps: v.step(2), form: newForm(f, "name", "email", "message"),
		Action: v.askHref(), Back: v.Path("/welcome/" + url.PathEscape(v.r.PathValue("token"))), MaskedEmail: masked,
	})
}

// ask keeps the request. The answer tells of another one that is open, nothing
// about who made it, and never what becomes of either.
func (s *Web) ask(v *visit) error {
	token := v.r.PathValue("token")
	masked, err := s.service.AccessForm(v.r.Context(), v.caller, token)
	if err != nil {
		return v.askFailed(err)
	}
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	if err = v.required(f, "name", "email"); err == nil {
		err = s.service.AskAccess(v.r.Context(), v.caller, token, f.Text("name"), f.Text("email"), f.Value("message"))
	}
	switch {
	case errors.Is(err, portal.ErrAccessOpen):
		return v.message(http.StatusConflict, messagePage{
			Icon: "people", Heading: v.T("access.already.title"), Lead: v.Rich("access.already.lead", "Biller", v.Name()),
		})
	case err != nil && isLinkError(err):
		return v.askFailed(err)
	case err != nil && v.fail(f, err, afterTries()):
		return v.askPage(web.StatusOf(codeOf(err)), masked, f)
	case err != nil:
		return err
	}
	return v.message(http.StatusOK, messagePage{
		Icon: "check", Heading: v.T("access.asked.title", "Biller", v.Name()), Lead: v.Rich("access.asked.lead", "Biller", v.Name(), "Email", f.Text("email")),
	})
}

// requestRow is somebody who asks for access, as staff see it.
type requestRow struct {
	Customer, CustomerHref       string
	Name, Email, Message         string
	Until                        template.HTML
	ApproveHref, DeclineHref, ID string
}

func (v *visit) requestRows(list []portal.AccessRequest) []requestRow {
	rows := make([]requestRow, len(list))
	for i, r := range list {
		here := "/requests/" + url.PathEscape(r.ID)
		rows[i] = requestRow{
			ID: r.ID, Customer: r.CustomerName, CustomerHref: v.customerHref(r.CustomerID), Name: r.Name, Email: r.Email, Message: r.Message,
			Until: v.Time(r.ExpiresAt), ApproveHref: here + "/approve", DeclineHref: here + "/decline",
		}
	}
	return rows
}

// requestsPage lists who asks for access to any customer.
type requestsPage struct {
	frame
	Notice   *notice
	Requests []requestRow
}

func (s *Web) accessRequests(v *visit) error {
	list, err := s.service.AccessRequests(v.r.Context(), v.caller, "")
	if err != nil {
		return err
	}
	p := requestsPage{frame: v.titled(v.T("requests.title")), Requests: v.requestRows(list)}
	return s.pages.accessRequests.Render(v.w, v.r, http.StatusOK, p)
}

// approve is **Approve**.
func (s *Web) approve(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	customerID, err := s.service.Approve(v.r.Context(), v.caller, v.r.PathValue("id"), portal.Right(f.Value("right")))
	return v.decided(customerID, string(portal.HistoryApproved), err)
}

// declineAccess is **Decline**.
func (s *Web) declineAccess(v *visit) error {
	customerID, err := s.service.DeclineAccess(v.r.Context(), v.caller, v.r.PathValue("id"))
	return v.decided(customerID, string(portal.HistoryRefused), err)
}

// decided leads to the customer, which tells what happened.
func (v *visit) decided(customerID, notice string, err error) error {
	switch {
	case customerID != "" && (errors.Is(err, portal.ErrAccessDecided) || errors.Is(err, portal.ErrAccessHas) || errors.Is(err, portal.ErrArchived)):
		return v.leave(v.customerHref(customerID, "refused", refusal(err)))
	case err != nil:
		return err
	}
	return v.leave(v.customerHref(customerID, "notice", notice))
}

// refusal is the word for an error that the customer's page tells of.
func refusal(err error) string {
	switch {
	case errors.Is(err, portal.ErrAccessDecided):
		return "decided"
	case errors.Is(err, portal.ErrAccessHas):
		return "has"
	case errors.Is(err, portal.ErrArchived):
		return "archived"
	case errors.Is(err, portal.ErrLinkDead):
		return "dead"
	case errors.Is(err, portal.ErrSignInDiffers):
		return "differs"
	case errors.Is(err, portal.ErrNoPerson):
		return "gone"
	case errors.Is(err, portal.ErrPersonUnchanged):
		return "unchanged"
	case errors.Is(err, portal.ErrResetsSent):
		return "resets"
	case apperr.Is(err, apperr.TooManyRequests):
		return "wait"
	}
	return ""
}

// invitedLine is an invitation that answered a request.
type invitedLine struct {
	Email, When           string
	RenewHref, RevokeHref string
}

func (v *visit) invitedLines(customerID string, list []portal.Invitation) []invitedLine {
	var lines []invitedLine
	for _, inv := range list {
		here := "/customers/" + url.PathEscape(customerID) + "/invited/" + url.PathEscape(inv.ID)
		line := invitedLine{Email: inv.Email, When: v.T("customer.invited.expired"), RenewHref: here + "/renew"}
		if inv.Live(v.web.now()) {
			line.When, line.RevokeHref = v.T("customer.invited.until", "At", v.DateTime(inv.ExpiresAt)), here+"/revoke"
		}
		lines = append(lines, line)
	}
	return lines
}

// renewAccess is **Send again** of an invitation that answered a request.
func (s *Web) renewAccess(v *visit) error {
	id := v.r.PathValue("id")
	return v.settled(id, string(portal.HistoryApproved), s.service.RenewAccess(v.r.Context(), v.caller, id, v.r.PathValue("invitation")))
}

// revokeAccess is **Revoke** of one.
func (s *Web) revokeAccess(v *visit) error {
	id := v.r.PathValue("id")
	return v.settled(id, string(portal.HistoryRevoked), s.service.RevokeAccess(v.r.Context(), v.caller, id, v.r.PathValue("invitation")))
}

// settled leads back to the customer with what happened, or why not.
func (v *visit) settled(customerID, notice string, err error) error {
	if err == nil {
		return v.leave(v.customerHref(customerID, "notice", notice))
	}
	if why := refusal(err); why != "" {
		return v.leave(v.customerHref(customerID, "refused", why))
	}
	return err
}
