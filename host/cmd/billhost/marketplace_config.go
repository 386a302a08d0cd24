package main

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/billing-addons/customer-portal/host/marketplace"
)

// marketConfig says which signed marketplace add-ons come from.
type marketConfig struct {
	MarketplaceURL  string `name:"marketplace-url" env:"MARKETPLACE_URL" help:"Signed marketplace in place of PACKAGES_DIR: a folder, or an https address."`
	MarketplaceRoot string `env:"MARKETPLACE_ROOT" help:"Its file metadata/1.root.json, which the marketplace is trusted by."`
	AddonPolicy     string `env:"ADDON_POLICY" default:"all" enum:"all,approved" help:"Which add-ons billers may install: all that are on offer, or those that an operator approved."`
}

func (c *Config) checkMarketplace() error {
	if (c.MarketplaceURL == "") != (c.MarketplaceRoot == "") {
		return errors.New("MARKETPLACE_URL and MARKETPLACE_ROOT belong together; set both or none")
	}
	if c.MarketplaceURL != "" && c.Packages != "" {
		return errors.New("MARKETPLACE_URL and PACKAGES_DIR are both set; keep one")
	}
	if strings.HasPrefix(c.MarketplaceURL, "http://") && c.serving && !c.Dev {
		return errors.New("MARKETPLACE_URL must be a folder or begin with https:// outside --dev")
	}
	return nil
}

// market is where add-ons come from; nil means the folder of packages.
func (c Config) market(log *slog.Logger) (marketplace.Source, error) {
	if c.MarketplaceURL == "" {
		return nil, nil
	}
	client, err := marketplace.NewClient(marketplace.ClientConfig{
		URL: c.MarketplaceURL, Root: c.MarketplaceRoot, DataDir: filepath.Join(c.DataDir, "host", "marketplace"), Log: log, Now: now,
	})
	if err != nil {
		return nil, fmt.Errorf("MARKETPLACE_URL and MARKETPLACE_ROOT: %w", err)
	}
	return client, nil
}
