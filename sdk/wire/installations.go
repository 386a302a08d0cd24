package wire

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pb"
)

// installations knows the billers that have the add-on, and keeps the hooks of
// one biller from overlapping.
type installations struct {
	mu      sync.Mutex
	entries map[string]*installation
	locks   map[string]*hookLock
}

// installation is what the host said about a biller.
type installation struct {
	call       *pb.Call
	credential string
	settings   sdk.Settings
}

type hookLock struct {
	sync.Mutex
	users int
}

func newInstallations() *installations {
	return &installations{entries: map[string]*installation{}, locks: map[string]*hookLock{}}
}

// as returns ctx with the credential and the call of the biller's installation.
func (n *installations) as(ctx context.Context, billerID string) (context.Context, error) {
	n.mu.Lock()
	entry, ok := n.entries[billerID]
	n.mu.Unlock()
	if !ok {
		return nil, apperr.Errorf(apperr.NotFound, "This biller does not have the add-on.")
	}
	return installationContext(ctx, entry), nil
}

func installationContext(ctx context.Context, i *installation) context.Context {
	call, _ := callFromPB(i.call)
	return sdk.WithCredential(sdk.WithSettings(sdk.WithCall(ctx, call), i.settings), i.credential)
}

// enabled lists the billers in order of id.
func (n *installations) enabled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Sorted(maps.Keys(n.entries))
}

func (n *installations) put(e *pb.EnableRequest) *installation {
	i := &installation{e.GetCall(), e.GetCredential(), settingsFromPB(e.GetSettings())}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.entries[e.GetCall().GetBillerId()] = i
	return i
}

func (n *installations) remove(billerID string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.entries, billerID)
}

// lock waits for the biller's other hooks; call the result when done.
func (n *installations) lock(billerID string) (unlock func()) {
	n.mu.Lock()
	l := n.locks[billerID]
	if l == nil {
		l = &hookLock{}
		n.locks[billerID] = l
	}
	l.users++
	n.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		n.mu.Lock()
		defer n.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(n.locks, billerID)
		}
	}
}
