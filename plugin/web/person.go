package web

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

func (s *Web) peopleRoutes() []staffRoute {
	return []staffRoute{
		{"GET /requests", portal.AbilityInvite, s.accessRequests},
		{"POST /requests/{id}/approve", portal.AbilityInvite, s.approve},
		{"POST /requests/{id}/decline", portal.AbilityInvite, s.declineAccess},
		{"POST /customers/{id}/invited/{invitation}/renew", portal.AbilityInvite, s.renewAccess},
		{"POST /customers/{id}/invited/{invitation}/revoke", portal.AbilityInvite, s.revokeAccess},
		{"GET /customers/{id}/people/{user}", portal.AbilityInvite, s.personPage},
		{"GET /customers/{id}/people/{user}/{act}", portal.AbilityInvite, s.personConfirm},
		{"POST /customers/{id}/people/{user}/{act}", portal.AbilityInvite, s.personAct},
	}
}

// What staff do with a person.
const (
	actKeep    = "keep"
	actRight   = "right"
	actSignOut = "sign-out"
	actReset   = "reset"
	actEnable  = "enable"
	actDisable = "disable"
	actRemove  = "remove"
	actReplace = "replace"
	actErase   = "erase"
)

// confirmed are the acts that ask again first; each has the texts
// "person.<act>.title", ".lead" and ".button".
func confirmed(act string) bool {
	switch act {
	case actDisable, actRemove, actReplace, actErase:
		return true
	}
	return false
}

// personPage is what staff can do with a portal user of a customer.
type personPage struct {
	frame
	Person   portal.Person
	Customer string
	Back     string
	Since    string
	Notice   string
	Here     string
	Disabled bool
	CanErase bool
	Rights   []portal.Right
}

func (v *visit) personPath(customerID, userID string) string {
	return "/customers/" + url.PathEscape(customerID) + "/people/" + url.PathEscape(userID)
}

func (s *Web) personPage(v *visit) error {
	id, userID := v.r.PathValue("id"), v.r.PathValue("user")
	view, err := s.service.Customer(v.r.Context(), v.caller, id)
	if err != nil {
		return err
	}
	person, err := s.service.Person(v.r.Context(), v.caller, id, userID)
	if err != nil {
		return err
	}
	said, err := v.personNotice(userID)
	if err != nil {
		return err
	}
	return s.pages.person.Render(v.w, v.r, http.StatusOK, personPage{
		frame: v.titled(person.Email), Person: person, Customer: view.Customer.Label(), Back: v.customerHref(id),
		Since: v.T("customer.people.since", "Date", v.Date(person.Since)), Notice: said, Here: v.personPath(id, userID),
		Disabled: person.State == portal.UserDisabled, CanErase: v.caller.Can(portal.AbilityConfigure), Rights: portal.Rights(),
	})
}

// personNotice tells what staff did with the person just now.
func (v *visit) personNotice(userID string) (string, error) {
	recent, err := v.web.service.RecentActivity(v.r.Context(), v.caller, portal.SessionView{UserID: userID}, 1)
	if err != nil || len(recent) == 0 || !v.justNow(recent[0].At) || recent[0].By.ID != v.caller.Actor.ID {
		return "", err
	}
	switch recent[0].Action {
	case portal.ActionSessionEnded:
		return v.T("person.done.sign_out"), nil
	case portal.ActionResetAsked:
		return v.T("person.done.reset"), nil
	case portal.ActionUserDisabled:
		return v.T("person.done.disable"), nil
	case portal.ActionUserEnabled:
		return v.T("person.done.enable"), nil
	case portal.ActionRightChanged:
		return v.T("person.done.right"), nil
	}
	return "", nil
}

// confirmPage asks again before something that hurts.
type confirmPersonPage struct {
	frame
	Lead, Button, Action, Back string
}

