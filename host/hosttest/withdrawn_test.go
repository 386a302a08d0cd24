package hosttest_test

import (
	"context"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// withdrawing is a marketplace that withdraws hello 1.0.0: when gone is set or, with
// late, after it was listed and before it is fetched.
type withdrawing struct {
	marketplace.Source
	gone, late atomic.Bool
}

func (w *withdrawing) what() marketplace.Listing {
	return marketplace.Listing{Withdrawn: []marketplace.Withdrawn{{ID: "hello", Version: "1.0.0", At: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}}}
}

// List implements marketplace.Source.
func (w *withdrawing) List(ctx context.Context) ([]marketplace.Offer, error) {
	if w.gone.Load() {
		return nil, nil
	}
	return w.Source.List(ctx)
}

// Look implements marketplace.Source.
func (w *withdrawing) Look(ctx context.Context) (marketplace.Listing, error) {
	known, err := w.Source.Look(ctx)
	if w.gone.Load() {
		known.Withdrawn = w.what().Withdrawn
		known.Offers = slices.DeleteFunc(known.Offers, func(o marketplace.Offer) bool { return o.Manifest.Version == "1.0.0" })
	}
	return known, err
}

// Fetch implements marketplace.Source.
func (w *withdrawing) Fetch(ctx context.Context, id, version string) (io.ReadCloser, error) {
	if w.late.Load() {
		w.gone.Store(true)
	}
	if w.gone.Load() {
		return nil, w.what().Missing(id, version)
	}
	return w.Source.Fetch(ctx, id, version)
}

const wasWithdrawn = "hello 1.0.0 was withdrawn from the marketplace on 21 November 2026 (UTC)."

// TestWithdrawnMeanwhile agrees to a version that is withdrawn before the click, and
// to one that is withdrawn while it is installed.
func TestWithdrawnMeanwhile(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(*withdrawing){
		"before": func(w *withdrawing) { w.gone.Store(true) },
		"midway": func(w *withdrawing) { w.late.Store(true) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &withdrawing{Source: marketplace.NewFolder(hosttest.MustHello(t), hosttest.Log(t))}
			h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Marketplace, c.Packages = w, "" })
			begin(w)
			mustDo(t, h.BeginInstall(t.Context(), hosttest.Dana(), "hello", "1.0.0", nil))
			h.Until("it says withdrawn", func() bool {
				i, err := h.Installing(t.Context(), "northwind", "hello")
				return err == nil && i.Problem == wasWithdrawn
			})
			if list, err := h.Installed(t.Context(), "northwind"); err != nil || len(list) != 0 {
				t.Errorf("installed: %+v, %v", list, err)
			}
			if got := h.Get(hello); got.Status != 404 || !strings.Contains(got.Body, "It cannot be installed any more.") {
				t.Errorf("its page: %d %s", got.Status, got.Body)
			}
			if got := h.Get(operate); got.Status != 404 || !strings.Contains(got.Body, wasWithdrawn) {
				t.Errorf("its operation: %d %s", got.Status, got.Body)
			}
		})
	}
}

// TestWithdrawnVersionServesOn where its package is; a host that never had it says
// so, and takes no other version on its own.
func TestWithdrawnVersionServesOn(t *testing.T) {
	t.Parallel()
	w := &withdrawing{Source: marketplace.NewFolder(hosttest.MustHello(t), hosttest.Log(t))}
	at := sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(t.TempDir(), "host.db")}
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Marketplace, c.Packages, c.Database = w, "", at })
	h.MustInstall("hello")
	w.gone.Store(true)
	mustShow(t, h, hello, "Version 1.0.0 was withdrawn from the marketplace", "It keeps running for you")
	h.Until("the server tells what it runs", func() bool {
		page := h.Get(operate).Body
		return strings.Contains(page, "Servers") && strings.Contains(page, "Healthy")
	})
	mustShow(t, h, operate, "Version 1.0.0 was withdrawn from the marketplace", "Servers", "Healthy")

	var config host.Config
	late := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) {
		c.Marketplace, c.Packages, c.Database = w, "", at
		config = *c
	})
	got := late.Get(hello)
	if got.Status != 404 || !strings.Contains(got.Body, "ask whoever runs this platform for another version") || strings.Contains(got.Body, "no such add-on") {
		t.Errorf("on a host without the package: %d %s", got.Status, got.Body)
	}

	dir, add := hosttest.MustVersions(t)
	add("1.1.0")
	config.Marketplace, config.Packages, config.DataDir = nil, dir, t.TempDir()
	other, err := host.New(t.Context(), config, &hosttest.Platform{}) // it offers another version, and is not run
	mustDo(t, err)
	t.Cleanup(func() { mustDo(t, other.Close()) })
	south := hosttest.Dana()
	south.BillerID = "southgate"
	if err := other.Install(t.Context(), south, "hello", nil); !apperr.Is(err, apperr.Unavailable) || !strings.Contains(apperr.MessageOf(err), "hello 1.0.0, which the platform runs") {
		t.Errorf("Install on a host without the package = %v", err)
	}
	list, err := h.Addons(t.Context())
	if err != nil || len(list) != 1 || list[0].Version != "1.0.0" {
		t.Errorf("the platform runs %+v, %v", list, err)
	}
	if got := h.Get("/hello/northwind/"); got.Status != 200 {
		t.Errorf("it no longer serves: %d", got.Status)
	}
}

