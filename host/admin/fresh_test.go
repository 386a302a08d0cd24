package admin_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/admin"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// grave counts what cannot be undone; what it is not asked for is nil.
type grave struct {
	admin.Operator
	admin.Purger
	done []string
}

func (g *grave) Upgrade(_ context.Context, _ addon.Staff, id, _, _ string) error {
	g.done = append(g.done, "upgrade "+id)
	return nil
}

func (g *grave) Rollback(_ context.Context, _ addon.Staff, id, _ string) error {
	g.done = append(g.done, "rollback "+id)
	return nil
}

func (g *grave) Approve(_ context.Context, _ addon.Staff, id string) error {
	g.done = append(g.done, "approve "+id)
	return nil
}

func (g *grave) ExportFile(_ context.Context, _ addon.Staff, id string) (addon.Exported, io.ReadCloser, error) {
	g.done = append(g.done, "export "+id)
	return addon.Exported{}, nil, apperr.Errorf(apperr.NotFound, "This add-on has nothing to export.")
}

func (g *grave) TookOut(context.Context, addon.Staff, string) error { return nil }

func (g *grave) Purge(_ context.Context, _ addon.Staff, o addon.PurgeOrder) error {
	g.done = append(g.done, "purge "+o.AddonID)
	return nil
}

// TestGraveActionsWantAFreshProof: whoever has been signed in for long shows
// again who they are, and nothing happens before.
func TestGraveActionsWantAFreshProof(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		at   time.Time
		asks bool
	}{
		{"just signed in", noon.Add(-15*time.Minute + time.Second), false},
		{"a while ago", noon.Add(-15 * time.Minute), true},
		{"hours ago", noon.Add(-11 * time.Hour), true},
		{"a platform that does not tell", time.Time{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := &grave{}
			f := &fake{
				staff: addon.Staff{
					ID: "s1", BillerID: "northwind", Abilities: []string{addon.AbilityInstall, addon.AbilityOperate}, AuthenticatedAt: tt.at,
				},
				installed: map[string]addon.Installation{"northwind/customer-portal": {State: addon.Suspended, ExportedAt: noon}},
			}
			h, err := admin.New(admin.Config{
				Catalog: f, Installations: f, Installer: f, Settings: f, Runner: f, Platform: f, Operator: g, Purger: g,
				Log: slog.New(slog.DiscardHandler), StaffPath: "/admin", SignInPath: "/sign-in", RemoteIP: remoteIP, Now: func() time.Time { return noon },
			})
			if err != nil {
				t.Fatal(err)
			}
			const page = "/admin/marketplace/customer-portal"
			again := func(to string) string { return "/sign-in?reauth=1&next=" + url.QueryEscape(to) }
			for _, do := range []struct{ path, back string }{
				{page + "/purge", page + "/purge"},
				{page + "/export", page},
				{page + "/operate/upgrade", page + "/operate"},
				{page + "/operate/rollback", page + "/operate"},
				{page + "/operate/approve", page + "/operate"},
			} {
				w := request(h, http.MethodPost, do.path, url.Values{"name": {"Customer Portal"}, "version": {"2.0.0"}, "seen": {"d"}})
				if asked := w.Header().Get("Location") == again(do.back); w.Code != http.StatusSeeOther || asked != tt.asks {
					t.Errorf("%s: %d to %s", do.path, w.Code, w.Header().Get("Location"))
				}
			}
			if want := map[bool]int{true: 0, false: 5}[tt.asks]; len(g.done) != want {
				t.Errorf("done: %v", g.done)
			}
			w := request(h, http.MethodGet, page+"/purge", nil)
			if asked := w.Header().Get("Location") == again(page+"/purge"); asked != tt.asks {
				t.Errorf("the page that asks first: %d to %s", w.Code, w.Header().Get("Location"))
			}
		})
	}
}
