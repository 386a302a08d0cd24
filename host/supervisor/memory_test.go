package supervisor_test

import (
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// books is a store in memory.
type books struct {
	mu            sync.Mutex
	active        []addon.Active
	installations []addon.Installation
	err           error // of InstallationsOf
}

func (b *books) Active(context.Context) ([]addon.Active, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.active), nil
}

func (b *books) InstallationsOf(context.Context, string) ([]addon.Installation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.installations), b.err
}

func (b *books) Promote(_ context.Context, addonID, digest string, probation time.Duration) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range b.active {
		if a.AddonID != addonID {
			continue
		}
		next, ok := a.Promoted(addon.Version{Version: a.Next.Version, Digest: digest}, time.Now().Add(probation))
		if ok {
			b.active[i] = next
		}
		if ok || a.Digest == digest {
			return nil
		}
	}
	return apperr.Errorf(apperr.Conflict, "This version is no longer wanted.")
}

func (b *books) Refuse(_ context.Context, addonID, digest, reason string) (changed bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range b.active {
		if a.AddonID != addonID {
			continue
		}
		v := a.Current()
		if a.Next.Digest == digest {
			v = a.Next
		}
		if v.Digest == digest {
			b.active[i], changed = a.Refused(v, reason, time.Now())
		}
	}
	return changed, nil
}

func (b *books) change(f func(*books)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

// credentials are "biller:N"; those alive are kept.
type credentials struct {
	mu    sync.Mutex
	n     int
	alive map[string]string
}

func (c *credentials) IssueInstallation(i addon.Installation) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	token := i.BillerID + ":" + strconv.Itoa(c.n)
	c.alive[token] = i.BillerID
	return token
}

func (c *credentials) Revoke(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.alive, token)
}

func (c *credentials) For(_ context.Context, token string) (sdk.Host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	biller, ok := c.alive[token]
	if !ok {
		return sdk.Host{}, apperr.Errorf(apperr.Unauthenticated, "unknown token")
	}
	return sdk.Host{Billers: named(biller)}, nil
}

type named string

func (n named) Biller(context.Context) (sdk.Biller, error) {
	return sdk.Biller{Name: "Biller " + string(n)}, nil
}
func (n named) As(context.Context, string) (context.Context, error) { return nil, nil }
func (n named) Enabled() []string                                   { return nil }
