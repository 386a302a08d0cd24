package hosttest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// mustVersions returns a host that serves hello 1.0.0, and a function that offers
// another version.
func mustVersions(t *testing.T, change ...func(*host.Config, *hosttest.Platform)) (*hosttest.Host, func(version string, change ...string)) {
	t.Helper()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	change = append(change, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	h := hosttest.MustHost(t, change...)
	h.MustInstall("hello")
	return h, add
}

func mustStatus(t *testing.T, h *hosttest.Host) host.Status {
	t.Helper()
	list, err := h.Addons(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("Addons = %+v, %v", list, err)
	}
	return list[0]
}

// mustServe waits until a version answers and nothing else is wanted.
func mustServe(t *testing.T, h *hosttest.Host, version string) {
	t.Helper()
	h.Until("version "+version+" serves", func() bool {
		s := mustStatus(t, h)
		return s.Serving.Version == version && s.Version == version && s.Next.Digest == ""
	})
	if got := h.Get("/hello/northwind/version"); got.Status != 200 || got.Body != "<p>"+version+"</p>" {
		t.Fatalf("version page: %d %s", got.Status, got.Body)
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// load asks for pages until stop is called, and returns what failed.
func load(t *testing.T, h *hosttest.Host) (stop func() (asked int64, failures []string)) {
	t.Helper()
	var asked atomic.Int64
	var mu sync.Mutex
	var failures []string
	end := make(chan struct{})
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	ask := func(path string) error {
		res, err := client.Get(h.URL + path)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(res.Body)
		err = errors.Join(err, res.Body.Close())
		if err == nil && res.StatusCode != 200 {
			err = errors.New(res.Status + " " + string(body))
		}
		return err
	}
	var wg sync.WaitGroup
	for i := range 8 {
		path := []string{"/hello/northwind/version", "/hello/northwind/biller", "/admin/addons/hello/", "/hello/northwind/"}[i%4]
		wg.Go(func() {
			// People read what they get; a machine that only asks would starve
			// the new versions of time to start.
			next := time.NewTicker(10 * time.Millisecond)
			defer next.Stop()
			for {
				select {
				case <-end:
					return
				case <-next.C:
				}
				asked.Add(1)
				if err := ask(path); err != nil {
					mu.Lock()
					failures = append(failures, path+": "+err.Error())
					mu.Unlock()
				}
			}
		})
	}
	return func() (int64, []string) {
		close(end)
		wg.Wait()
		client.CloseIdleConnections()
		return asked.Load(), failures
	}
}

// TestUpgradeUnderLoad goes to a new version and back, 20 times, while requests
// come; none may fail.
func TestUpgradeUnderLoad(t *testing.T) {
	t.Parallel()
	upgradeUnderLoad(t)
}

func upgradeUnderLoad(t *testing.T) (asked int64) {
	t.Helper()
	h, add := mustVersions(t)
	add("1.1.0")
	stop := load(t, h)
	for range 20 {
		mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
		mustServe(t, h, "1.1.0")
		mustDo(t, h.Rollback(t.Context(), hosttest.Dana(), "hello", ""))
		mustServe(t, h, "1.0.0")
	}
	asked, failures := stop()
	if len(failures) > 0 || asked < 100 {
		t.Errorf("%d of %d requests failed: %s", len(failures), asked, strings.Join(failures[:min(3, len(failures))], "\n"))
	}
	h.Until("it is healthy", func() bool { return mustStatus(t, h).State == supervisor.Healthy })
	if s := mustStatus(t, h); s.Failures != 0 {
		t.Errorf("status = %+v", s)
	}
	return asked
}

func TestBrokenVersionIsRefused(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	pid := mustPID(t, h)
	add("1.1.0-broken")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "", ""))
	h.Until("the version is refused", func() bool { return mustStatus(t, h).Failed.Version.Version == "1.1.0-broken" })
	if s := mustStatus(t, h); !namesHost(s.Failed.Reason, "The first page answered with status 500.") || s.Version != "1.0.0" || s.Next.Digest != "" {
		t.Errorf("status = %+v", s)
	}
	if again := mustPID(t, h); again != pid {
		t.Errorf("process %d serves now, not %d", again, pid)
	}
	if err := h.Rollback(t.Context(), hosttest.Dana(), "hello", ""); !apperr.Is(err, apperr.Conflict) {
		t.Errorf("Rollback without a version before = %v", err)
	}
}

func TestCrashOnProbationLeadsBack(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("1.1.0")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	if s := mustStatus(t, h); s.Previous.Version != "1.0.0" || !s.OnProbation(time.Now()) {
		t.Errorf("status = %+v", s)
	}
	if got := h.Get("/hello/northwind/crash"); got.Status != 502 {
		t.Errorf("crash: %d", got.Status)
	}
	mustServe(t, h, "1.0.0")
	s := mustStatus(t, h)
	if s.Failed.Version.Version != "1.1.0" || !namesHost(s.Failed.Reason, "The add-on ended unexpectedly.") || !strings.Contains(s.Report, "told to crash") {
		t.Errorf("status = %+v", s)
	}
}

func TestCrashAfterProbationDoesNotLeadBack(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t, func(c *host.Config, _ *hosttest.Platform) { c.Probation = time.Nanosecond })
	add("1.1.0")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	pid := mustPID(t, h)
	mustKill(t, pid)
	h.Until("another process serves", func() bool { s := mustStatus(t, h); return s.PID != 0 && s.PID != pid })
	mustServe(t, h, "1.1.0")
}

