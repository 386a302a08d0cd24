package marketplace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Verify does what a host does that sees the marketplace for the first time and
// takes everything: it follows the roots from the first one and checks each
// package. It returns until when everything is valid. The keys at hand must be
// readable by their owner only.
func (r Repository) Verify(ctx context.Context) (_ []Expiry, err error) {
	if _, _, err := r.List(); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "marketplace-")
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	c, err := NewClient(ClientConfig{URL: r.Dir, Root: r.RootFile(), DataDir: temp, Now: r.now, Every: time.Hour})
	if err != nil {
		return nil, err
	}
	v, err := c.look(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range v.offers {
		if err := c.verify(ctx, o); err != nil {
			return nil, err
		}
	}
	for target, d := range v.documents {
		if err := c.verifyDocument(ctx, target, d); err != nil {
			return nil, err
		}
	}
	return v.expiries, nil
}

// verifyDocument checks that a document is the one that was signed.
func (c *Client) verifyDocument(ctx context.Context, target string, d document) error {
	data, err := c.readDocument(ctx, target, d)
	if err != nil {
		return c.unavailable(target+" cannot be had from the marketplace.", err)
	}
	if !d.is(data) {
		return apperr.Errorf(apperr.Invalid, "%s is refused: it is not the one that the marketplace signed.", target)
	}
	return nil
}

// verify checks that a package is sound and the one its listing speaks of.
func (c *Client) verify(ctx context.Context, o Offer) (err error) {
	r, err := c.download(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	p, err := pack.Read(r, pack.Limits{})
	if err != nil {
		return err
	}
	if p.Manifest.ID != o.Manifest.ID || p.Manifest.Version != o.Manifest.Version {
		return apperr.Errorf(apperr.Invalid, "The package of %s %s holds %s %s.", o.Manifest.ID, o.Manifest.Version, p.Manifest.ID, p.Manifest.Version)
	}
	return nil
}
