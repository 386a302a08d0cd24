package web

import (
	"net/http"
	"slices"

	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// access says who may use a public route.
type access int

const (
	// member needs a signed-in person who accepted the agreement in force.
	member access = iota
	// signedIn needs a signed-in person, who may have the agreement in force yet to
	// accept: what people have a right to without agreeing.
	signedIn
	// anyone is for pages before sign-in; they check what they need themselves.
	anyone
)

type publicRoute struct {
	pattern string
	access  access
	handle  func(*visit) error
}

func (s *Web) publicRoutes() []publicRoute {
	return slices.Concat(s.memberRoutes(), s.signInRoutes(), s.resetRoutes(), s.securityRoutes(), s.accessRoutes(), s.eraseRoutes(), s.signUpRoutes(), s.openRoutes(), []publicRoute{{"/", anyone, s.nowhere}})
}

func (s *Web) memberRoutes() []publicRoute {
	return []publicRoute{
		{"GET /{$}", member, s.home},
		{"GET /invoices/{id}", member, s.invoice},
		{"POST /profile", member, s.switchProfile},
		{"POST /offers/{id}/add", member, s.addOffer},
		{"POST /offers/all", member, s.addAllOffers},
		{"POST /matches/{id}/add", member, s.addMatch},
		{"POST /matches/{id}/dismiss", member, s.dismissMatch},
	}
}

func (s *Web) signInRoutes() []publicRoute {
	return []publicRoute{
		{"GET /sign-in", anyone, s.signInForm},
		{"POST /sign-in", anyone, s.signIn},
		{"POST /sign-out", anyone, s.signOut},
		{"GET /agreement", anyone, s.agreement},
	}
}

func (s *Web) signUpRoutes() []publicRoute {
	return []publicRoute{
		{"GET /welcome/{token}", anyone, s.invitation},
		{"POST /welcome/{token}", anyone, s.register},
		{"POST /welcome/{token}/new-link", anyone, s.newLink},
		{"POST /welcome/{token}/switch", anyone, s.switchPerson},
		{"GET /sign-up/profile", anyone, s.profileForm},
		{"POST /sign-up/profile", anyone, s.chooseProfile},
		{"GET /sign-up/confirm", anyone, s.confirmForm},
		{"POST /sign-up/confirm", anyone, s.confirm},
		{"POST /sign-up/resend", anyone, s.resend},
		{"GET /confirm/{token}", anyone, s.confirmLinkForm},
		{"POST /confirm/{token}", anyone, s.confirmLink},
		{"POST /confirm/{token}/new-link", anyone, s.newInvitation},
		{"GET /sign-up/agreement", anyone, s.acceptForm},
		{"POST /sign-up/agreement", anyone, s.accept},
		{"POST /sign-up/decline", anyone, s.decline},
	}
}

type staffRoute struct {
	pattern string
	ability string
	handle  func(*visit) error
}

func (s *Web) staffRoutes() []staffRoute {
	return slices.Concat(s.agreementStaffRoutes(), s.peopleRoutes(), []staffRoute{
		{"GET /{$}", portal.AbilityInvite, s.addon},
		{"GET /customers/{id}", portal.AbilityInvite, s.customerPage},
		{"POST /customers/{id}/invite", portal.AbilityInvite, s.invite},
		{"POST /customers/{id}/link", portal.AbilityInvite, s.mintLink},
		{"POST /customers/{id}/revoke", portal.AbilityInvite, s.revoke},
		{"GET /registrations", portal.AbilityReport, s.registrationsPage},
		{"GET /registrations/download", portal.AbilityReport, s.registrationsCSV},
		{"/", portal.AbilityInvite, s.nowhere},
	})
}

func (s *Web) slotRoutes() []staffRoute {
	return []staffRoute{
		{"GET /customer", portal.AbilityInvite, s.customerTab},
		{"GET /registrations", portal.AbilityReport, s.registrations},
		{"/", portal.AbilityInvite, s.nowhere},
	}
}

// public wraps a route for customers: the visit, who is signed in, the errors.
func (s *Web) public(route publicRoute) http.Handler {
	return web.Handle(s.log, s.publicProblem, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		v, err := s.visit(w, r)
		if err != nil {
			return err
		}
		if route.access != anyone {
			if done, err := v.needSession(route.access); done || err != nil {
				return err
			}
		}
		return v.told(route.handle(v))
	})
}

// staff wraps a route for staff, who need the route's ability.
func (s *Web) staff(route staffRoute) http.Handler {
	return web.Handle(s.log, s.staffProblem, func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Cache-Control", "no-store")
		v, err := s.visit(w, r)
		if err != nil {
			return err
		}
		if !v.caller.Can(route.ability) {
			return apperr.Errorf(apperr.PermissionDenied, "%s", v.T("staff.denied"))
		}
		return v.told(route.handle(v))
	})
}

func (s *Web) nowhere(v *visit) error {
	return apperr.Errorf(apperr.NotFound, "%s", v.T("message.notfound.title"))
}
