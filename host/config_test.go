package host_test

import (
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*host.Config)
		want   string
	}{
		{"short key", func(c *host.Config) { c.Key = []byte("short") }, "Key must be 32 bytes"},
		{"no folder", func(c *host.Config) { c.DataDir = "" }, "DataDir is missing"},
		{"no log", func(c *host.Config) { c.Log = nil }, "Log is missing"},
		{"address with a path", func(c *host.Config) { c.BaseURL += "/" }, "BaseURL"},
		{"address without a scheme", func(c *host.Config) { c.PortalBaseURL = "pay.example" }, "PortalBaseURL"},
		{"one host for both", func(c *host.Config) { c.PortalBaseURL = c.BaseURL }, "different host names"},
		{"one host, two ports", func(c *host.Config) { c.PortalBaseURL = c.BaseURL + ":8443" }, "different host names"},
		{"plain HTTP", func(c *host.Config) { c.PortalBaseURL = "http://pay.example" }, "must start with https://"},
		{"stale schema", func(*host.Config) {}, "migrate"},
		{"no mail server", func(c *host.Config) { c.Dev, c.SMTP.URL = true, "" }, "SMTP"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := host.Config{
				DataDir: dir, Database: sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")}, Key: make([]byte, 32),
				BaseURL: "https://staff.example", PortalBaseURL: "https://pay.example", Log: slog.New(slog.DiscardHandler),
				SMTP: mail.Config{URL: "smtp://127.0.0.1:1", From: "no-reply@platform.example", PlatformName: "Platform"},
			}
			tt.change(&c)
			h, err := host.New(t.Context(), c, &hosttest.Platform{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("err = %v, want one with %q", err, tt.want)
			}
			if h != nil {
				t.Error("a host came with the error")
			}
		})
	}
}

func TestMigrateThenNew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := host.Config{
		DataDir: dir, Database: sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")}, Key: make([]byte, 32),
		BaseURL: "https://staff.example", PortalBaseURL: "https://pay.example", Log: slog.New(slog.DiscardHandler),
		SMTP: mail.Config{URL: "smtp://127.0.0.1:1", From: "no-reply@platform.example", PlatformName: "Platform"},
	}
	if err := host.Migrate(t.Context(), c.Database); err != nil {
		t.Fatal(err)
	}
	h, err := host.New(t.Context(), c, &hosttest.Platform{})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Ready(t.Context()); err != nil {
		t.Errorf("without add-ons: %v", err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}
