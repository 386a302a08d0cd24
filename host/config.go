package host

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/host/observe"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Config is what a platform says about itself when it embeds the host. Required
// are DataDir, Database, Key, BaseURL, PortalBaseURL, SMTP and Log.
type Config struct {
	// DataDir keeps packages and sockets, and what else needs a file. It is made
	// with mode 0700.
	DataDir string
	// Database is where the host keeps its own tables: a schema or a file that
	// nobody else uses.
	Database sqldb.Config
	// AddonDatabase returns where an add-on keeps its tables, a schema or file of
	// its own; nil means an SQLite file. An SQLite file lives in the add-on's own
	// folder below DataDir; one that is elsewhere moves there at the next start.
	AddonDatabase func(ctx context.Context, addonID string) (sdk.Database, error)
	// AddonUsers is a range of user ids that add-ons run as, each as its own; zero
	// means that they run as this process's user. It takes root, and every folder
	// above DataDir must let everybody pass.
	AddonUsers supervisor.Users
	// AddonLimits bound each add-on; zero fields have defaults.
	AddonLimits supervisor.Limits
	// Probation is how long a failure of an add-on's new version leads back to the
	// one before; 0 means 2 minutes.
	Probation time.Duration
	// Times are how long add-ons may take, for tests; zero fields have defaults.
	Times supervisor.Times
	// Key is 32 secret bytes, the same at every start. All keys of the host and
	// of add-ons are derived from it.
	Key []byte
	// BaseURL is the origin of the staff pages, PortalBaseURL that of public
	// pages, without a trailing slash. They must differ in host outside Dev.
	BaseURL, PortalBaseURL string
	// StaffPath is where the staff area hangs; empty means "/admin". SignInPath
	// is where people sign in, with the query parameter next; empty means
	// "/sign-in". With reauth=1 those who are signed in prove anew who they are,
	// if the platform tells addon.Staff.AuthenticatedAt.
	StaffPath, SignInPath string
	// Marketplace says what may be installed; nil means the *.addon packages of
	// the folder Packages.
	Marketplace marketplace.Source
	Packages    string
	// Policy says which of them billers may install; empty means PolicyAll.
	Policy Policy
	// SMTP says how mail leaves; its Key is derived here.
	SMTP mail.Config
	// TrustedProxies are the peers whose X-Forwarded-For, X-Request-Id and
	// Traceparent count.
	TrustedProxies []netip.Prefix
	// Metrics is where the host registers its metrics; nil registers none. The
	// platform serves them.
	Metrics prometheus.Registerer
	// Tracing says where spans go, those of add-ons too; nil traces nothing.
	Tracing *observe.Tracing
	// Dev allows one origin, plain HTTP, and migrates at start.
	Dev bool
	// Version is the platform's, for logs.
	Version string
	Log     *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// validate reports the first thing that is wrong, and fills in what may be empty.
func (c Config) validate() (Config, error) {
	switch {
	case c.DataDir == "":
		return c, errors.New("host: DataDir is missing")
	case len(c.Key) != 32:
		return c, errors.New("host: Key must be 32 bytes")
	case c.Log == nil:
		return c, errors.New("host: Log is missing")
	case c.Tracing != nil && (c.Tracing.Provider == nil || c.Tracing.Addons == nil):
		return c, errors.New("host: Tracing needs Provider and Addons")
	}
	if err := c.AddonUsers.Check(); err != nil {
		return c, fmt.Errorf("host: AddonUsers: %w", err)
	}
	staff, err := origin(c.BaseURL)
	if err != nil {
		return c, fmt.Errorf("host: BaseURL: %w", err)
	}
	portal, err := origin(c.PortalBaseURL)
	if err != nil {
		return c, fmt.Errorf("host: PortalBaseURL: %w", err)
	}
	if !c.Dev && staff.Hostname() == portal.Hostname() {
		return c, errors.New("host: staff pages and public pages need different host names: set PORTAL_BASE_URL to another one than BASE_URL")
	}
	if !c.Dev && (staff.Scheme != "https" || portal.Scheme != "https") {
		return c, errors.New("host: BASE_URL and PORTAL_BASE_URL must start with https://")
	}
	if c.DataDir, err = filepath.Abs(c.DataDir); err != nil {
		return c, fmt.Errorf("host: DataDir: %w", err)
	}
	if c.StaffPath == "" {
		c.StaffPath = "/admin"
	}
	if c.SignInPath == "" {
		c.SignInPath = "/sign-in"
	}
	switch c.Policy {
	case "":
		c.Policy = PolicyAll
	case PolicyAll, PolicyApproved:
	default:
		return c, fmt.Errorf("host: Policy %q is neither all nor approved", c.Policy)
	}
	c.Log = slog.New(observe.LogHandler(c.Log.Handler()))
	if c.Marketplace == nil {
		c.Marketplace = marketplace.NewFolder(c.Packages, c.Log)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c, nil
}

func origin(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != s || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("%q must be http:// or https:// and a host, without a path", s)
	}
	u.Host = strings.ToLower(u.Host)
	return u, nil
}

// derive returns 32 bytes for one purpose.
func (c Config) derive(purpose string) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, c.Key, nil, "host/"+purpose, 32)
	if err != nil {
		return nil, fmt.Errorf("derive key: %w", err)
	}
	return key, nil
}
