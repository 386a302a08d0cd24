package marketplace

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ClientConfig says which marketplace a host takes add-ons from. URL, Root and
// DataDir are required.
type ClientConfig struct {
	// URL is the marketplace's folder, or the address of the web server that
	// serves it.
	URL string
	// Root is the file with the root that is trusted. What is signed by others
	// is refused, unless that root's keys named them.
	Root string
	// DataDir is where what was checked is kept: for use offline, and so that
	// nothing older is ever taken.
	DataDir string
	// HTTP is used for addresses; nil means a client with limits.
	HTTP *http.Client
	// Every is how long an answer of the marketplace counts; zero means one minute
	// for an address and no time at all for a folder. Negative means no time.
	Every time.Duration
	// Timeout is how long one look at the marketplace may take; zero means 20
	// seconds. DownloadTimeout is for one package; zero means 10 minutes.
	Timeout, DownloadTimeout time.Duration
	// Log is told of marketplaces that cannot be reached or are refused; nil means
	// nobody is.
	Log *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Client takes add-ons from a marketplace that somebody signs. It is a Source and
// safe for concurrent use, also by several processes with one DataDir.
//
// Its errors are for operators: Unavailable for a marketplace that cannot be
// reached or is refused, and why; NotFound for what is not offered; Invalid for a
// package that is not the one that was signed.
type Client struct {
	config ClientConfig
	origin origin
	root   []byte
	dir    string

	mu      sync.Mutex
	last    view          // what the last look brought
	looking chan struct{} // closed when the look under way has ended; nil: none is
	began   time.Time     // when it began
	silent  time.Time     // when a document could last not be had
}

// view is what the last look at the marketplace brought.
type view struct {
	at        time.Time // zero: never looked
	err       error
	offers    []Offer
	withdrawn []Withdrawn
	documents map[string]document
	expiries  []Expiry
	trouble   error // why it is what was known before
}

var _ Source = (*Client)(nil)

// NewClient reads the root and opens nothing else: the marketplace may be away.
// Invalid if the root is none.
func NewClient(c ClientConfig) (*Client, error) {
	where, err := originOf(c.URL, c.HTTP)
	if err != nil {
		return nil, err
	}
	root, err := os.ReadFile(c.Root)
	if err != nil {
		return nil, fmt.Errorf("read the marketplace's root: %w", err)
	}
	if err := checkRoot(c.Root, root); err != nil {
		return nil, err
	}
	if _, web := where.(webOrigin); web && c.Every == 0 {
		c.Every = time.Minute
	}
	if c.Timeout == 0 {
		c.Timeout = 20 * time.Second
	}
	if c.DownloadTimeout == 0 {
		c.DownloadTimeout = 10 * time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{config: c, origin: where, root: root, dir: shelfOf(c.DataDir, root)}, nil
}

// List implements Source. What is offered by a manifest that this host does not
// understand, because it is older, is left out and logged.
func (c *Client) List(ctx context.Context) ([]Offer, error) {
	v, err := c.look(ctx)
	return slices.Clone(v.offers), err
}

// Withdrawn returns the versions that were offered once and are no more, by
// add-on, the newest first.
func (c *Client) Withdrawn(ctx context.Context) ([]Withdrawn, error) {
	v, err := c.look(ctx)
	return slices.Clone(v.withdrawn), err
}

func (v view) expired(now time.Time) bool {
	return slices.ContainsFunc(v.expiries, func(e Expiry) bool { return now.After(e.At) })
}

// Fetch implements Source: it downloads the package and hands it over when all of
// it is the one that was signed. What was withdrawn says so.
func (c *Client) Fetch(ctx context.Context, id, version string) (io.ReadCloser, error) {
	v, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(v.offers, func(o Offer) bool { return o.Manifest.ID == id && o.Manifest.Version == version })
	if i < 0 {
		return nil, Listing{Withdrawn: v.withdrawn}.Missing(id, version)
	}
	return c.download(ctx, v.offers[i])
}

// viewOf reads checked metadata.
func (c *Client) viewOf(targets *metadata.TargetsType, expiries []Expiry) (view, error) {
	v := view{expiries: expiries}
	var unread map[string]error
	v.offers, unread = offersOf(targets)
	v.documents = documentsOf(targets)
	for _, path := range slices.Sorted(maps.Keys(unread)) {
		c.config.Log.Warn("package is not offered", "package", path, "error", strings.ReplaceAll(unread[path].Error(), "\n", "; "))
	}
	var err error
	v.withdrawn, err = withdrawnOf(targets)
	return v, err
}

// makeDir makes the folder for what is known of the marketplace.
func (c *Client) makeDir() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return fmt.Errorf("make folder for the marketplace: %w", err)
	}
	return nil
}
