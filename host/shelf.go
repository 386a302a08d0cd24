package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// shelf knows the unpacked package of each add-on that the platform runs. Pages
// ask it at every request, so it answers from memory and follows the database
// when it is told to.
type shelf struct {
	active func(ctx context.Context) ([]addon.Active, error)
	market marketplace.Source
	// dir holds unpacked packages, each in a folder named by its digest.
	dir string
	log *slog.Logger
	// nudge makes follow look at once.
	nudge chan struct{}

	mu       sync.RWMutex
	told     map[string]*nag // of packages that cannot be had, by add-on
	packages []*pack.Package
	pages    []pages.Addon
}

// refresh reads which versions are active. A package that is not on this machine
// yet is fetched; one that cannot be had is left out and logged.
func (s *shelf) refresh(ctx context.Context) error {
	list, err := s.active(ctx)
	if err != nil {
		return err
	}
	known := map[string]*pack.Package{}
	for _, p := range s.all() {
		known[p.Digest] = p
	}
	var packages []*pack.Package
	var shown []pages.Addon
	for _, a := range list {
		p := known[a.Digest]
		if p == nil {
			if p, err = s.open(ctx, a); err != nil {
				if s.absent(a.AddonID, err) {
					s.log.ErrorContext(ctx, "package of an add-on cannot be had", "addon", a.AddonID, "digest", a.Digest, "error", err.Error())
				}
				continue
			}
		}
		s.absent(a.AddonID, nil)
		packages = append(packages, p)
		shown = append(shown, s.shown(p, a.Previous))
	}
	s.mu.Lock()
	s.packages, s.pages = packages, shown
	s.mu.Unlock()
	return nil
}

// absent remembers that a package could not be had, or could, and tells whether the
// log is to tell.
func (s *shelf) absent(addonID string, err error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.told == nil {
		s.told = map[string]*nag{}
	}
	if s.told[addonID] == nil {
		s.told[addonID] = &nag{}
	}
	return s.told[addonID].due(err)
}

// shown is what pages know of a package. Browsers that show a page of the version
// before still ask for its static files.
func (s *shelf) shown(p *pack.Package, before addon.Version) pages.Addon {
	a := pages.Addon{Manifest: p.Manifest, Digest: p.Digest, StaticDir: staticDir(p)}
	if before.Digest == "" {
		return a
	}
	if old, err := pack.Open(filepath.Join(s.dir, before.Digest)); err == nil {
		a.PreviousDigest, a.PreviousStaticDir = old.Digest, staticDir(old)
	}
	return a
}

// fetch makes sure that a version is unpacked.
func (s *shelf) fetch(ctx context.Context, addonID string, v addon.Version) error {
	_, err := s.open(ctx, addon.Active{AddonID: addonID, Version: v.Version, Digest: v.Digest})
	return err
}

// wake makes follow look at once.
func (s *shelf) wake() {
	select {
	case s.nudge <- struct{}{}:
	default:
	}
}

// open returns the unpacked package of an active version.
func (s *shelf) open(ctx context.Context, a addon.Active) (*pack.Package, error) {
	p, err := pack.Open(filepath.Join(s.dir, a.Digest))
	if !errors.Is(err, fs.ErrNotExist) {
		return p, err
	}
	if p, err = marketplace.Unpack(ctx, s.market, a.AddonID, a.Version, s.dir); err != nil {
		return nil, err
	}
	if p.Digest != a.Digest {
		return nil, fmt.Errorf("marketplace offers %s %s with digest %s", a.AddonID, a.Version, p.Digest)
	}
	return p, nil
}

func (s *shelf) all() []*pack.Package {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.packages
}

// manifest returns that of the active version.
func (s *shelf) manifest(id string) (*manifest.Manifest, bool) {
	for _, p := range s.all() {
		if p.Manifest.ID == id {
			return p.Manifest, true
		}
	}
	return nil, false
}

// addressFree returns Conflict if another add-on has the address of m's public pages:
// one that took it over would stand between all billers and their customers.
func (s *shelf) addressFree(m *manifest.Manifest) error {
	prefix := m.Pages.Public.Prefix
	for _, p := range s.all() {
		if other := p.Manifest; prefix != "" && other.ID != m.ID && other.Pages.Public.Prefix == prefix {
			return apperr.Errorf(apperr.Conflict, "%s %s cannot run here: its pages' address /%s/ belongs to the add-on %s.", m.Name, m.Version, prefix, other.Name)
		}
	}
	return nil
}

var _ pages.Addons = (*shelf)(nil)

// Active implements pages.Addons.
func (s *shelf) Active() []pages.Addon {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.pages
}

func staticDir(p *pack.Package) string {
	dir := p.Path("static")
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// follow refreshes until ctx ends: another process may have chosen.
func (s *shelf) follow(ctx context.Context) error {
	again := time.NewTicker(2 * time.Second)
	defer again.Stop()
	told := nag{}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		case <-s.nudge:
		}
		if err := s.refresh(ctx); told.due(err) && ctx.Err() == nil {
			s.log.WarnContext(ctx, "active add-ons cannot be read", "error", err.Error())
		}
	}
}
