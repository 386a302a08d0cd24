package pages_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// TestNoncesAreLong: the nonce of a page's style holds 128 bits, new for each.
func TestNoncesAreLong(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	h, _ := MustHandler(t, func(_ context.Context, _ string, p wire.PageRequest, onHead wire.OnHead) error {
		raw, err := base64.RawURLEncoding.DecodeString(p.Call.CSPNonce)
		if err != nil || len(raw) != 16 || seen[p.Call.CSPNonce] {
			t.Errorf("nonce %q: %d bytes, %v", p.Call.CSPNonce, len(raw), err)
		}
		seen[p.Call.CSPNonce] = true
		_, err = onHead(http.StatusNoContent, http.Header{})
		return err
	})
	for range 16 {
		h.Public().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, portalOrigin+"/portal/northwind/", nil))
	}
	if len(seen) != 16 {
		t.Errorf("%d nonces of 16 pages", len(seen))
	}
}
