package wire_test

import (
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestBillerOfTheRequest: it answers for the request's own biller, not where the
// add-on goes on to work for another.
func TestBillerOfTheRequest(t *testing.T) {
	t.Parallel()
	ctx := wire.WithBiller(sdk.WithCall(t.Context(), sdk.Call{BillerID: "b1"}), wire.BillerToPB(sdk.Biller{ID: "b1", Name: "One"}))
	if b, ok := wire.BillerFrom(ctx); !ok || b.Name != "One" {
		t.Errorf("got %+v, %v", b, ok)
	}
	if b, ok := wire.BillerFrom(sdk.WithCall(ctx, sdk.Call{BillerID: "b2"})); ok {
		t.Errorf("another biller's context gives %+v", b)
	}
	if _, ok := wire.BillerFrom(wire.WithBiller(t.Context(), nil)); ok {
		t.Error("a request without a biller has one")
	}
}
