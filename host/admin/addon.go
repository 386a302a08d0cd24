package admin

import (
	"context"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Listing is what the marketplace shows.
type Listing struct {
	// Offers holds one version of each add-on, ordered by name: the one that runs,
	// or that a new installation gets.
	Offers []Offer
	// Gone are versions that were withdrawn, with when; of add-ons among Offers too.
	Gone []Gone
	// Trouble is why it may be out of date, for staff; empty if it is not.
	Trouble string
}

// Gone is a version that was withdrawn.
type Gone struct {
	AddonID, Version string
	At               time.Time
}

// Offer is an add-on in the version that a biller has or may get.
type Offer struct {
	Manifest *manifest.Manifest
	// Size is that of the package, in bytes, PublishedAt when it was offered; zero
	// if that is not known.
	Size        int64
	PublishedAt time.Time
	State       OfferState
	// Wants is what the version needs, with NeedsPlatform the range of platform
	// versions, or what this server is, with OtherProcessor.
	Wants string
	// WithdrawnAt is set with Withdrawn.
	WithdrawnAt time.Time
	// Runs tells whether the platform runs this version, for whomever.
	Runs bool
	// Newer is a newer version that the operator could upgrade to; empty if there
	// is none.
	Newer string
}

// OfferState is whether a biller may install a version.
type OfferState string

// States of an offer. Only Available ones can be installed.
const (
	Available        OfferState = ""
	NeedsPlatform    OfferState = "needs a newer platform"
	OtherProcessor   OfferState = "not for this processor"
	Withdrawn        OfferState = "withdrawn"
	WaitsForOperator OfferState = "waiting for your operator"
)

// Detail is what the page of an add-on shows beside its manifest.
type Detail struct {
	// Versions are all that are offered and all that were, the newest first.
	Versions []Version
	// Readme and Changelog are Markdown that nobody has checked; empty if the
	// package has none.
	Readme, Changelog string
	// Incomplete means that one of these cannot be had at the moment.
	Incomplete bool
}

// Version is one version of an add-on.
type Version struct {
	Version string
	// At is when it was published or, if that is its state, withdrawn.
	At    time.Time
	State OfferState
	Runs  bool
}

// Catalog knows what is offered. Its methods answer within seconds, however the
// marketplace does.
type Catalog interface {
	Listing(ctx context.Context) (Listing, error)
	// Detail describes an offer of Listing.
	Detail(ctx context.Context, o Offer) (Detail, error)
	// Icon returns the icon of an offer whose manifest names a file: SVG or PNG.
	// NotFound if there is none; Unavailable if it cannot be had.
	Icon(ctx context.Context, o Offer) ([]byte, error)
}

// Installations knows which biller has which add-on.
type Installations interface {
	// Installation returns apperr.NotFound if there never was one.
	Installation(ctx context.Context, biller, addonID string) (addon.Installation, error)
}

// Installer switches add-ons on and off for a staff user's biller. The pages
// have checked the ability addons:install.
type Installer interface {
	// BeginInstall installs one version with the permissions that staff agreed to,
	// and returns at once.
	BeginInstall(ctx context.Context, staff addon.Staff, addonID, version string, permissions []string) error
	// Installing tells how far that is; apperr.NotFound if it ended well or never
	// began.
	Installing(ctx context.Context, biller, addonID string) (addon.Installing, error)
	// Remove suspends the installation; its data stays.
	Remove(ctx context.Context, staff addon.Staff, addonID string) error
}

// Settings keeps what billers set for their add-ons.
type Settings interface {
	// Settings returns what is set. PermissionDenied without the ability
	// staff:configure; NotFound if the add-on is not installed or has none.
	Settings(ctx context.Context, staff addon.Staff, addonID string) (addon.SettingsState, error)
	// SaveSettings keeps a change, or says Invalid, Conflict or Unavailable and
	// changes nothing.
	SaveSettings(ctx context.Context, staff addon.Staff, addonID string, c addon.SettingsChange) error
}

// RunState is how an add-on that was installed is doing.
type RunState string

// States of an add-on. Starting is one that has not failed yet.
const (
	Running     RunState = "running"
	Starting    RunState = "starting"
	Unavailable RunState = "not available now"
)

// Runner knows how add-ons are.
type Runner interface {
	State(addonID string) RunState
}
