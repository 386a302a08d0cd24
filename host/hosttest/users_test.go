package hosttest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

// TestAddonsAreUsersOfTheirOwn with a database, pages, and calls of the host.
func TestAddonsAreUsersOfTheirOwn(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, who alone starts processes of other users")
	}
	dir := mustPack(t, "sdk/example/notices")
	hello, err := os.ReadFile(filepath.Join(hosttest.MustHello(t), "package.addon"))
	mustDo(t, err)
	mustDo(t, os.WriteFile(filepath.Join(dir, "hello.addon"), hello, 0o600))
	users := supervisor.Users{First: 72000, Last: 72099}
	var data string
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) {
		c.Packages, c.AddonUsers, data = dir, users, c.DataDir
	})
	h.MustInstall("notice-board")
	h.MustInstall("hello")
	for _, path := range []string{"/notices/northwind/", "/hello/northwind/biller"} {
		if got := h.Get(path); got.Status != http.StatusOK {
			t.Errorf("%s: %d %.300s", path, got.Status, got.Body)
		}
	}
	owners := map[uint32]bool{}
	for _, file := range []string{"notice-board", "notice-board/data.db", "hello"} {
		info, err := os.Stat(filepath.Join(data, "addons", file))
		mustDo(t, err)
		uid := info.Sys().(*syscall.Stat_t).Uid
		owners[uid] = true
		if uid < 72000 || uid > 72099 {
			t.Errorf("%s belongs to %d", file, uid)
		}
	}
	if len(owners) != 2 {
		t.Errorf("the add-ons are users %v", owners)
	}
	if info, err := os.Stat(filepath.Join(data, "host.db")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the host's database: %v, %v", info.Mode(), err)
	}
	list, err := h.Addons(t.Context())
	mustDo(t, err)
	for _, s := range list {
		if !slices.Contains(s.Protection, supervisor.ProtectionUser) {
			t.Errorf("%s runs under %v", s.AddonID, s.Protection)
		}
	}
}
