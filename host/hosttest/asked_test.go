package hosttest_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/web"
)

// TestInstallationsNameTheirRequest: the audit of an installation, which goes on after
// its request was answered, says which request asked for it, and the platform's
// context of that request is there; so it is at a removal.
func TestInstallationsNameTheirRequest(t *testing.T) {
	t.Parallel()
	type kept struct{ action, record, context string }
	records := make(chan kept, 10)
	h := hosttest.MustHost(t, func(_ *host.Config, p *hosttest.Platform) {
		p.RecordAuditFn = func(ctx context.Context, _ string, r addon.AuditRecord) error {
			records <- kept{r.Action, r.RequestID, web.RequestID(ctx)}
			return nil
		}
	})
	for _, step := range []struct{ path, body, action string }{
		{"/admin/marketplace/hello/install", "version=1.0.0", "addon.installed"},
		{"/admin/marketplace/hello/remove", "", "addon.removed"},
	} {
		got := h.Post(step.path, step.body)
		id := got.Header.Get("X-Request-Id")
		if got.Status != http.StatusSeeOther || id == "" {
			t.Fatalf("%s: %d, request %q", step.path, got.Status, id)
		}
		if r, want := <-records, (kept{step.action, id, id}); r != want {
			t.Errorf("kept %+v, want %+v", r, want)
		}
	}
}
