// Package pages is the boundary between browsers and add-ons. It decides which
// add-on a request is for, takes away what a client may not say, passes it on
// over one stream, and lets back only what an add-on may answer.
//
// Three surfaces cross it: public pages below /{prefix}/{slug}/, staff pages
// below /admin/addons/{id}/, and slots, which are fragments inside the
// platform's own pages.
package pages

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Addon is the active version of an add-on, as far as pages need it.
type Addon struct {
	Manifest *manifest.Manifest
	// Digest is the package's SHA-256 in hex; addresses of static files carry
	// its first 12 digits.
	Digest string
	// StaticDir is the folder of static files in the verified package; empty if
	// it has none.
	StaticDir string
	// PreviousDigest and PreviousStaticDir are those of the version before, whose
	// pages browsers may still show.
	PreviousDigest, PreviousStaticDir string
}

// Addons knows the add-ons the platform runs.
type Addons interface {
	// Active returns the add-ons that are switched on, in a stable order.
	Active() []Addon
}

// Installations knows which biller has which add-on.
type Installations interface {
	// Installation returns the biller's installation; apperr.NotFound if there
	// never was one.
	Installation(ctx context.Context, biller, addonID string) (addon.Installation, error)
}

// Grant is what a request token stands for.
type Grant struct {
	AddonID      string
	Installation addon.Installation
	Surface      wire.Surface
	Viewer       sdk.Viewer
	RequestID    string
	RemoteIP     netip.Addr
}

// Tokens makes the tokens with which an add-on calls the host while it answers
// one request.
type Tokens interface {
	Issue(g Grant) string
	// Revoke makes the token worthless; unknown tokens are ignored.
	Revoke(token string)
}

// Client passes requests to running add-ons.
type Client interface {
	// Serve sends the request to the add-on and its answer to onHead, and returns
	// when the answer is complete. apperr.Unavailable, with RetryAfter, if the
	// add-on does not run now. It gives up when ctx ends. See wire.PagesClient.
	Serve(ctx context.Context, addonID string, p wire.PageRequest, onHead wire.OnHead) error
}

// Platform is the part of host.Platform that pages call.
type Platform interface {
	Biller(ctx context.Context, biller string) (sdk.Biller, error)
	BillerBySlug(ctx context.Context, slug string) (sdk.Biller, error)
	StaffFrom(r *http.Request) (addon.Staff, error)
	Frame(w http.ResponseWriter, r *http.Request, p addon.Page)
}

// Meter hears of the requests that are for add-ons. surface is "public", "staff" or
// "slot".
type Meter interface {
	// Page hears of a request that is passed on; the result, of the status that the
	// browser gets in the end, 499 if it went away, 401 if the add-on wants a fresh
	// proof of who the person is.
	Page(addonID, surface string) (end func(status int))
	// PageRefused hears of a request that is not, because too many are.
	PageRefused(addonID, surface string)
}

// noMeter hears nothing.
type noMeter struct{}

// Page implements Meter.
func (noMeter) Page(string, string) func(int) { return func(int) {} }

// PageRefused implements Meter.
func (noMeter) PageRefused(string, string) {}

// Config is what the boundary is made of; all of the first group is required.
type Config struct {
	Addons        Addons
	Installations Installations
	Tokens        Tokens
	Client        Client
	Platform      Platform
	Log           *slog.Logger

	// BaseURL is the origin of staff pages, PortalBaseURL that of public ones,
	// both without a trailing slash. Where they differ, each surface answers on
	// its own host only.
	BaseURL, PortalBaseURL string
	// StaffPath is where the staff area hangs ("/admin"), SignInPath where
	// people sign in.
	StaffPath, SignInPath string
	// TrustedProxies are the peers whose X-Forwarded-For counts.
	TrustedProxies []netip.Prefix

	// CompressedDir keeps compressed copies of static files and nothing else: it is
	// emptied before the first. Empty means none are made.
	CompressedDir string

	// Meter hears of each request; nil hears nothing.
	Meter Meter
	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// MaxBody is the largest request body in bytes; 0 means 1 MiB.
	MaxBody int64
	// MaxConcurrent is how many requests one add-on answers at a time; 0 means 64. A
	// request counts once the first 64 KiB of its body are here; at most half are
	// larger ones, until they are answered.
	MaxConcurrent int
	// MaxPerBiller is how many of them may be for one biller; 0 means a quarter of
	// MaxConcurrent, at least one. No biller keeps the others waiting.
	MaxPerBiller int
	// HeadTimeout is how long an add-on may take to begin its answer; 0 means
	// 30 s. IdleTimeout is how long it may pause within it; 0 means 60 s.
	HeadTimeout, IdleTimeout time.Duration
}

func (c Config) withDefaults() Config {
	if c.Meter == nil {
		c.Meter = noMeter{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxBody == 0 {
		c.MaxBody = 1 << 20
	}
	if c.MaxConcurrent == 0 {
		c.MaxConcurrent = 64
	}
	if c.MaxPerBiller == 0 {
		c.MaxPerBiller = max(1, c.MaxConcurrent/4)
	}
	if c.HeadTimeout == 0 {
		c.HeadTimeout = 30 * time.Second
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 60 * time.Second
	}
	return c
}
