package pages

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/billing-addons/customer-portal/host/refusal"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// StaticPath is where the static files of add-ons hang; below "-" are the host's
// own.
const StaticPath = "/addon-static/"

// Handler is the boundary. It is safe for concurrent use.
type Handler struct {
	Config
	failures   *failures
	crossing   *http.CrossOriginProtection
	compressed *compressed
	// refusals list what staff were refused, publicly what customers and strangers
	// were: a flood of these hides none of those.
	refusals, publicly *refusal.Log

	mu     sync.Mutex
	inside map[place]int
}

// New returns the boundary. It fails if the configuration lacks something.
func New(c Config) (*Handler, error) {
	if c.Addons == nil || c.Installations == nil || c.Tokens == nil || c.Client == nil || c.Platform == nil || c.Log == nil {
		return nil, errors.New("pages: Addons, Installations, Tokens, Client, Platform and Log are required")
	}
	for _, origin := range []string{c.BaseURL, c.PortalBaseURL} {
		if u, err := url.Parse(origin); err != nil || u.Host == "" || u.Scheme+"://"+u.Host != origin {
			return nil, errors.New("pages: " + origin + " is not an origin")
		}
	}
	f, err := newFailures()
	if err != nil {
		return nil, err
	}
	return &Handler{
		Config: c.withDefaults(), failures: f, crossing: http.NewCrossOriginProtection(),
		compressed: &compressed{dir: c.CompressedDir}, refusals: refusal.New(c.Log, nil), publicly: refusal.New(c.Log, nil), inside: map[place]int{},
	}, nil
}

// withID gives each request an id: the platform's own, or RequestID.
func (h *Handler) withID(r *http.Request) *http.Request {
	if web.RequestID(r.Context()) != "" {
		return r
	}
	return r.WithContext(web.WithRequestID(r.Context(), h.RequestID(r)))
}

// RequestID returns the id for a request that has none yet: that of a trusted
// proxy, or a new one.
func (h *Handler) RequestID(r *http.Request) string {
	if id := r.Header.Get("X-Request-Id"); web.ValidRequestID(id) && fromTrusted(r, h.TrustedProxies) {
		return id
	}
	return web.NewRequestID()
}

// Trusts tells whether the request comes from a trusted proxy itself.
func (h *Handler) Trusts(r *http.Request) bool { return fromTrusted(r, h.TrustedProxies) }

// OnStaffHost answers "not found" unless the request came to the host of the
// staff pages.
func (h *Handler) OnStaffHost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !h.onHost(r, h.BaseURL) {
			h.failures.notFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onHost reports whether the request came to the host of the origin. Where both
// surfaces share one, which only development allows, every name will do.
func (h *Handler) onHost(r *http.Request, origin string) bool {
	_, host, _ := strings.Cut(origin, "://")
	return h.BaseURL == h.PortalBaseURL || strings.EqualFold(r.Host, host)
}

// byID returns the active add-on with the id.
func (h *Handler) byID(id string) (Addon, bool) {
	for _, a := range h.Addons.Active() {
		if a.Manifest.ID == id {
			return a, true
		}
	}
	return Addon{}, false
}

// byPrefix returns the active add-on with the prefix of public pages. If two claim
// it, neither has it: one of them may want the other's customers.
func (h *Handler) byPrefix(prefix string) (found Addon, ok bool) {
	for _, a := range h.Addons.Active() {
		if prefix == "" || a.Manifest.Pages.Public.Prefix != prefix {
			continue
		}
		if ok {
			h.Log.Error("two add-ons claim one address, neither answers", "prefix", prefix, "addons", []string{found.Manifest.ID, a.Manifest.ID})
			return Addon{}, false
		}
		found, ok = a, true
	}
	return found, ok
}

func shortDigest(a Addon) string { return short(a.Digest) }

func short(digest string) string { return digest[:min(12, len(digest))] }

// staticDir returns the folder of static files whose addresses carry the short
// digest; empty if there is none.
func (a Addon) staticDir(shortDigest string) string {
	switch shortDigest {
	case "":
		return ""
	case short(a.Digest):
		return a.StaticDir
	case short(a.PreviousDigest):
		return a.PreviousStaticDir
	}
	return ""
}
