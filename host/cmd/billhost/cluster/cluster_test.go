package cluster_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// mustHello returns a cluster of three that offers hello, installed in version
// 1.0.0, and a function that offers another one.
func mustHello(t *testing.T) (c *cluster, nodes []*node, dir string, add func(version string, change ...string)) {
	t.Helper()
	dir, add = hosttest.MustVersions(t)
	add("1.0.0")
	c = newCluster(t, dbtest.Postgres(t), dir)
	c.prepare()
	for range 3 {
		nodes = append(nodes, c.serve())
	}
	c.must("addon", "install", "--biller", "northwind", "hello")
	hosttest.Until(t, "all serve 1.0.0", func() bool { return serves(nodes, "1.0.0") })
	return c, nodes, dir, add
}

// load asks nodes for pages until stop is called, and returns what failed.
func load(nodes []*node) (stop func() (asked int, failures []string)) {
	end := make(chan struct{})
	var mu sync.Mutex
	var asked int
	var failures []string
	var wg sync.WaitGroup
	for _, n := range nodes {
		for range 2 {
			wg.Go(func() {
				next := time.NewTicker(20 * time.Millisecond)
				defer next.Stop()
				for {
					select {
					case <-end:
						return
					case <-next.C:
					}
					a, err := n.ask("/hello/northwind/biller")
					mu.Lock()
					asked++
					if err != nil || a.status != http.StatusOK {
						failures = append(failures, fmt.Sprintf("%s: %d %v %.200s", n.name, a.status, err, a.body))
					}
					mu.Unlock()
				}
			})
		}
	}
	return func() (int, []string) {
		close(end)
		wg.Wait()
		return asked, failures
	}
}

func wantNone(t *testing.T, asked int, failures []string) {
	t.Helper()
	if len(failures) > 0 || asked == 0 {
		t.Errorf("%d of %d requests failed: %s", len(failures), asked, strings.Join(failures[:min(5, len(failures))], "\n"))
	}
}

// soon is how long it may take until all hosts do what one was told: less than two
// seconds where nothing else runs, and the machines that test are busy.
const soon = 10 * time.Second

// TestHostsConverge installs and removes an add-on, and looks how soon all hosts
// know. The best of three counts: the machine has other things to do.
func TestHostsConverge(t *testing.T) {
	t.Parallel()
	c, nodes, _, _ := mustHello(t)
	best := time.Hour
	for range 3 {
		c.must("addon", "uninstall", "--biller", "northwind", "hello")
		for _, n := range nodes {
			if a, err := n.ask("/hello/northwind/"); err != nil || a.status != http.StatusServiceUnavailable || !strings.Contains(a.body, "The portal is not available") {
				t.Fatalf("removed: %d %v %s", a.status, err, a.body)
			}
		}
		c.must("addon", "install", "--biller", "northwind", "hello")
		start := time.Now()
		hosttest.Until(t, "all serve again", func() bool { return serves(nodes, "1.0.0") })
		best = min(best, time.Since(start))
	}
	if best > soon {
		t.Errorf("it took %s at best", best)
	}
}

// TestFirstInstallReachesAllHosts begins where no host has seen the add-on.
func TestFirstInstallReachesAllHosts(t *testing.T) {
	t.Parallel()
	best := time.Hour
	for round := 0; round < 3 && best > soon; round++ {
		dir, add := hosttest.MustVersions(t)
		add("1.0.0")
		c := newCluster(t, dbtest.Postgres(t), dir)
		c.prepare()
		nodes := []*node{c.serve(), c.serve()}
		c.must("addon", "install", "--biller", "northwind", "hello")
		start := time.Now()
		hosttest.Until(t, "all serve", func() bool { return serves(nodes, "1.0.0") })
		best = min(best, time.Since(start))
	}
	if best > soon {
		t.Errorf("it took %s at best", best)
	}
}

// TestUpgradeOnAllHosts goes to another version under load, kills one host in the
// middle of the next upgrade, goes back, and starts hosts late.
func TestUpgradeOnAllHosts(t *testing.T) {
	t.Parallel()
	c, nodes, _, add := mustHello(t)
	stop := load(nodes)
	add("1.1.0")
	c.must("addon", "upgrade", "hello", "--wait", "60s")
	hosttest.Until(t, "all serve 1.1.0", func() bool { return serves(nodes, "1.1.0") })
	asked, failures := stop()
	wantNone(t, asked, failures)

	stop = load(nodes[:2])
	add("1.2.0")
	c.must("addon", "upgrade", "hello")
	nodes[2].kill()
	hosttest.Until(t, "the others serve 1.2.0", func() bool { return serves(nodes[:2], "1.2.0") })
	c.must("addon", "rollback", "hello", "--wait", "60s")
	hosttest.Until(t, "the others serve 1.1.0 again", func() bool { return serves(nodes[:2], "1.1.0") })
	asked, failures = stop()
	wantNone(t, asked, failures)

	nodes[2].again()
	nodes = append(nodes, c.serve())
	for _, n := range nodes[2:] {
		hosttest.Until(t, n.name+" joins", func() bool {
			a, err := n.ask("/hello/northwind/version")
			if err == nil && a.status == 200 && a.body != "<p>1.1.0</p>" {
				t.Errorf("%s joins with %s", n.name, a.body)
			}
			return err == nil && a.status == 200
		})
	}
}

// TestTwoOperators want different versions at the same time: all hosts run the one
// that the database names in the end.
func TestTwoOperators(t *testing.T) {
	t.Parallel()
	c, nodes, _, add := mustHello(t)
	stop := load(nodes)
	add("1.1.0")
	add("1.2.0")
	for range 3 {
		var wg sync.WaitGroup
		for _, version := range []string{"1.1.0", "1.2.0"} {
			wg.Go(func() {
				if _, err := c.try("addon", "upgrade", "hello", "--version", version); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		hosttest.Until(t, "all serve one version and nothing else is wanted", func() bool {
			status := c.must("addon", "status", "--json")
			return !strings.Contains(status, `"wanted"`) &&
				(strings.Contains(status, `"version":"1.1.0"`) && serves(nodes, "1.1.0") || strings.Contains(status, `"version":"1.2.0"`) && serves(nodes, "1.2.0"))
		})
	}
	asked, failures := stop()
	wantNone(t, asked, failures)
}

// TestOneHostRefuses offers a version that one host cannot run: there is a
// file where it is to be unpacked. It runs nowhere then.
func TestOneHostRefuses(t *testing.T) {
	t.Parallel()
	c, nodes, dir, add := mustHello(t)
	add("1.1.0")
	offers, err := marketplace.NewFolder(dir, slog.New(slog.DiscardHandler)).List(t.Context())
	if err != nil || len(offers) != 2 {
		t.Fatal(offers, err)
	}
	spoiled := filepath.Join(c.dir, nodes[2].name, "host", "packages", offers[0].Digest)
	if err := os.WriteFile(spoiled, []byte("no folder"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := load(nodes)
	if out, err := c.try("addon", "upgrade", "hello"); err != nil && !strings.Contains(out, "hello 1.1.0 was refused") { // by then
		t.Fatal(err)
	}
	hosttest.Until(t, "the version is refused", func() bool {
		return strings.Contains(c.must("addon", "status", "--json"), `"refused":"1.1.0"`)
	})
	hosttest.Until(t, "all serve 1.0.0", func() bool { return serves(nodes, "1.0.0") })
	asked, failures := stop()
	wantNone(t, asked, failures)
}
