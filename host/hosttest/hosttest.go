// Package hosttest runs a whole host for tests: on a temporary database, with a
// platform of function fields and, as real processes, a small add-on called
// hello or any other package.
package hosttest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// patience is how long a test waits for something that has to happen.
const patience = 3 * time.Minute

// Host is a running host behind a real HTTP server.
type Host struct {
	*host.Host
	Platform *Platform
	// URL is the origin of both surfaces.
	URL string
	tb  testing.TB
}

// MustHost starts a host that offers the add-on hello and ends with the test.
// change may change its configuration, for example Packages, and its platform.
func MustHost(tb testing.TB, change ...func(*host.Config, *Platform)) *Host {
	tb.Helper()
	h := &Host{Platform: &Platform{}, tb: tb}
	// Sockets need a short path, shorter than many a test's TempDir.
	dir, err := os.MkdirTemp("", "host")
	must(tb, err)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	server := httptest.NewUnstartedServer(nil)
	h.URL = "http://" + server.Listener.Addr().String()
	config := host.Config{
		DataDir: dir, Database: sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")}, Key: make([]byte, 32),
		BaseURL: h.URL, PortalBaseURL: h.URL, Packages: MustHello(tb), Dev: true, Version: "test", Log: Log(tb),
		SMTP: mail.Config{URL: "smtp://127.0.0.1:1", From: "no-reply@platform.example", PlatformName: "Platform"},
	}
	for _, f := range change {
		f(&config, h.Platform)
	}
	h.Host, err = host.New(tb.Context(), config, h.Platform)
	must(tb, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	server.Config.Handler = h.Handler()
	server.Start()
	tb.Cleanup(func() {
		server.Close()
		cancel()
		must(tb, <-ended)
		must(tb, h.Close())
	})
	return h
}

// MustInstall installs an add-on for northwind with all that it asks for, and
// waits until it runs.
func (h *Host) MustInstall(addonID string) {
	h.tb.Helper()
	must(h.tb, h.Install(h.tb.Context(), Dana(), addonID, nil))
	h.Until("the add-on runs", func() bool { return h.Ready(h.tb.Context()) == nil })
}

// Answer is an HTTP response, read.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Get asks the host for a path. header are pairs of name and value. Redirects
// are not followed.
func (h *Host) Get(path string, header ...string) Answer {
	h.tb.Helper()
	a, err := h.Try(http.MethodGet, path, "", header...)
	must(h.tb, err)
	return a
}

// Post sends a form.
func (h *Host) Post(path, form string, header ...string) Answer {
	h.tb.Helper()
	a, err := h.Try(http.MethodPost, path, form, append(header, "Content-Type", "application/x-www-form-urlencoded")...)
	must(h.tb, err)
	return a
}

// Try is Get or Post that returns the error of a connection that was cut.
func (h *Host) Try(method, path, body string, header ...string) (Answer, error) {
	r, err := http.NewRequestWithContext(h.tb.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("make request: %w", err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return Answer{}, fmt.Errorf("ask host: %w", err)
	}
	defer func() { _ = res.Body.Close() }() // read whole below
	b, err := io.ReadAll(res.Body)
	return Answer{res.StatusCode, res.Header, string(b)}, err
}

// Until waits for a condition and fails the test when it does not come true.
func (h *Host) Until(what string, ok func() bool) {
	h.tb.Helper()
	Until(h.tb, what, ok)
}

// Until waits for a condition and fails the test when it does not come true.
func Until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-again.C:
		case <-late:
			tb.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// Log writes to the test's log.
func Log(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
