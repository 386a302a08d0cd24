package services

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
)

const (
	// requestLife ends a request token that nobody revoked.
	requestLife = 10 * time.Minute
	sweepEvery  = time.Minute
)

// Grant is what a token stands for.
type Grant struct {
	BillerID, AddonID string
	// Permissions are those the biller agreed to.
	Permissions []string
	// Viewer is who makes the request; zero for the public and for jobs.
	Viewer sdk.Viewer
	// Public is true where anybody may cause the call, without signing in at
	// the platform: less is allowed then.
	Public    bool
	RequestID string
	// RemoteIP is invalid in jobs.
	RemoteIP netip.Addr
	// Expires ends the token by itself; zero means never, or for a request
	// token in 10 minutes.
	Expires time.Time

	// closed is a credential of an add-on that was removed, until it is installed
	// again.
	closed bool
}

// IssueRequest returns a new token for one request. Revoke it when the request
// has ended.
func (s *Services) IssueRequest(g Grant) string {
	if g.Expires.IsZero() {
		g.Expires = s.cfg.Now().Add(requestLife)
	}
	return s.tokens.issue(g)
}

// IssueInstallation returns the credential with which an add-on's process does
// its work for a biller outside requests. It is good until it is revoked: when
// the process ends, the biller closes the add-on or agrees to something else.
func (s *Services) IssueInstallation(i addon.Installation) string {
	return s.tokens.issue(Grant{BillerID: i.BillerID, AddonID: i.AddonID, Permissions: i.Permissions})
}

// Revoke makes a token worthless. Unknown tokens are ignored.
func (s *Services) Revoke(token string) { s.tokens.revoke(token) }

// Agreed tells what a biller agrees to from now on; nil, once the add-on is
// removed. It counts for tokens that are out already: the credential of the
// add-on's process stands for these permissions, or for nothing until the add-on is
// installed again: its jobs are not refused, they wait. A request under way loses
// the permissions that are not among them.
func (s *Services) Agreed(biller, addonID string, permissions []string) {
	s.tokens.agreed(biller, addonID, permissions)
}

// registry keeps the hashes of living tokens.
type registry struct {
	now func() time.Time

	mu     sync.RWMutex
	grants map[[sha256.Size]byte]Grant
	swept  time.Time
}

func newRegistry(now func() time.Time) *registry {
	return &registry{now: now, grants: map[[sha256.Size]byte]Grant{}, swept: now()}
}

func (r *registry) issue(g Grant) string {
	var random [32]byte
	rand.Read(random[:]) // never fails: it crashes the program instead
	token := base64.RawURLEncoding.EncodeToString(random[:])
	g.Permissions = slices.Clone(g.Permissions)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep()
	r.grants[sha256.Sum256([]byte(token))] = g
	return token
}

// sweep forgets tokens that ended by themselves. The caller holds the lock.
func (r *registry) sweep() {
	now := r.now()
	if now.Sub(r.swept) < sweepEvery {
		return
	}
	r.swept = now
	for hash, g := range r.grants {
		if g.expired(now) {
			delete(r.grants, hash)
		}
	}
}

func (r *registry) find(token string) (Grant, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	g, ok := r.grants[sha256.Sum256([]byte(token))]
	return g, ok && !g.closed && !g.expired(r.now())
}

func (r *registry) revoke(token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.grants, sha256.Sum256([]byte(token)))
}

func (r *registry) agreed(biller, addonID string, permissions []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for hash, g := range r.grants {
		if g.BillerID != biller || g.AddonID != addonID {
			continue
		}
		if g.Expires.IsZero() {
			g.Permissions, g.closed = slices.Clone(permissions), permissions == nil
		} else {
			g.Permissions = slices.DeleteFunc(slices.Clone(g.Permissions), func(p string) bool { return !slices.Contains(permissions, p) })
		}
		r.grants[hash] = g
	}
}

func (g Grant) expired(now time.Time) bool { return !g.Expires.IsZero() && !now.Before(g.Expires) }
