// Package web draws the staff pages of the reference platform, signs staff in,
// and frames the pages of add-ons.
package web

import (
	"context"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/store"
	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/password"
	sdkweb "github.com/billing-addons/customer-portal/sdk/web"
)

// Addons is what pages ask of the host.
type Addons interface {
	// Slots returns what add-ons have in a slot for this person.
	Slots(ctx context.Context, staff addon.Staff, slot string) ([]addon.SlotView, error)
	// Draw returns the fragment of one add-on; a notice and the error if it
	// cannot be had.
	Draw(r *http.Request, staff addon.Staff, v addon.SlotView, params url.Values) (template.HTML, error)
	// Operations returns what operators did to an add-on, or to all if it has no
	// id; PermissionDenied for those who are none.
	Operations(ctx context.Context, by addon.Staff, addonID string) ([]addon.Operation, error)
}

// Config is what a Server needs. All fields but Mails are required.
type Config struct {
	Store *store.Store
	Log   *slog.Logger
	// Now is the clock.
	Now func() time.Time
	// Secure says that browsers come over HTTPS.
	Secure bool
	// TrustedProxies are whose word on a person's address counts.
	TrustedProxies []netip.Prefix
	// Dev adds how to sign in on a developer's machine.
	Dev bool
	// Mails, if set, answers /dev/mail and what is below.
	Mails http.Handler
	// Passwords hashes those of staff; nil means a password.Hasher of its own.
	Passwords Passwords
	// Ready tells whether add-ons run; nil means they do.
	Ready func(ctx context.Context) error
}

// Server is the staff surface. Make it with New, and Attach the host before the
// first request.
type Server struct {
	Config
	addons Addons
	static string
	pages  pages
	// refusals list what staff were refused, publicly what others were: a flood of
	// these hides none of those.
	refusals, publicly *refusal.Log
}

//go:embed templates
var templates embed.FS

// New parses and checks every template.
func New(c Config) (*Server, error) {
	files, err := fs.Sub(templates, "templates")
	if err != nil {
		return nil, fmt.Errorf("open templates: %w", err)
	}
	if c.Passwords == nil {
		c.Passwords = password.New(password.Config{Product: []string{"Billhost", "Customer Portal"}})
	}
	s := &Server{Config: c, static: "/static/" + sdkweb.AssetsHash() + "/", refusals: refusal.New(c.Log, c.Now), publicly: refusal.New(c.Log, c.Now)}
	if s.pages, err = newPages(files); err != nil {
		return nil, err
	}
	return s, nil
}

// Attach hands over the host, whose frame this server is.
func (s *Server) Attach(a Addons) { s.addons = a }

// route is one line of the table of routes.
type route struct {
	pattern string
	handle  handler
	need    need
}

// handler answers a signed-in person.
type handler func(w http.ResponseWriter, r *http.Request, staff books.Staff) error

// staffRoutes are the pages for signed-in staff.
func (s *Server) staffRoutes() []route {
	return []route{
		{"GET /admin/{$}", s.overview, need{}},
		{"GET /admin/account", s.account, need{}},
		{"POST /admin/account/password", s.savePassword, need{}},
		{"POST /admin/account/sessions/end", s.endSession, need{}},
		{"POST /admin/account/sessions/others", s.endOthers, need{}},
		{"GET /admin/customers", s.customerList, need{}},
		{"GET /admin/customers/new", s.customerNew, editing()},
		{"POST /admin/customers/new", s.customerCreate, editing()},
		{"GET /admin/customers/{id}", s.customer, need{}},
		{"GET /admin/customers/{id}/edit", s.customerEdit, editing()},
		{"POST /admin/customers/{id}/edit", s.customerUpdate, editing()},
		{"POST /admin/customers/{id}/archive", s.customerArchive(true), editing()},
		{"POST /admin/customers/{id}/unarchive", s.customerArchive(false), editing()},
		{"GET /admin/invoices/{id}", s.invoice, need{}},
		{"GET /admin/reports/customers", s.report, need{}},
		{"GET /admin/audit", s.audit, auditing()},
		{"POST /admin/audit/export", s.auditExport, auditing()},
	}
}

// publicRoutes are open to everybody.
func (s *Server) publicRoutes() map[string]sdkweb.HandlerFunc {
	routes := s.signInRoutes()
	maps.Copy(routes, map[string]sdkweb.HandlerFunc{
		"GET /{$}":     redirect("/admin/"),
		"GET /admin":   redirect("/admin/"),
		"GET /healthz": s.healthz,
		"GET /readyz":  s.readyz,
	})
	return routes
}

// Routes returns the patterns of all pages, "METHOD /path/{id}", for checks that
// are about each of them.
func (s *Server) Routes() []string {
	var all []string
	for _, r := range s.staffRoutes() {
		all = append(all, r.pattern)
	}
	return slices.Sorted(slices.Values(slices.AppendSeq(all, maps.Keys(s.publicRoutes()))))
}

// Handler serves the platform's own pages and leaves every other path to next,
// the host. Staff paths that nobody knows get the platform's "not found".
func (s *Server) Handler(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.staffRoutes() {
		mux.Handle(r.pattern, s.page(s.signedIn(r)))
	}
	for pattern, h := range s.publicRoutes() {
		mux.Handle(pattern, s.page(h))
	}
	mux.Handle("GET "+s.static, sdkweb.ServeAssets(s.static))
	if s.Mails != nil {
		mux.Handle("/dev/mail", s.Mails)
		mux.Handle("/dev/mail/", s.Mails)
	}
	mux.Handle("/admin/customers/", s.page(s.signedIn(route{handle: notFound})))
	mux.Handle("/admin/invoices/", s.page(s.signedIn(route{handle: notFound})))
	mux.Handle("/admin/reports/", s.page(s.signedIn(route{handle: notFound})))
	mux.Handle("/", next)
	return s.outer(mux)
}

// short is the beginning of a text, of so many bytes at most: whole letters.
func short(text string, most int) string {
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}

func redirect(to string) sdkweb.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return nil
	}
}

// healthz answers 200 as long as the process serves.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("ok\n"))
	return err
}

// readyz answers 200 while the database answers and every add-on that is
// switched on runs; 503 otherwise. One broken add-on is enough for 503, though
// the platform's own pages go on working: use it to wait for a start or a
// rollout, and healthz to decide whether to restart the process.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		return s.notReady(w, r, "database", err)
	}
	if s.Ready != nil {
		if err := s.Ready(ctx); err != nil {
			return s.notReady(w, r, "add-ons", err)
		}
	}
	return s.healthz(w, r)
}

func (s *Server) notReady(w http.ResponseWriter, r *http.Request, what string, err error) error {
	s.Log.WarnContext(r.Context(), "not ready", "what", what, "error", err.Error())
	http.Error(w, "not ready: "+what, http.StatusServiceUnavailable)
	return nil
}
