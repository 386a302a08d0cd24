package host

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	processor = runtime.GOOS + "/" + runtime.GOARCH
	// documentWait is how long a page waits for what it shows of a package.
	documentWait = 4 * time.Second
)

// catalog offers what the marketplace has, in the version that runs already
// where one does, and what runs without being offered.
type catalog struct{ host *Host }

var _ admin.Catalog = catalog{}

// Listing implements admin.Catalog.
func (c catalog) Listing(ctx context.Context) (admin.Listing, error) {
	known, err := c.host.config.Marketplace.Look(ctx)
	if err != nil {
		return admin.Listing{}, err
	}
	var list admin.Listing
	if known.Trouble != nil {
		c.host.config.Log.WarnContext(ctx, "marketplace is shown as it was", "error", known.Trouble.Error())
		list.Trouble = apperr.MessageOf(known.Trouble)
	}
	for _, w := range known.Withdrawn {
		list.Gone = append(list.Gone, admin.Gone{AddonID: w.ID, Version: w.Version, At: w.At})
	}
	for _, o := range newest(known.Offers) {
		if _, runs := c.host.shelf.manifest(o.Manifest.ID); !runs {
			list.Offers = append(list.Offers, offered(o))
		}
	}
	for _, p := range c.host.shelf.all() {
		list.Offers = append(list.Offers, running(p, known))
	}
	for i := range list.Offers {
		o := &list.Offers[i]
		if ok, err := c.host.Approved(ctx, o.Manifest.ID); err != nil {
			return admin.Listing{}, err
		} else if !ok && o.State == admin.Available {
			o.State = admin.WaitsForOperator
		}
	}
	slices.SortFunc(list.Offers, func(a, b admin.Offer) int {
		return strings.Compare(strings.ToLower(a.Manifest.Name)+a.Manifest.ID, strings.ToLower(b.Manifest.Name)+b.Manifest.ID)
	})
	return list, nil
}

// offered describes what does not run yet.
func offered(o marketplace.Offer) admin.Offer {
	a := admin.Offer{Manifest: o.Manifest, Size: o.Size, PublishedAt: o.PackedAt}
	switch {
	case !o.Manifest.AcceptsHost(wire.SDKVersion):
		a.State, a.Wants = admin.NeedsPlatform, o.Manifest.Host
	case !o.Manifest.SupportsPlatform(processor):
		a.State, a.Wants = admin.OtherProcessor, processor
	}
	return a
}

// running describes the version that runs.
func running(p *pack.Package, known marketplace.Listing) admin.Offer {
	m := p.Manifest
	a := admin.Offer{Manifest: m, Runs: true}
	for _, w := range known.Withdrawn {
		if w.ID == m.ID && w.Version == m.Version {
			a.State, a.WithdrawnAt = admin.Withdrawn, w.At
		}
	}
	for _, o := range known.Offers {
		switch {
		case o.Manifest.ID != m.ID:
		case o.Manifest.Version == m.Version:
			a.Size, a.PublishedAt = o.Size, o.PackedAt
		case a.Newer == "" && fits(o.Manifest) && newer(o.Manifest.Version, m.Version):
			a.Newer = o.Manifest.Version
		}
	}
	return a
}

func newer(a, b string) bool {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	return errA == nil && errB == nil && va.GreaterThan(vb)
}

// Detail implements admin.Catalog.
func (c catalog) Detail(ctx context.Context, o admin.Offer) (admin.Detail, error) {
	known, err := c.host.config.Marketplace.Look(ctx)
	if err != nil {
		return admin.Detail{}, err
	}
	d := admin.Detail{Versions: versionsOf(o, known)}
	ctx, cancel := context.WithTimeout(ctx, documentWait)
	defer cancel()
	for name, text := range map[string]*string{marketplace.Readme: &d.Readme, marketplace.Changelog: &d.Changelog} {
		data, err := c.document(ctx, o, name)
		switch {
		case err == nil:
			*text = string(data)
		case !apperr.Is(err, apperr.NotFound):
			c.host.config.Log.WarnContext(ctx, "document of an add-on cannot be shown", "addon", o.Manifest.ID, "document", name, "error", err.Error())
			d.Incomplete = true
		}
	}
	return d, nil
}