func (s *Web) personConfirm(v *visit) error {
	id, userID, act := v.r.PathValue("id"), v.r.PathValue("user"), v.r.PathValue("act")
	if !confirmed(act) || act == actErase && !v.caller.Can(portal.AbilityConfigure) {
		return s.nowhere(v)
	}
	if act == actErase {
		if err := s.service.Proven(v.caller); err != nil {
			return err
		}
	}
	view, err := s.service.Customer(v.r.Context(), v.caller, id)
	if err != nil {
		return err
	}
	person, err := s.service.Person(v.r.Context(), v.caller, id, userID)
	if errors.Is(err, portal.ErrNoPerson) {
		return v.settled(id, "", err)
	}
	if err != nil {
		return err
	}
	says := []any{"Email", person.Email, "Customer", view.Customer.Label(), "New", view.Customer.Email}
	return s.pages.personConfirm.Render(v.w, v.r, http.StatusOK, confirmPersonPage{
		frame: v.titled(v.T("person."+act+".title", says...)), Lead: v.T("person."+act+".lead", says...),
		Button: v.T("person."+act+".button", says...), Action: v.personPath(id, userID) + "/" + act, Back: v.personPath(id, userID),
	})
}

// personAct does what staff chose.
func (s *Web) personAct(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	id, userID, act := v.r.PathValue("id"), v.r.PathValue("user"), v.r.PathValue("act")
	ctx := v.r.Context()
	there := "" // the person's page, unless the person is gone
	switch act {
	case actKeep:
		err, there = s.service.KeepPerson(ctx, v.caller, id, userID), string(portal.HistoryKept)
	case actRight:
		err = s.service.SetPersonRight(ctx, v.caller, id, userID, portal.Right(f.Value("right")))
	case actSignOut:
		_, err = s.service.SignOutPerson(ctx, v.caller, id, userID)
	case actReset:
		err = s.service.ResetPerson(ctx, v.caller, id, userID)
	case actEnable:
		err = s.service.SetPersonState(ctx, v.caller, id, userID, portal.UserActive)
	case actDisable:
		err = s.service.SetPersonState(ctx, v.caller, id, userID, portal.UserDisabled)
	case actRemove:
		err, there = s.service.RemovePerson(ctx, v.caller, id, userID), string(portal.HistoryRemoved)
	case actReplace:
		_, err = s.service.InviteInstead(ctx, v.caller, id)
		there = "sent"
	case actErase:
		err, there = s.service.ErasePerson(ctx, v.caller, id, userID), string(portal.HistoryErased)
	default:
		return s.nowhere(v)
	}
	if err != nil && !errors.Is(err, portal.ErrPersonUnchanged) {
		return v.settled(id, "", err)
	}
	if there != "" {
		return v.settled(id, there, nil)
	}
	return v.redirect(v.personPath(id, userID))
}

// erasePage is where a person ends their own sign-in for good.
type erasePage struct {
	portalPage
	form
	// Gated is set for who has the agreement in force yet to accept: the page leads
	// back to it, and shows nothing of the portal.
	Gated bool
}

func (s *Web) eraseRoutes() []publicRoute {
	return []publicRoute{
		{"GET /security/erase", signedIn, s.eraseForm},
		{"POST /security/erase", signedIn, s.eraseMyself},
	}
}

func (s *Web) eraseForm(v *visit) error { return v.erasePage(http.StatusOK, nil) }

func (v *visit) erasePage(status int, f *web.Form) error {
	p := erasePage{
		portalPage: v.portalPage(v.T("erase.title"), "false"), form: newForm(f, "current"), Gated: v.session.AgreementPending,
	}
	p.SignOut = v.Path("/sign-out")
	return v.web.pages.erase.Render(v.w, v.r, status, p)
}

// eraseMyself is **Erase my sign-in**.
func (s *Web) eraseMyself(v *visit) error {
	f, err := web.ParseForm(v.w, v.r)
	if err != nil {
		return err
	}
	err = v.required(f, "current")
	if err == nil {
		err = s.service.EraseMyself(v.r.Context(), v.caller, v.cookie(cookieSession), f.Value("current"))
	}
	switch {
	case err != nil && v.fail(f, err, afterTries()):
		return v.erasePage(web.StatusOf(codeOf(err)), f)
	case err != nil:
		return err
	}
	v.dropSession()
	v.dropCookie(cookieProfile)
	v.dropCookie(cookieDevice)
	v.session = portal.SessionView{} // it is gone, and with it what Sign out would end
	return v.message(http.StatusOK, messagePage{Icon: "check", Heading: v.T("erase.done.title"), Lead: v.Rich("erase.done.lead", "Biller", v.Name())})
}
