package marketplace

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Source is where packages come from.
type Source interface {
	// List returns what is offered.
	List(ctx context.Context) ([]Offer, error)
	// Fetch opens the package of an offered version.
	Fetch(ctx context.Context, id, version string) (io.ReadCloser, error)
	// Look returns what is known now, for pages: it answers within about two
	// seconds, and says in Trouble what is wrong if that is not all of it.
	Look(ctx context.Context) (Listing, error)
	// Document returns one of the documents of an offered version, at most
	// MaxDocument bytes. NotFound if it has none; Unavailable if it cannot be had.
	Document(ctx context.Context, m *manifest.Manifest, name string) ([]byte, error)
}

// Listing is what a Source knows.
type Listing struct {
	// Offers are ordered as List returns them.
	Offers []Offer
	// Withdrawn are the versions that were offered once and are no more, by
	// add-on, the newest first.
	Withdrawn []Withdrawn
	// Trouble is why this may be out of date; nil if it is not. Its message is for
	// staff.
	Trouble error
}

// Missing says why a version is not offered: NotFound, and since when if it was
// withdrawn. An empty version means any.
func (l Listing) Missing(id, version string) error {
	for _, w := range l.Withdrawn {
		if w.ID == id && (version == "" || w.Version == version) {
			return apperr.Errorf(apperr.NotFound, "%s %s was withdrawn from the marketplace on %s.", id, w.Version, w.At.UTC().Format("2 January 2006 (UTC)"))
		}
	}
	return apperr.Errorf(apperr.NotFound, "The marketplace does not offer %s.", strings.TrimSpace(id+" "+version))
}

var _ Source = (*Folder)(nil)

// Unpack fetches a version and puts it, checked, into folder/<digest>, where it
// appears complete or not at all. An empty version means the newest. NotFound if
// it is not offered; Invalid if the package is not what it claims to be.
func Unpack(ctx context.Context, from Source, id, version, folder string) (_ *pack.Package, err error) {
	offer, err := find(ctx, from, id, version)
	if err != nil {
		return nil, err
	}
	r, err := from.Fetch(ctx, id, offer.Manifest.Version)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p, err := pack.Unpack(&counted{r, ctx, Progress{Step: Unpacking, Total: offer.Size}}, folder, pack.Limits{})
	if err != nil {
		return nil, noSpace(err)
	}
	if p.Manifest.ID != id || p.Manifest.Version != offer.Manifest.Version {
		return nil, apperr.Errorf(apperr.Invalid, "The package holds %s %s, not %s %s.",
			p.Manifest.ID, p.Manifest.Version, id, offer.Manifest.Version)
	}
	return p, nil
}

func find(ctx context.Context, from Source, id, version string) (Offer, error) {
	offers, err := from.List(ctx)
	if err != nil {
		return Offer{}, err
	}
	for _, o := range offers {
		if o.Manifest.ID == id && (version == "" || o.Manifest.Version == version) {
			return o, nil
		}
	}
	if version != "" { // the source knows why
		r, err := from.Fetch(ctx, id, version)
		if err != nil {
			return Offer{}, err
		}
		if err := r.Close(); err != nil {
			return Offer{}, err
		}
	}
	return Offer{}, apperr.Errorf(apperr.NotFound, "There is no such add-on in the marketplace.")
}
