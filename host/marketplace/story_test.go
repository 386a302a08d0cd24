package marketplace_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/marketplace"
)

func TestMain(m *testing.M) {
	code := m.Run()
	hosttest.Clean()
	os.Exit(code)
}

// TestStory publishes an add-on, installs it in a host that trusts the
// marketplace's root, and uses it.
func TestStory(t *testing.T) {
	t.Parallel()
	m := mustMarket(t, marketplace.Setup{})
	files, err := filepath.Glob(filepath.Join(hosttest.MustHello(t), "*.addon"))
	if err != nil || len(files) != 1 {
		t.Fatalf("packages = %v, %v", files, err)
	}
	_, _, err = m.Publish(t.Context(), files[0], false)
	must(t, err)
	s := mustSite(t, m)
	c := m.mustClient(t, t.TempDir(), s.at)
	h := hosttest.MustHost(t, func(config *host.Config, _ *hosttest.Platform) { config.Marketplace, config.Packages = c, "" })
	if list := h.Get("/admin/marketplace"); list.Status != 200 || !strings.Contains(list.Body, "Hello") {
		t.Fatalf("marketplace: %d %s", list.Status, list.Body)
	}
	h.MustInstall("hello")
	if page := h.Get("/admin/addons/hello/"); page.Status != 200 || !strings.Contains(page.Body, "Dana Whitfield") {
		t.Errorf("the add-on's page: %d %s", page.Status, page.Body)
	}
	s.answer(down)
	if page := h.Get("/admin/addons/hello/"); page.Status != 200 {
		t.Errorf("the add-on's page without the marketplace: %d", page.Status)
	}
	if list := h.Get("/admin/marketplace"); list.Status != 200 {
		t.Errorf("marketplace, offline: %d", list.Status)
	}
}
