package hosttest_test

import (
	"context"
	"net/http"
	"slices"
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

// TestWhatIsDoneIsRecorded: a person who goes away between what was done and its
// record does not take the record along.
func TestWhatIsDoneIsRecorded(t *testing.T) {
	t.Parallel()
	var recorded []string
	goAway := func() {}
	h, _ := mustNotices(t, func(_ *host.Config, p *hosttest.Platform) {
		p.RecordAuditFn = func(ctx context.Context, _ string, r addon.AuditRecord) error {
			goAway()
			if ctx.Err() == nil {
				recorded = append(recorded, r.Action)
			}
			return ctx.Err()
		}
	})
	h.MustInstall("notice-board")
	for _, step := range []struct {
		action string
		do     func(context.Context) error
	}{
		{"addon.configured", func(ctx context.Context) error {
			return h.SaveSettings(ctx, hosttest.Dana(), "notice-board", addon.SettingsChange{Values: map[string]any{"heading": "News"}})
		}},
		{"addon.removed", func(ctx context.Context) error { return h.Remove(ctx, hosttest.Dana(), "notice-board") }},
		{"addon.purge_ordered", func(ctx context.Context) error {
			mustDo(t, h.TookOut(t.Context(), hosttest.Dana(), "notice-board"))
			return h.Purge(ctx, hosttest.Dana(), addon.PurgeOrder{AddonID: "notice-board", Name: "Notice Board"})
		}},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		recorded, goAway = nil, cancel
		if err := step.do(ctx); err != nil || !slices.Equal(recorded, []string{step.action}) {
			t.Errorf("%s: recorded %v, %v", step.action, recorded, err)
		}
		cancel()
	}
}
