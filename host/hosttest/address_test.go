package hosttest_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// TestAddressesBelongToOneAddon: no add-on takes over the public pages of another one,
// for any biller, neither when it is installed nor by a new version.
func TestAddressesBelongToOneAddon(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	another := []string{"id: hello", "id: another", "name: Hello", "name: Another"}
	add("0.9.0", another...)
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	h.MustInstall("hello")
	south := hosttest.Dana()
	south.BillerID = "southgate"
	err := h.Install(t.Context(), south, "another", nil)
	if !apperr.Is(err, apperr.Conflict) || !strings.Contains(apperr.MessageOf(err), "/hello/ belongs to the add-on Hello") {
		t.Errorf("another biller installs another add-on with the address: %v", err)
	}
	if list, err := h.Installed(t.Context(), "southgate"); err != nil || len(list) != 0 {
		t.Errorf("installed %+v, %v", list, err)
	}
	if got := h.Get("/hello/northwind/version"); got.Body != "<p>1.0.0</p>" {
		t.Errorf("the page: %d %s", got.Status, got.Body)
	}
	add("0.9.1", append(another, "prefix: hello", "prefix: other")...)
	mustDo(t, h.Install(t.Context(), south, "another", nil))
	add("1.1.0", "prefix: hello", "prefix: other")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	h.Until("the version is refused", func() bool {
		list, err := h.Addons(t.Context())
		mustDo(t, err)
		for _, s := range list {
			if s.AddonID == "hello" && s.Failed.Version.Version == "1.1.0" {
				return strings.Contains(s.Failed.Reason, "/other/ belongs to the add-on Another")
			}
		}
		return false
	})
	if got := h.Get("/hello/northwind/version"); got.Body != "<p>1.0.0</p>" {
		t.Errorf("the page afterwards: %d %s", got.Status, got.Body)
	}
}

// TestRaceForAnAddress has sixteen staff install two add-ons with one address at once:
// one of the two is the platform's.
func TestRaceForAnAddress(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	add("0.9.0", "id: hello", "id: another", "name: Hello", "name: Another")
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	var wg sync.WaitGroup
	for i := range 16 {
		id := []string{"hello", "another"}[i%2]
		wg.Go(func() {
			if err := h.Install(t.Context(), hosttest.Dana(), id, nil); err != nil && !apperr.Is(err, apperr.Conflict) {
				t.Errorf("install %s: %v", id, err)
			}
		})
	}
	wg.Wait()
	if list, err := h.Addons(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("the platform runs %+v, %v", list, err)
	}
}
