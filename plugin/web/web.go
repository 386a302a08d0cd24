// Package web is the portal's pages: those for customers, those for the biller's
// staff, and the fragments for the platform's own pages.
//
// A handler parses, calls portal.Service once or twice, and renders a page or
// redirects. Which routes there are, and who may use them, stands in route.go.
package web

import (
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/billing-addons/customer-portal/plugin/catalogue"
	"github.com/billing-addons/customer-portal/plugin/document"
	"github.com/billing-addons/customer-portal/plugin/portal"
	"github.com/billing-addons/customer-portal/sdk"
)

// Config is what the pages need. Every field is required.
type Config struct {
	Service *portal.Service
	Host    sdk.Host
	Texts   *catalogue.Catalogue
	Log     *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// Web makes the handlers of all surfaces.
type Web struct {
	service *portal.Service
	host    sdk.Host
	texts   *catalogue.Catalogue
	log     *slog.Logger
	now     func() time.Time
	pages   pages
	// documents reads and draws the user agreement.
	documents *document.Renderer
}

// New parses and checks every template.
func New(c Config) (*Web, error) {
	if c.Service == nil || c.Texts == nil || c.Log == nil || c.Now == nil {
		return nil, errors.New("web: a required field of Config is missing")
	}
	p, err := newPages(c.Texts)
	if err != nil {
		return nil, err
	}
	return &Web{service: c.Service, host: c.Host, texts: c.Texts, log: c.Log, now: c.Now, pages: p, documents: document.New()}, nil
}

// Public answers the customers' pages (sdk.Parts.Public).
func (s *Web) Public() http.Handler {
	mux := http.NewServeMux()
	for _, route := range s.publicRoutes() {
		mux.Handle(route.pattern, s.public(route))
	}
	return mux
}

// Staff answers the staff's pages (sdk.Parts.Staff).
func (s *Web) Staff() http.Handler { return s.staffMux(s.staffRoutes()) }

// Slots answers the fragments for the platform's own pages (sdk.Parts.Slots).
func (s *Web) Slots() http.Handler { return s.staffMux(s.slotRoutes()) }

func (s *Web) staffMux(routes []staffRoute) http.Handler {
	mux := http.NewServeMux()
	for _, route := range routes {
		mux.Handle(route.pattern, s.staff(route))
	}
	return mux
}
