// Package admin draws the staff pages of the host itself: the Add-ons
// Marketplace, a page for each add-on, what it asks for before it is installed, how
// the installation goes, and its removal.
// Every page stands inside the platform's frame.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Platform is the part of host.Platform that the pages call.
type Platform interface {
	Biller(ctx context.Context, biller string) (sdk.Biller, error)
	StaffFrom(r *http.Request) (addon.Staff, error)
	Frame(w http.ResponseWriter, r *http.Request, p addon.Page)
}

// Config is what the pages are made of; everything but Now is required.
type Config struct {
	Catalog       Catalog
	Installations Installations
	Installer     Installer
	Settings      Settings
	Runner        Runner
	Platform      Platform
	// Operator and Purger are behind the pages of operators and those that export
	// and delete data; a nil one has no pages.
	Operator Operator
	Purger   Purger
	Log      *slog.Logger
	// StaffPath is where the staff area hangs ("/admin"), SignInPath where
	// people sign in.
	StaffPath, SignInPath string
	// RemoteIP is the address that a request came from.
	RemoteIP func(r *http.Request) netip.Addr
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Handler serves {StaffPath}/marketplace and what is below.
type Handler struct {
	Config
	pages    *pages
	operator *operatorPages
	purging  *web.Page[purgePage]
	crossing *http.CrossOriginProtection
	refusals *refusal.Log
	mux      *http.ServeMux
}

// New parses and checks the templates.
func New(c Config) (*Handler, error) {
	if c.Catalog == nil || c.Installations == nil || c.Installer == nil || c.Settings == nil || c.Runner == nil || c.Platform == nil || c.Log == nil {
		return nil, errors.New("admin: Catalog, Installations, Installer, Settings, Runner, Platform and Log are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	operator, err := newOperatorPages()
	if err != nil {
		return nil, err
	}
	purging, err := newPurgePage()
	if err != nil {
		return nil, err
	}
	h := &Handler{Config: c, pages: p, operator: operator, purging: purging, crossing: http.NewCrossOriginProtection(), refusals: refusal.New(c.Log, c.Now), mux: http.NewServeMux()}
	for _, r := range h.routes() {
		h.mux.Handle(r.method+" "+h.home()+r.path, web.Handle(c.Log, h.problem, h.signedIn(r)))
	}
	h.mux.Handle("/", web.Handle(c.Log, h.problem, h.signedIn(route{handle: notFound})))
	return h, nil
}

// route is one line of the table of routes.
type route struct {
	method, path string
	handle       handler
	// ability is what the person must be able to; empty for all staff.
	ability string
}

// handler answers a signed-in person.
type handler func(w http.ResponseWriter, r *http.Request, staff addon.Staff) error

func (h *Handler) routes() []route {
	return slices.Concat(h.operatorRoutes(), h.purgeRoutes(), []route{
		{"GET", "", h.list, ""},
		{"GET", "/{id}", h.detail, ""},
		{"GET", "/{id}/icon", h.icon, ""},
		{"GET", "/{id}/install", h.consent, addon.AbilityInstall},
		{"POST", "/{id}/install", h.install, addon.AbilityInstall},
		{"GET", "/{id}/installing", h.installing, ""},
		{"GET", "/{id}/settings", h.settings, addon.AbilityConfigure},
		{"POST", "/{id}/settings", h.saveSettings, addon.AbilityConfigure},
		{"GET", "/{id}/remove", h.removeAsk, addon.AbilityInstall},
		{"POST", "/{id}/remove", h.remove, addon.AbilityInstall},
	})
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if web.RequestID(r.Context()) == "" {
		r = r.WithContext(web.WithRequestID(r.Context(), web.NewRequestID()))
	}
	h.mux.ServeHTTP(w, r)
}

// home is the marketplace's path.
func (h *Handler) home() string { return h.StaffPath + "/marketplace" }

func (h *Handler) signedIn(rt route) web.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		staff, err := h.Platform.StaffFrom(r)
		if err != nil {
			return err
		}
		if h.crossing.Check(r) != nil {
			h.refused(r, staff)
			return apperr.Errorf(apperr.PermissionDenied, "The form was sent from another website, so nothing was changed. Open the page here and try again.")
		}
		if rt.ability != "" && !staff.Can(rt.ability) {
			err = apperr.Errorf(apperr.PermissionDenied, "%s", unable(rt.ability))
		} else {
			err = rt.handle(w, r, staff)
		}
		if apperr.Is(err, apperr.PermissionDenied) {
			h.refused(r, staff)
		}
		return err
	}
}

// unable is what people are told who lack an ability.
func unable(ability string) string {
	if ability == addon.AbilityOperate {
		return "Only an operator of this platform may do this."
	}
	return "Your role does not allow this. Ask an owner."
}

// refused lists a request that was refused in the log; the platform, which draws the
// page that says so, may keep it in its audit.
func (h *Handler) refused(r *http.Request, staff addon.Staff) {
	h.refusals.Refused(r.Context(), h.why(r), "page", r.Pattern, "staff", staff.ID, "biller", staff.BillerID,
		"ip", h.RemoteIP(r).String())
}

// why says for what reason a request was refused that was.
func (h *Handler) why(r *http.Request) string {
	if h.crossing.Check(r) != nil {
		return refusal.Origin
	}
	return refusal.Role
}

func notFound(http.ResponseWriter, *http.Request, addon.Staff) error {
	return apperr.Errorf(apperr.NotFound, "The address may have a typing mistake.")
}

// problem draws an error inside the frame, or sends people to sign in.
func (h *Handler) problem(w http.ResponseWriter, r *http.Request, p web.Problem) {
	if p.Code == apperr.Unauthenticated {
		next := h.home()
		if r.Method == http.MethodGet && web.IsSafePath(r.URL.RequestURI(), h.StaffPath) {
			next = r.URL.RequestURI()
		}
		http.Redirect(w, r, h.SignInPath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
		return
	}
	page := problemPage{Problem: p, Home: h.home()}
	body, err := h.pages.problem.HTML(r, page)
	if err != nil {
		http.Error(w, p.Message, p.Status)
		return
	}
	out := addon.Page{Title: page.Heading(), Status: p.Status, Active: "marketplace", Body: body}
	if p.Code == apperr.PermissionDenied {
		out.Refused = h.why(r)
	}
	h.Platform.Frame(w, r, out)
}

// draw puts a page into the platform's frame.
func draw[T any](h *Handler, w http.ResponseWriter, r *http.Request, page *web.Page[T], title string, data T) error {
	body, err := page.HTML(r, data)
	if err != nil {
		return err
	}
	h.Platform.Frame(w, r, addon.Page{Title: title, Active: "marketplace", Body: body})
	return nil
}
