package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/host/mail"
	"github.com/billing-addons/customer-portal/sdk"
)

// addonHost is what billhost uses of package host.
type addonHost interface {
	web.Addons
	publisher
	Handler() http.Handler
	Observe(next http.Handler) http.Handler
	Run(ctx context.Context) error
	Ready(ctx context.Context) error
	Close() error
}

var _ addonHost = (*host.Host)(nil)

// newHost embeds the host in the running platform.
func newHost(ctx context.Context, s *server) (*host.Host, error) {
	return openHost(ctx, s.config, s.books, platform{s.books.Store, s.web}, s.mails.url, s.log, s.watch)
}

// openHost opens the host on its own schema or file.
func openHost(ctx context.Context, c Config, l *ledger, p host.Platform, smtp string, log *slog.Logger, w watch) (*host.Host, error) {
	at, err := l.places.open(ctx, "host")
	if err != nil {
		return nil, err
	}
	key, err := l.places.secret.key("host")
	if err != nil {
		return nil, err
	}
	market, err := c.market(log)
	if err != nil {
		return nil, err
	}
	if err := c.openAddonUsers(log); err != nil {
		return nil, err
	}
	h, err := host.New(ctx, host.Config{
		DataDir: filepath.Join(c.DataDir, "host"), Database: at, AddonDatabase: l.places.addon, AddonUsers: c.addonUsers, Key: key,
		BaseURL: c.BaseURL, PortalBaseURL: c.PortalBaseURL, Marketplace: market, Packages: c.Packages, Policy: host.Policy(c.AddonPolicy),
		SMTP:           mail.Config{URL: smtp, From: c.MailFrom, PlatformName: "Billhost"},
		TrustedProxies: c.proxies, Dev: c.Dev, Version: Version, Log: log, Now: now,
		Metrics: w.registerer(), Tracing: w.tracing,
	}, p)
	if err != nil {
		return nil, fmt.Errorf("open add-ons: %w", err)
	}
	return h, nil
}

// addon returns where an add-on keeps its tables.
func (d databases) addon(ctx context.Context, id string) (sdk.Database, error) {
	at, err := d.open(ctx, "addon_"+strings.ReplaceAll(id, "-", "_"))
	if err != nil {
		return sdk.Database{}, err
	}
	if at.DirectDSN == "" {
		at.DirectDSN = at.DSN
	}
	if d.config.DatabaseURL == "" {
		if at.DSN, err = filepath.Abs(at.DSN); err != nil {
			return sdk.Database{}, fmt.Errorf("find add-on's database: %w", err)
		}
		at.DirectDSN = at.DSN
	}
	return sdk.Database{Driver: at.Driver, DSN: at.DSN, DirectDSN: at.DirectDSN}, nil
}

// migrateHost brings the host's schema up to date.
func migrateHost(ctx context.Context, d databases) error {
	at, err := d.open(ctx, "host")
	if err != nil {
		return err
	}
	return host.Migrate(ctx, at)
}