// mustLeave returns a host that has gone from hello 1.0.0 to 1.1.0, and the
// marketplace, which then withdraws 1.0.0.
func mustLeave(t *testing.T) *hosttest.Host {
	t.Helper()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	w := &withdrawing{Source: marketplace.NewFolder(dir, hosttest.Log(t))}
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Marketplace, c.Packages = w, "" })
	h.MustInstall("hello")
	add("1.1.0")
	mustDo(t, h.Upgrade(t.Context(), hosttest.Dana(), "hello", "1.1.0", ""))
	mustServe(t, h, "1.1.0")
	w.gone.Store(true)
	return h
}

// TestNoReturnToWithdrawn crashes a new version on probation whose forerunner was
// withdrawn: the platform says so, stays and starts it again.
func TestNoReturnToWithdrawn(t *testing.T) {
	t.Parallel()
	h := mustLeave(t)
	if got := h.Get("/hello/northwind/crash"); got.Status != 502 {
		t.Errorf("crash: %d", got.Status)
	}
	h.Until("the platform has refused to return", func() bool { return !mustStatus(t, h).Failed.At.IsZero() })
	s := mustStatus(t, h)
	if s.Version != "1.1.0" || s.Failed.Version.Version != "1.1.0" || s.OnProbation(time.Now()) ||
		!strings.Contains(s.Failed.Reason, "does not return to 1.0.0 by itself: it was withdrawn from the marketplace on 21 November 2026 (UTC)") {
		t.Errorf("status = %+v", s)
	}
	mustDo(t, h.Retry(t.Context(), hosttest.Dana(), "hello"))
	mustServe(t, h, "1.1.0")
	mustShow(t, h, operate, "Version 1.1.0 failed", "1.1.0 failed; not back to 1.0.0, which was withdrawn", "1.0.0, withdrawn")
}

// TestRollbackToWithdrawn takes a confirmation, and is told of wherever the version
// is shown. Nobody rolls back twice.
func TestRollbackToWithdrawn(t *testing.T) {
	t.Parallel()
	h := mustLeave(t)
	dana := hosttest.Dana()
	if err := h.Rollback(t.Context(), dana, "hello", ""); !apperr.Is(err, apperr.Invalid) || !strings.Contains(apperr.MessageOf(err), wasWithdrawn) {
		t.Errorf("Rollback = %v", err)
	}
	seen := mustStatus(t, h).Digest
	if got := h.Post(operate+"/rollback", "version=1.0.0&seen="+seen); got.Status == 303 || !strings.Contains(got.Body, wasWithdrawn) {
		t.Errorf("a page from before: %d %s", got.Status, got.Body)
	}
	ask := mustShow(t, h, operate+"/rollback", "Version 1.0.0 was withdrawn from the marketplace on", "Roll back to 1.0.0, although it was withdrawn")
	if got := h.Post(operate+"/rollback", formOf(ask.Body)); got.Status != 303 || got.Header.Get("Location") != operate {
		t.Errorf("confirmed: %d %s", got.Status, got.Header.Get("Location"))
	}
	mustServe(t, h, "1.0.0")
	if s := mustStatus(t, h); s.WithdrawnAt.IsZero() {
		t.Errorf("status = %+v", s)
	}
	page := mustShow(t, h, operate, "Version 1.0.0 was withdrawn from the marketplace", `href="`+operate+`/upgrade?version=1.1.0"`)
	if strings.Contains(page.Body, operate+"/rollback") {
		t.Error("the page offers to roll back to a newer version")
	}
	for _, back := range []func(context.Context, addon.Staff, string, string) error{h.Rollback, h.RollbackWithdrawn} {
		if err := back(t.Context(), dana, "hello", ""); !apperr.Is(err, apperr.Conflict) || apperr.MessageOf(err) != "1.0.0 is what ran before; to run 1.1.0 again, upgrade to it." {
			t.Errorf("a second rollback = %v", err)
		}
	}
	mustShow(t, h, operate+"/upgrade?version=1.1.0", "the platform does not return to 1.0.0 by itself")
}

// TestOlderIsNoUpgrade calls it a change.
func TestOlderIsNoUpgrade(t *testing.T) {
	t.Parallel()
	h, add := mustVersions(t)
	add("0.9.0")
	page := mustShow(t, h, operate, `/upgrade?version=0.9.0">Change to<`)
	if strings.Contains(page.Body, ">Upgrade<") {
		t.Error("an older version is offered as an upgrade")
	}
	ask := mustShow(t, h, operate+"/upgrade?version=0.9.0", "Change to 0.9.0</button>")
	if strings.Contains(ask.Body, "Upgrade") {
		t.Errorf("the question calls it an upgrade: %s", ask.Body)
	}
	h.Post(operate+"/upgrade", formOf(ask.Body))
	mustServe(t, h, "0.9.0")
	mustShow(t, h, operate, "Change from 1.0.0 to 0.9.0", `/upgrade?version=1.0.0">Upgrade<`)
}
