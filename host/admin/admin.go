// Package admin draws the staff pages of the host itself: the Add-ons
// Marketplace, what an add-on asks for before it is installed, and its removal.
// Every page stands inside the platform's frame.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// Offer is a version of an add-on that a biller may install.
type Offer struct {
	Manifest *manifest.Manifest
	// Size is that of the package, in bytes.
	Size int64
}

// Catalog knows what is offered.
type Catalog interface {
	// Offers returns one version of each add-on, ordered by name.
	Offers(ctx context.Context) ([]Offer, error)
}

// Installations knows which biller has which add-on.
type Installations interface {
	// Installation returns apperr.NotFound if there never was one.
	Installation(ctx context.Context, biller, addonID string) (addon.Installation, error)
}

// Installer switches add-ons on and off for a staff user's biller. The pages
// have checked the ability addons:install.
type Installer interface {
	// Install grants the permissions and has the add-on started. It does not
	// wait until the add-on runs.
	Install(ctx context.Context, staff addon.Staff, addonID string, permissions []string) error
	// Remove suspends the installation; its data stays.
	Remove(ctx context.Context, staff addon.Staff, addonID string) error
}

// Settings reads and saves what a staff user's biller has set. Both check that
// the person may and that the add-on is installed.
type Settings interface {
	Settings(ctx context.Context, staff addon.Staff, addonID string) (addon.SettingsState, error)
	// SaveSettings keeps all of the change or nothing: Invalid with the keys to
	// blame, Conflict if somebody else has saved, Unavailable if the add-on cannot
	// check it just now.
	SaveSettings(ctx context.Context, staff addon.Staff, addonID string, c addon.SettingsChange) error
}

// Runner knows how running add-ons are.
type Runner interface {
	// Health returns nil if the add-on runs and answers.
	Health(ctx context.Context, addonID string) error
	// Await returns nil as soon as the add-on runs and knows its billers; an error
	// if it failed or ctx ends before.
	Await(ctx context.Context, addonID string) error
}

// Platform is the part of host.Platform that the pages call.
type Platform interface {
	Biller(ctx context.Context, biller string) (sdk.Biller, error)
	StaffFrom(r *http.Request) (addon.Staff, error)
	Frame(w http.ResponseWriter, r *http.Request, p addon.Page)
}

// Config is what the pages are made of; everything but StartWait is required.
type Config struct {
	Catalog       Catalog
	Installations Installations
	Installer     Installer
	Settings      Settings
	Runner        Runner
	Platform      Platform
	Log           *slog.Logger
	// StaffPath is where the staff area hangs ("/admin"), SignInPath where
	// people sign in.
	StaffPath, SignInPath string
	// StartWait is how long Agree and install waits for the add-on before it
	// shows a page that says so; 0 means 20 s.
	StartWait time.Duration
}

// Handler serves {StaffPath}/marketplace and what is below.
type Handler struct {
	Config
	pages    *pages
	crossing *http.CrossOriginProtection
	mux      *http.ServeMux
}

// New parses and checks the templates.
func New(c Config) (*Handler, error) {
	if c.Catalog == nil || c.Installations == nil || c.Installer == nil || c.Settings == nil || c.Runner == nil || c.Platform == nil || c.Log == nil {
		return nil, errors.New("admin: Catalog, Installations, Installer, Settings, Runner, Platform and Log are required")
	}
	if c.StartWait == 0 {
		c.StartWait = 20 * time.Second
	}
	p, err := newPages()
	if err != nil {
		return nil, err
	}
	h := &Handler{Config: c, pages: p, crossing: http.NewCrossOriginProtection(), mux: http.NewServeMux()}
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
	// install marks what needs the ability addons:install.
	install bool
}

// handler answers a signed-in person.
type handler func(w http.ResponseWriter, r *http.Request, staff addon.Staff) error

func (h *Handler) routes() []route {
	return []route{
		{"GET", "", h.list, false},
		{"GET", "/{id}", h.detail, false},
		{"POST", "/{id}/install", h.install, true},
		{"GET", "/{id}/starting", h.starting, false},
		{"GET", "/{id}/settings", h.settings, false},
		{"POST", "/{id}/settings", h.saveSettings, false},
		{"GET", "/{id}/remove", h.removeAsk, true},
		{"POST", "/{id}/remove", h.remove, true},
	}
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
		switch {
		case err != nil:
			return err
		case h.crossing.Check(r) != nil:
			return apperr.Errorf(apperr.PermissionDenied, "The form was sent from another website, so nothing was changed. Open the page here and try again.")
		case rt.install && !staff.Can(addon.AbilityInstall):
			return apperr.Errorf(apperr.PermissionDenied, "Your role does not allow this. Ask an owner.")
		}
		return rt.handle(w, r, staff)
	}
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
	h.Platform.Frame(w, r, addon.Page{Title: page.Heading(), Status: p.Status, Active: "marketplace", Body: body})
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
