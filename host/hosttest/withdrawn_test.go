package hosttest_test

import (
	"context"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
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
	if w.gone.Load() {
		return w.what(), nil
	}
	return w.Source.Look(ctx)
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

const wasWithdrawn = "hello 1.0.0 was withdrawn from the marketplace on 21 November 2026."

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
