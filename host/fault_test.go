package host_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// Environment of a host that kills itself at a step of a purge.
const (
	faultEnv    = "HOST_TEST_FAULT"
	dataEnv     = "HOST_TEST_DATA"
	packagesEnv = "HOST_TEST_PACKAGES"
	hostDBEnv   = "HOST_TEST_HOST_DB"
	addonDBEnv  = "HOST_TEST_ADDON_DB"
)

// TestMain runs the tests, or this binary as a host that is to be killed.
func TestMain(m *testing.M) {
	if point := os.Getenv(faultEnv); point != "" {
		os.Exit(runUntilKilled(point))
	}
	code := m.Run()
	hosttest.Clean()
	os.Exit(code)
}

// runUntilKilled ends by SIGKILL at the point; it returns if that never comes.
func runUntilKilled(point string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	at := site{data: os.Getenv(dataEnv), packages: os.Getenv(packagesEnv), host: parseDB(os.Getenv(hostDBEnv)), addon: parseDB(os.Getenv(addonDBEnv))}
	h, err := host.New(ctx, at.config(), &hosttest.Platform{})
	if err != nil {
		return 2
	}
	h.SetFault(func(reached string) {
		if reached == point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing comes after it
			select {}
		}
	})
	if err := h.Run(ctx); err != nil {
		return 3
	}
	return 4
}

// site is where a host keeps things, so that one follows another.
type site struct {
	data, packages string
	host, addon    sqldb.Config
}

func (s site) config() host.Config {
	const origin = "http://127.0.0.1:1"
	return host.Config{
		DataDir: s.data, Database: s.host, Key: make([]byte, 32), BaseURL: origin, PortalBaseURL: origin, Packages: s.packages,
		Dev: true, Version: "test", Log: discard(), SMTP: mail.Config{URL: "smtp://127.0.0.1:1", From: "no-reply@platform.example", PlatformName: "Platform"},
		AddonDatabase: func(context.Context, string) (sdk.Database, error) {
			return sdk.Database{Driver: s.addon.Driver, DSN: s.addon.DSN, DirectDSN: s.addon.DirectDSN}, nil
		},
	}
}

func formatDB(c sqldb.Config) string { return c.Driver + "|" + c.DSN + "|" + c.DirectDSN }

func parseDB(text string) sqldb.Config {
	parts := strings.SplitN(text, "|", 3)
	if len(parts) < 3 {
		return sqldb.Config{}
	}
	return sqldb.Config{Driver: parts[0], DSN: parts[1], DirectDSN: parts[2]}
}

// TestKilledPurgeIsDone kills the host at each step of a purge and starts another
// one: the data is exported and deleted, and the other biller's stays.
func TestKilledPurgeIsDone(t *testing.T) {
	t.Parallel()
	packages := t.TempDir()
	must(t, hosttest.Pack(packages, "github.com/billing-addons/customer-portal/sdk/example/notices", filepath.Join("..", "sdk", "example", "notices", "manifest.yaml")))
	for driver, open := range map[string]func(testing.TB, ...sqldb.Migrations) sqldb.Config{sqldb.SQLite: dbtest.SQLite, sqldb.Postgres: dbtest.Postgres} {
		for _, point := range []string{"claimed", "settled", "kept", "purged", "audited", "ended"} {
			t.Run(driver+"/"+point, func(t *testing.T) {
				t.Parallel()
				data, err := os.MkdirTemp("", "host")
				must(t, err)
				t.Cleanup(func() { must(t, os.RemoveAll(data)) })
				at := site{data: data, packages: packages, host: open(t), addon: open(t)}
				t.Run("write", func(t *testing.T) { write(t, at) })
				order(t, at)
				kill(t, at, point)
				t.Run("finish", func(t *testing.T) { finish(t, at) })
			})
		}
	}
}

// mustRun runs a whole host at the site, until the test ends.
func mustRun(t *testing.T, at site) *hosttest.Host {
	t.Helper()
	return hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) {
		ours := at.config()
		c.DataDir, c.Packages, c.Database, c.AddonDatabase = ours.DataDir, ours.Packages, ours.Database, ours.AddonDatabase
	})
}

// write leaves a notice of each biller.
func write(t *testing.T, at site) {
	t.Helper()
	h := mustRun(t, at)
	h.MustInstall("notice-board")
	south := hosttest.Dana()
	south.BillerID = "southgate"
	must(t, h.Install(t.Context(), south, "notice-board", nil))
	day := time.Now().UTC().AddDate(0, 0, 30).Format(time.DateOnly)
	for biller, text := range map[string]string{"northwind": "Ours", "southgate": "Theirs"} {
		h.Until("the notice of "+biller+" is written", func() bool {
			return h.Post("/admin/addons/notice-board/notices", "text="+text+"&first="+time.Now().UTC().AddDate(0, 0, -2).Format(time.DateOnly)+"&last="+day, "Biller", biller).Status == 303
		})
	}
}

// order has northwind's data deleted, while no host runs.
func order(t *testing.T, at site) {
	t.Helper()
	h, err := host.New(t.Context(), at.config(), &hosttest.Platform{})
	must(t, err)
	defer func() { must(t, h.Close()) }()
	must(t, h.Remove(t.Context(), hosttest.Dana(), "notice-board"))
	must(t, h.Purge(t.Context(), hosttest.Dana(), addon.PurgeOrder{AddonID: "notice-board", Name: "Notice Board", KeepExport: true}))
}

func kill(t *testing.T, at site, point string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), faultEnv+"="+point, dataEnv+"="+at.data, packagesEnv+"="+at.packages,
		hostDBEnv+"="+formatDB(at.host), addonDBEnv+"="+formatDB(at.addon))
	err := cmd.Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || !exit.Sys().(syscall.WaitStatus).Signaled() {
		t.Fatalf("the host was not killed at %s: %v", point, err)
	}
}

func finish(t *testing.T, at site) {
	t.Helper()
	h := mustRun(t, at)
	h.Until("the purge is done", func() bool {
		list, err := h.Installed(t.Context(), "northwind")
		return err == nil && len(list) == 0
	})
	files, err := filepath.Glob(filepath.Join(at.data, "exports", "*"))
	must(t, err)
	if len(files) != 1 {
		t.Fatalf("exports = %v", files)
	}
	kept, err := os.ReadFile(files[0])
	if err != nil || !strings.Contains(string(kept), "Ours") || strings.Contains(string(kept), "Theirs") {
		t.Errorf("the kept export is %q, %v", kept, err)
	}
	operations, err := h.Operations(t.Context(), hosttest.Dana(), "notice-board")
	if err != nil || len(operations) != 2 || operations[0].Action != addon.ActionPurged {
		t.Errorf("operations = %+v, %v", operations, err)
	}
	h.Until("the other biller has its notice", func() bool {
		return strings.Contains(h.Get("/notices/southgate/").Body, "Theirs")
	})
	if _, err := h.Export(t.Context(), hosttest.Dana(), "notice-board", nil); !apperr.Is(err, apperr.NotFound) {
		t.Errorf("Export after the purge = %v", err)
	}
	must(t, h.Install(t.Context(), hosttest.Dana(), "notice-board", nil))
	h.Until("the board is empty", func() bool {
		got := h.Get("/notices/northwind/")
		return got.Status == 200 && !strings.Contains(got.Body, "Ours")
	})
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
