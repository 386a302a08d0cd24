package sdktest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// WithServer gives an add-on in process another gRPC server.
func WithServer(opts ...grpc.ServerOption) Option { return func(o *options) { o.server = opts } }

// CheckNames are the checks of the conformance kit.
func CheckNames() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// patience is what Check has: less than an add-on that is stuck, and enough for
// whatever comes before on a busy machine.
const patience = 5 * time.Second

// Check runs one check with little patience.
func Check(tb testing.TB, name string, m *manifest.Manifest, start Starter) error {
	tb.Helper()
	n := slices.Index(CheckNames(), name)
	if n < 0 {
		return fmt.Errorf("no check %q", name)
	}
	s := newSubject(m, start, io.Discard, tb.TempDir())
	s.patience = patience
	defer s.cleanUp()
	return checks()[n].run(context.Background(), s)
}