// TestMorePermissionsWaitForStaff upgrades to a version that asks for more than
// the biller agreed to.
func TestMorePermissionsWaitForStaff(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("1.1.0", "permissions:\n", "permissions:\n  - name: customers:read\n    reason: To greet customers by name.\n")
	customers := func() string { return h.Get("/hello/northwind/customers").Body }
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	if got := customers(); got != "<p>permission_denied</p>" {
		t.Errorf("before staff agree: %s", got)
	}
	if got := h.Get("/hello/northwind/biller"); !strings.Contains(got.Body, "northwind Pool Service") {
		t.Errorf("what was agreed to before: %s", got.Body)
	}
	h.Until("staff are asked", func() bool {
		return strings.Contains(h.Get("/admin/marketplace/hello").Body, "To greet customers by name.")
	})
	mustDo(t, h.Install(t.Context(), hosttest.Dana(), "hello", nil))
	h.Until("the permission counts", func() bool { return customers() == "<p>not_found</p>" })

	mustDo(t, h.Rollback(t.Context(), hosttest.Dana(), "hello", ""))
	mustServe(t, h, "1.0.0")
	list, err := h.Installed(t.Context(), "northwind")
	if err != nil || len(list) != 1 || list[0].State != addon.Enabled {
		t.Errorf("installations = %+v, %v", list, err)
	}
}

func TestUpgradeErrors(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("2.0.0", `">=1.0.0 <2.0.0"`, `">=9.0.0"`)
	for _, tt := range []struct {
		what string
		err  error
		code apperr.Code
	}{
		{"not running", h.Upgrade(t.Context(), hosttest.Dana(), "other", "", ""), apperr.NotFound},
		{"not offered", h.Upgrade(t.Context(), hosttest.Dana(), "hello", "3.0.0", ""), apperr.NotFound},
		{"for another host", h.Upgrade(t.Context(), hosttest.Dana(), "hello", "2.0.0", ""), apperr.Invalid},
		{"roll back what does not run", h.Rollback(t.Context(), hosttest.Dana(), "other", ""), apperr.NotFound},
		{"retry what does not run", h.Retry(t.Context(), hosttest.Dana(), "other"), apperr.NotFound},
	} {
		if !apperr.Is(tt.err, tt.code) {
			t.Errorf("%s: %v, want %s", tt.what, tt.err, tt.code)
		}
	}
	pid := mustPID(t, h)
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.0.0", ""))
	mustDo(t, h.Retry(t.Context(), hosttest.Dana(), "hello"))
	mustServe(t, h, "1.0.0")
	if again := mustPID(t, h); again != pid {
		t.Errorf("process %d serves now, not %d", again, pid)
	}
}

// TestAnotherProcessUpgrades is a command line that shares the database with a
// host that runs.
func TestAnotherProcessUpgrades(t *testing.T) {
	t.Parallel()
	var config *host.Config
	h, add := mustVersions(t, func(c *host.Config, _ *hosttest.Platform) { config = c })
	add("1.1.0")
	other, err := host.New(t.Context(), *config, h.Platform)
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, other.Close()) })
	mustDo(t, other.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	pid := mustPID(t, h)
	h.Until("the other process knows how it is", func() bool {
		list, err := other.Addons(t.Context())
		mustDo(t, err)
		if len(list) != 1 || list[0].Version != "1.1.0" || list[0].PID != 0 || len(list[0].Processes) > 1 {
			t.Fatalf("Addons = %+v", list)
		}
		if len(list[0].Processes) == 0 {
			return false // the host has not told yet
		}
		s, p := list[0], list[0].Processes[0]
		return s.State == supervisor.Healthy && p.PID == pid && p.Version.Version == "1.1.0" && len(p.Protection) > 0
	})
	mustDo(t, other.Rollback(t.Context(), hosttest.Dana(), "hello", ""))
	mustServe(t, h, "1.0.0")
}

// TestDevTakesTheNewestBuildAtStart ends a host, offers another version and starts
// the host again.
func TestDevTakesTheNewestBuildAtStart(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	data := t.TempDir()
	add("1.0.0")
	for _, version := range []string{"1.0.0", "1.1.0"} {
		t.Run(version, func(t *testing.T) {
			add(version)
			h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) {
				c.Packages, c.DataDir, c.Database.DSN = dir, data, data+"/host.db"
			})
			mustDo(t, h.Install(t.Context(), hosttest.Dana(), "hello", nil))
			mustServe(t, h, version)
		})
	}
}

// namesHost tells whether the reason says on which host, and what.
func namesHost(reason, what string) bool {
	name, err := os.Hostname()
	return err == nil && reason == fmt.Sprintf("On %s:%d: %s", name, os.Getpid(), what)
}
