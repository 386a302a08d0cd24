package sdk

import (
	"context"
	"net/netip"
	"slices"
	"time"
)

// FreshLife is how old the proof of who a staff user is may be for what is grave:
// deleting what cannot be brought back, letting somebody in. The host holds its own
// pages to it, too.
const FreshLife = 15 * time.Minute

// Viewer is who makes a call, as far as the host knows. Portal users and other
// sign-ins of an add-on are the add-on's own affair: to the host they are public.
type Viewer struct {
	// StaffID is empty for the public and for jobs.
	StaffID string
	// Name is the staff user's name, for histories ("by Dana Whitfield").
	Name string
	// Abilities are what this staff user may do in this add-on, as the platform
	// maps its roles to the abilities of the manifest.
	Abilities []string
	// AuthenticatedAt is when the staff user last proved who they are; zero if the
	// platform does not tell. See Fresh.
	AuthenticatedAt time.Time
}

// IsStaff tells whether the call comes from a signed-in staff user.
func (v Viewer) IsStaff() bool { return v.StaffID != "" }

// Can tells whether the viewer holds the ability, for example "staff:invite".
func (v Viewer) Can(ability string) bool { return slices.Contains(v.Abilities, ability) }

// Fresh tells whether the viewer proved who they are less than FreshLife ago, or the
// platform does not tell. A staff page that wants it for something grave and does not
// get it does nothing and answers 401, which is apperr.Unauthenticated: the host has
// the person prove it and leads back to the page they came from.
func (v Viewer) Fresh(now time.Time) bool {
	return v.AuthenticatedAt.IsZero() || now.Sub(v.AuthenticatedAt) < FreshLife
}

// Call describes the call being served. The host fills it; nothing in it can
// be set by a browser.
type Call struct {
	// BillerID is the tenant. Every query of an add-on names it.
	BillerID string
	Viewer   Viewer
	// Locale is a BCP 47 tag chosen by the host from the biller and the browser.
	Locale string
	// BaseURL is the origin of the public pages, "https://pay.example.com".
	// Links in mails start with it, never with the Host header.
	BaseURL string
	// BasePath is where the add-on's current surface is mounted, without a
	// trailing slash: "/portal/northwind", or "" on a custom domain.
	BasePath string
	// PortalURL is BaseURL and the path of the public pages of this biller,
	// without a trailing slash. It is set on every call, jobs included.
	PortalURL string
	// StaticBase is the path below which the package's static files are served,
	// without a trailing slash; it changes whenever the files do.
	StaticBase string
	// CSPNonce is the nonce that a <style> of a public page must carry.
	CSPNonce string
	// RequestID stands in the log lines of host and add-on, and on error pages.
	RequestID string
	// RemoteIP is the person's address after trusted proxies; invalid in jobs.
	RemoteIP netip.Addr
	// UserAgent is the browser's own word, at most 256 bytes.
	UserAgent string
}

type callKey struct{}

type credentialKey struct{}

// WithCall returns a context that carries the call. The SDK sets it before an
// add-on's code runs; tests may set it themselves.
func WithCall(ctx context.Context, c Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

// CallFrom returns the call that ctx belongs to, or a zero Call.
func CallFrom(ctx context.Context) Call {
	c, _ := ctx.Value(callKey{}).(Call)
	return c
}

// WithCredential returns a context whose host calls carry the token: a request
// token or an installation credential. Only the SDK's own packages need it.
func WithCredential(ctx context.Context, token string) context.Context {
	return context.WithValue(ctx, credentialKey{}, token)
}

// CredentialFrom returns the token that host calls with ctx carry, or "".
func CredentialFrom(ctx context.Context) string {
	t, _ := ctx.Value(credentialKey{}).(string)
	return t
}
