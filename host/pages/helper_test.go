package pages_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/pages"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	staffOrigin  = "https://staff.example"
	portalOrigin = "https://pay.example"
	staticBase   = "/addon-static/demo/0123456789ab"
)

// platform is a fake with four billers, northwind and eastside (demo installed),
// southgate (demo suspended) and bare, without it.
type platform struct {
	staff func(*http.Request) (addon.Staff, error)
}

func (platform) Biller(_ context.Context, id string) (sdk.Biller, error) {
	return sdk.Biller{ID: id, Slug: id, Name: "Northwind", Brand: "#0b6b8a", OnBrand: "#ffffff", Phone: "555-0142", Locale: "en-US"}, nil
}

func (p platform) BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error) {
	if !slices.Contains([]string{"northwind", "southgate", "bare", "eastside"}, slug) {
		return sdk.Biller{}, apperr.Errorf(apperr.NotFound, "no biller")
	}
	return p.Biller(ctx, slug)
}

func (p platform) StaffFrom(r *http.Request) (addon.Staff, error) {
	if p.staff == nil {
		return addon.Staff{}, apperr.Errorf(apperr.Unauthenticated, "sign in")
	}
	return p.staff(r)
}

func (platform) Frame(w http.ResponseWriter, _ *http.Request, p addon.Page) {
	w.Header().Set("Content-Type", "text/html")
	w.WriteHeader(max(p.Status, 200))
	fmt.Fprintf(w, "[%s|%s]%s", p.Title, p.Active, p.Body)
}

type addons []pages.Addon

func (a addons) Active() []pages.Addon { return a }

type installations struct{}

func (installations) Installation(_ context.Context, biller, addonID string) (addon.Installation, error) {
	state, ok := map[string]addon.State{"northwind": addon.Enabled, "southgate": addon.Suspended, "eastside": addon.Enabled}[biller]
	if !ok || addonID != "demo" {
		return addon.Installation{}, apperr.Errorf(apperr.NotFound, "not installed")
	}
	permissions := []string{"customers:read"}
	if biller == "northwind" {
		permissions = append(permissions, "billers:read")
	}
	return addon.Installation{BillerID: biller, AddonID: addonID, State: state, Permissions: permissions}, nil
}

// tokens counts those that live.
type tokens struct {
	mu     sync.Mutex
	grants []pages.Grant
	alive  int
}

func (t *tokens) Issue(g pages.Grant) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.grants = append(t.grants, g)
	t.alive++
	return fmt.Sprintf("token-%d", len(t.grants))
}

func (t *tokens) Revoke(string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.alive--
}

// client answers with an http.Handler, as an add-on would.
type client func(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error

func (c client) Serve(ctx context.Context, id string, p wire.PageRequest, onHead wire.OnHead) error {
	return c(ctx, id, p, onHead)
}

// answer returns a client that answers one response.
func answer(status int, header http.Header, body string) client {
	return func(_ context.Context, _ string, _ wire.PageRequest, onHead wire.OnHead) error {
		b, err := onHead(status, header)
		if err != nil {
			return fmt.Errorf("head: %w", err)
		}
		_, err = b.Write([]byte(body))
		return err
	}
}

func html(body string) client {
	return answer(200, http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body)
}

func demo(tb testing.TB) pages.Addon {
	tb.Helper()
	dir := tb.TempDir()
	for name, content := range map[string]string{"app.css": "body{}", "page.html": "<p>", "app.abc123.svg": "<svg/>"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return pages.Addon{Digest: "0123456789abcdef", StaticDir: dir, Manifest: &manifest.Manifest{
		ID: "demo", Name: "Demo", RedirectOrigins: []string{"https://bank.example"},
		Abilities: []manifest.Ability{{Name: "staff:invite"}, {Name: "staff:configure"}},
		Pages: manifest.Pages{
			Public: manifest.PublicPages{Prefix: "portal"},
			Staff:  []manifest.StaffPage{{Path: "/", Title: "Demo", Ability: "staff:invite"}, {Path: "/settings", Title: "Settings", Ability: "staff:configure"}},
		},
		Slots: []manifest.Slot{
			{Name: "nav.addons", Title: "Demo", Path: "/", Ability: "staff:invite"},
			{Name: "customer.tab", Title: "Demo", Path: "/customer", Ability: "staff:invite"},
			{Name: "report.section", Title: "Numbers", Path: "/numbers", Ability: "staff:configure"},
		},
	}}
}

// MustHandler returns a boundary around one fake add-on.
func MustHandler(tb testing.TB, c client, change ...func(*pages.Config)) (*pages.Handler, *tokens) {
	tb.Helper()
	tok := &tokens{}
	config := pages.Config{
		Addons: addons{demo(tb)}, Installations: installations{}, Tokens: tok, Client: c, Platform: platform{},
		Log: slog.New(slog.DiscardHandler), BaseURL: staffOrigin, PortalBaseURL: portalOrigin,
		StaffPath: "/admin", SignInPath: "/sign-in", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
	}
	for _, f := range change {
		f(&config)
	}
	h, err := pages.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return h, tok
}

func dana(abilities ...string) func(*pages.Config) {
	return func(c *pages.Config) {
		c.Platform = platform{staff: func(*http.Request) (addon.Staff, error) {
			return addon.Staff{ID: "s1", Name: "Dana", BillerID: "northwind", Abilities: abilities}, nil
		}}
	}
}