// versionsOf returns every version that is or was offered, the newest first.
func versionsOf(o admin.Offer, known marketplace.Listing) []admin.Version {
	var list []admin.Version
	for _, offer := range known.Offers {
		if m := offer.Manifest; m.ID == o.Manifest.ID {
			v := offered(offer)
			list = append(list, admin.Version{Version: m.Version, At: offer.PackedAt, State: v.State, Runs: o.Runs && m.Version == o.Manifest.Version})
		}
	}
	for _, w := range known.Withdrawn {
		if w.ID == o.Manifest.ID {
			list = append(list, admin.Version{Version: w.Version, At: w.At, State: admin.Withdrawn, Runs: o.Runs && w.Version == o.Manifest.Version})
		}
	}
	slices.SortStableFunc(list, func(a, b admin.Version) int {
		switch {
		case newer(a.Version, b.Version):
			return -1
		case newer(b.Version, a.Version):
			return 1
		}
		return 0
	})
	return list
}

// Icon implements admin.Catalog.
func (c catalog) Icon(ctx context.Context, o admin.Offer) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, documentWait)
	defer cancel()
	return c.document(ctx, o, marketplace.Icon)
}

// document reads from the package that runs, and of others what was published
// beside them.
func (c catalog) document(ctx context.Context, o admin.Offer, name string) ([]byte, error) {
	for _, p := range c.host.shelf.all() {
		if p.Manifest.ID == o.Manifest.ID && p.Manifest.Version == o.Manifest.Version {
			return marketplace.PackageDocument(p, name)
		}
	}
	return c.host.config.Marketplace.Document(ctx, o.Manifest, name)
}

// fits reports whether this host can run the version.
func fits(m *manifest.Manifest) bool { return unfit(m) == "" }

// newest returns one version of each add-on: the newest that this host can run or,
// if it can run none, the newest.
func newest(offers []marketplace.Offer) []marketplace.Offer {
	var list []marketplace.Offer
	at := map[string]int{}
	for _, o := range offers {
		i, seen := at[o.Manifest.ID]
		switch {
		case !seen:
			at[o.Manifest.ID] = len(list)
			list = append(list, o)
		case fits(o.Manifest) && !fits(list[i].Manifest):
			list[i] = o
		}
	}
	return list
}

// newestOffers returns the version of each add-on that a new installation gets.
func newestOffers(ctx context.Context, from marketplace.Source) ([]marketplace.Offer, error) {
	list, err := from.List(ctx)
	return newest(list), err
}

// findFitting returns an offered version that this host can run; an empty one means
// the newest. NotFound if it is not offered, Invalid if this host cannot run it.
func findFitting(ctx context.Context, from marketplace.Source, id, version string) (marketplace.Offer, error) {
	if version == "" {
		list, err := newestOffers(ctx, from)
		if err != nil {
			return marketplace.Offer{}, fmt.Errorf("list offers: %w", err)
		}
		for _, o := range list {
			if o.Manifest.ID == id {
				version = o.Manifest.Version
			}
		}
	}
	o, err := findOffer(ctx, from, id, version)
	if err != nil {
		return marketplace.Offer{}, err
	}
	if why := unfit(o.Manifest); why != "" {
		return marketplace.Offer{}, apperr.Errorf(apperr.Invalid, "%s %s cannot run here: %s", o.Manifest.Name, o.Manifest.Version, why)
	}
	return o, nil
}

// unfit says why this host cannot run the version; empty if it can.
func unfit(m *manifest.Manifest) string {
	switch {
	case !m.AcceptsHost(wire.SDKVersion):
		return "It needs a host of version " + m.Host + "; this one is " + wire.SDKVersion + "."
	case !m.SupportsPlatform(processor):
		return "It is not made for this server's processor (" + processor + ")."
	}
	return ""
}

// runner tells the marketplace how add-ons are.
type runner struct{ host *Host }

var _ admin.Runner = runner{}

// State implements admin.Runner.
func (r runner) State(addonID string) admin.RunState {
	if _, err := r.host.fleet.Client(addonID); err == nil {
		return admin.Running
	}
	for _, s := range r.host.fleet.Statuses() {
		if s.AddonID == addonID && (s.State == supervisor.BackingOff || s.State == supervisor.Broken) {
			return admin.Unavailable
		}
	}
	return admin.Starting
}

// Await returns nil as soon as the add-on runs here and knows its billers; an error
// if it failed or ctx ends before.
func (r runner) Await(ctx context.Context, addonID string) error {
	list, err := r.host.store.Active(ctx)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.AddonID == addonID {
			return r.host.fleet.Ensure(ctx, a)
		}
	}
	return apperr.Errorf(apperr.NotFound, "This add-on does not run.")
}
