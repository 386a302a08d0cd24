// Package host is the runtime that a billing platform embeds to load add-ons.
//
// A platform implements Platform, hands it to New, mounts Handler as the
// fallback of its own routes and calls Run:
//
//	h, err := host.New(ctx, config, platform)
//	mux.Handle("/", h.Handler())
//	go h.Run(ctx)
//
// What add-ons draw inside the platform's own pages comes from Slots and Draw,
// and Publish tells them what changes in the books.
package host

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/host/observe"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/host/services"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Host runs add-ons for a platform. It is safe for concurrent use.
type Host struct {
	config   Config
	platform Platform

	db       *sqldb.DB
	store    *store.Store
	mailer   *mail.Sender
	services *services.Services
	shelf    *shelf
	fleet    *supervisor.Supervisor
	pages    *pages.Handler
	admin    *admin.Handler
	metrics  *observe.Metrics
	tracer   *observe.Tracer // nil where nothing is traced
	vault    vault

	installs *installs
	choosing sync.Mutex // held while an add-on is made one that the platform runs

	purges *purges
	lease  time.Duration      // of a purge
	fault  func(point string) // nil outside tests
}

// New opens the host's database, migrates it in Dev and refuses a stale schema
// otherwise, and prepares everything; it starts no add-on. Close what it returns.
func New(ctx context.Context, c Config, p Platform) (_ *Host, err error) {
	if c, err = c.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("make DataDir: %w", err)
	}
	h := &Host{config: c, platform: p, installs: newInstalls(), purges: newPurges(), lease: purgeLease}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	for _, step := range []func(context.Context) error{h.openStore, h.openMetrics, h.openVault, h.openServices, h.openFleet, h.openStates, h.openPages} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if c.AddonUsers.On() {
		if err := supervisor.LetPass(c.DataDir, "packages", "run", "addons"); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *Host) openStore(ctx context.Context) (err error) {
	if h.db, err = sqldb.Open(ctx, h.config.Database); err != nil {
		return err
	}
	schema, err := store.Migrations()
	if err != nil {
		return err
	}
	prepare := sqldb.Check
	if h.config.Dev {
		prepare = sqldb.Migrate
	}
	if err := prepare(ctx, h.db, schema); err != nil {
		return err
	}
	h.store = store.New(h.db, h.config.Now)
	h.shelf = &shelf{
		active: h.store.Active, market: h.config.Marketplace,
		dir: filepath.Join(h.config.DataDir, "packages"), log: h.config.Log,
		nudge: make(chan struct{}, 1),
	}
	return h.shelf.refresh(ctx)
}

// Migrate brings the host's own schema up to date, for a platform's migrate
// command.
func Migrate(ctx context.Context, at sqldb.Config) (err error) {
	db, err := sqldb.Open(ctx, at)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	schema, err := store.Migrations()
	if err != nil {
		return err
	}
	return sqldb.Migrate(ctx, db, schema)
}

func (h *Host) openServices(context.Context) (err error) {
	smtp := h.config.SMTP
	if smtp.Key, err = h.config.derive("message-id"); err != nil {
		return err
	}
	smtp.Log = cmp.Or(smtp.Log, h.config.Log)
	if h.mailer, err = mail.New(smtp); err != nil {
		return err
	}
	recipients, err := h.config.derive("recipients")
	if err != nil {
		return err
	}
	h.services = services.New(services.Config{
		Platform: h.platform, Store: h.store, Mailer: h.mailer, PortalURL: h.portalURL, StaffURL: h.staffURL,
		PlatformName: smtp.PlatformName, Key: recipients, Log: h.config.Log, Now: h.config.Now,
		Meter: h.metrics,
	})
	return nil
}

func (h *Host) openPages(context.Context) (err error) {
	c := h.config
	h.pages, err = pages.New(pages.Config{
		Addons: h.shelf, Installations: h.store, Tokens: tokens{h.services}, Client: client{h.fleet}, Platform: h.platform,
		Log: c.Log, BaseURL: c.BaseURL, PortalBaseURL: c.PortalBaseURL, StaffPath: c.StaffPath, SignInPath: c.SignInPath,
		TrustedProxies: c.TrustedProxies, Meter: h.metrics, CompressedDir: filepath.Join(c.DataDir, "compressed"), Now: c.Now,
	})
	if err != nil {
		return err
	}
	h.admin, err = admin.New(admin.Config{
		Catalog: catalog{h}, Installations: h.store, Installer: h, Settings: h, Runner: runner{h}, Platform: h.platform, Operator: operatorPages{h}, Purger: h,
		Log: c.Log, StaffPath: c.StaffPath, SignInPath: c.SignInPath, Now: c.Now,
		RemoteIP: func(r *http.Request) netip.Addr { return pages.RemoteIP(r, c.TrustedProxies) },
	})
	return err
}

