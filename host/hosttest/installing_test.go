package hosttest_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/marketplace"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// broken is a marketplace whose packages cannot be had until it is mended.
type broken struct {
	marketplace.Source
	mu      sync.Mutex
	mended  bool
	fetched int
	hold    chan struct{} // Fetch waits for it, if there is one
}

// Fetch implements marketplace.Source.
func (b *broken) Fetch(ctx context.Context, id, version string) (io.ReadCloser, error) {
	b.mu.Lock()
	b.fetched++
	mended := b.mended
	b.mu.Unlock()
	if b.hold != nil {
		select {
		case <-b.hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if !mended {
		return nil, apperr.Errorf(apperr.Unavailable, "The network is down.")
	}
	return b.Source.Fetch(ctx, id, version)
}

func mustBroken(tb testing.TB) (*hosttest.Host, *broken) {
	tb.Helper()
	b := &broken{Source: marketplace.NewFolder(hosttest.MustHello(tb), hosttest.Log(tb)), hold: make(chan struct{})}
	h := hosttest.MustHost(tb, func(c *host.Config, _ *hosttest.Platform) { c.Marketplace, c.Packages = b, "" })
	return h, b
}

const progress = "/admin/marketplace/hello/installing"

// TestInstallOnce agrees sixteen times at once: one installation goes on, fails
// with what to do, and the next attempt succeeds.
func TestInstallOnce(t *testing.T) {
	t.Parallel()
	h, b := mustBroken(t)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			got, err := h.Try("POST", "/admin/marketplace/hello/install", "version=1.0.0", "Content-Type", "application/x-www-form-urlencoded")
			if err != nil || got.Status != 303 || got.Header.Get("Location") != progress {
				t.Errorf("agree: %d %v", got.Status, err)
			}
		})
	}
	wg.Wait()
	if got := h.Get(progress); got.Status != 200 || !strings.Contains(got.Body, "Installing Hello…") || got.Header.Get("Refresh") == "" {
		t.Errorf("progress: %d %s", got.Status, got.Body)
	}
	close(b.hold)
	h.Until("it says what is wrong", func() bool { return strings.Contains(h.Get(progress).Body, "The network is down.") })
	b.mu.Lock()
	if b.fetched != 1 {
		t.Errorf("the package was asked for %d times", b.fetched)
	}
	b.mended = true
	b.mu.Unlock()
	if list, err := h.Installed(t.Context(), "northwind"); err != nil || len(list) != 0 {
		t.Errorf("after the failure: %+v, %v", list, err)
	}
	if got := h.Post("/admin/marketplace/hello/install", "version=1.0.0"); got.Status != 303 {
		t.Fatalf("try again: %d %s", got.Status, got.Body)
	}
	h.Until("it is ready", func() bool { return h.Get(progress).Header.Get("Location") == "/admin/addons/hello/" })
	_, err := h.Installing(t.Context(), "northwind", "hello")
	if !apperr.Is(err, apperr.NotFound) {
		t.Errorf("after the end: %v", err)
	}
}

// TestInstallExactlyWhatWasAgreedTo begins with a version that the platform does
// not run by then.
func TestInstallExactlyWhatWasAgreedTo(t *testing.T) {
	t.Parallel()
	h := hosttest.MustHost(t)
	h.MustInstall("hello")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(h.BeginInstall(t.Context(), hosttest.Dana(), "hello", "0.9.0", []string{"mail:send"}))
	h.Until("it is refused", func() bool {
		i, err := h.Installing(t.Context(), "northwind", "hello")
		return err == nil && strings.Contains(i.Problem, "The platform runs version 1.0.0 of Hello by now")
	})
	nobody := hosttest.Dana()
	nobody.Abilities = nil
	if err := h.BeginInstall(t.Context(), nobody, "hello", "1.0.0", nil); !apperr.Is(err, apperr.PermissionDenied) {
		t.Errorf("without the ability: %v", err)
	}
}

// TestCloseInterruptsInstallations stops the host while a package is downloaded.
func TestCloseInterruptsInstallations(t *testing.T) {
	t.Parallel()
	var config *host.Config
	b := &broken{Source: marketplace.NewFolder(hosttest.MustHello(t), hosttest.Log(t)), hold: make(chan struct{})}
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Marketplace, c.Packages, config = b, "", c })
	other, err := host.New(t.Context(), *config, h.Platform)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.BeginInstall(t.Context(), hosttest.Dana(), "hello", "1.0.0", nil); err != nil {
		t.Fatal(err)
	}
	h.Until("the other host sees it", func() bool { return strings.Contains(h.Get(progress).Body, "Installing Hello…") })
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	i, err := h.Installing(t.Context(), "northwind", "hello")
	if err != nil || i.Problem != "The platform was stopped meanwhile." || i.Step != addon.InstallDownloads {
		t.Errorf("after Close: %+v, %v", i, err)
	}
	if got := h.Get(progress); !strings.Contains(got.Body, "Try again") {
		t.Errorf("progress: %s", got.Body)
	}
}