// Handler serves the marketplace and the staff pages of add-ons below StaffPath,
// their static files below /addon-static/, and everything else as public pages
// of add-ons: mount it as the fallback. It answers what is not there with one
// page. Where BaseURL is https, every answer carries HSTS, for BaseURL's host name
// and those below it. An add-on may take 30 seconds to begin an answer, and an export
// takes what its add-on needs: give the server a longer write timeout, and one for
// reading.
func (h *Host) Handler() http.Handler {
	staff, static, public := h.pages.Staff(), h.pages.Static(), h.pages.Public()
	market, addons := h.config.StaffPath+"/marketplace", h.config.StaffPath+"/addons/"
	https := strings.HasPrefix(h.config.BaseURL, "https://")
	return pages.Strict(https, h.Observe(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, addons):
			staff.ServeHTTP(w, r)
		case p == market || strings.HasPrefix(p, market+"/"):
			h.pages.OnStaffHost(h.admin).ServeHTTP(w, r)
		case strings.HasPrefix(p, pages.StaticPath):
			static.ServeHTTP(w, r)
		default:
			public.ServeHTTP(w, r)
		}
	})))
}

// Run starts the add-ons that are switched on, keeps them running and follows
// what is installed and removed, until ctx ends; then it stops them and returns
// nil. In Dev it begins with the newest builds that are offered; otherwise it
// first conceals this process from the add-ons: their user's other processes can
// no longer read its memory, and no debugger can.
func (h *Host) Run(ctx context.Context) error {
	if h.config.Dev {
		if err := h.takeNewBuilds(ctx); err != nil {
			return err
		}
	} else { // in Dev a debugger may have to be attached
		if err := supervisor.Conceal(); err != nil {
			return err
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	ended := make(chan struct{})
	group.Go(func() error {
		defer close(ended)
		return h.fleet.Run(ctx)
	})
	group.Go(func() error { return h.report(ctx, ended) })
	group.Go(func() error { return h.shelf.follow(ctx) })
	group.Go(func() error { return h.listen(ctx) })
	group.Go(func() error { return h.followPurges(ctx) })
	group.Go(func() error { return h.followExports(ctx) })
	group.Go(func() error { return h.shelf.keepTidy(ctx, time.Now) })
	return group.Wait()
}

// Close releases what New opened, and ends installations under way. Call it after
// Run has returned.
func (h *Host) Close() error {
	var errs []error
	h.installs.close()
	if h.metrics != nil {
		errs = append(errs, h.metrics.Close())
	}
	if h.mailer != nil {
		errs = append(errs, h.mailer.Close())
	}
	if h.db != nil {
		errs = append(errs, h.db.Close())
	}
	return errors.Join(errs...)
}

// Slots returns what add-ons have in a place of the platform's pages, for the
// staff user's biller and as far as the staff user may see it. It asks no add-on.
func (h *Host) Slots(ctx context.Context, staff addon.Staff, slot string) ([]addon.SlotView, error) {
	return h.pages.Slots(ctx, staff, slot)
}

// Draw returns the fragment of one slot, filtered and safe to put into a page.
// params are the slot's: "customer" for addon.SlotCustomerTab, and whatever the
// page's own query holds. If the add-on cannot answer, the fragment is a small
// notice, and the error is for the platform's log. NotFound, with no fragment, if
// the staff user may not see the slot.
func (h *Host) Draw(r *http.Request, staff addon.Staff, v addon.SlotView, params url.Values) (template.HTML, error) {
	return h.pages.Draw(r, staff, v, params)
}

// viewer tells an add-on which staff user calls, with the abilities it names.
func (h *Host) viewer(s addon.Staff, addonID string) sdk.Viewer {
	m, ok := h.shelf.manifest(addonID)
	return s.Viewer(func(ability string) bool { return ok && m.HasAbility(ability) })
}
