package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// keptMarket is where a platform's add-ons come from: a signed marketplace, or a
// folder of packages that was named. All paths are absolute; zero is neither.
type keptMarket struct {
	URL      string `json:"marketplace_url,omitempty"`
	Root     string `json:"marketplace_root,omitempty"`
	Packages string `json:"packages_dir,omitempty"`
}

// keptMarketFile is where the running platform writes where its add-ons come from,
// for commands that are not told.
func (c Config) keptMarketFile() string { return filepath.Join(c.DataDir, "addons-from.json") }

// keepMarket writes that down; it stays when the platform stops.
func (s *server) keepMarket() error {
	kept := keptMarket{URL: s.config.MarketplaceURL, Root: s.config.MarketplaceRoot}
	if s.config.packagesNamed {
		kept.Packages = s.config.Packages
	}
	for _, path := range []*string{&kept.URL, &kept.Root, &kept.Packages} {
		if *path == "" || strings.Contains(*path, "://") {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return fmt.Errorf("find marketplace: %w", err)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keep marketplace: %w", err)
	}
	path := s.config.keptMarketFile()
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("keep marketplace: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("keep marketplace: %w", err)
	}
	return nil
}

// recallMarket takes from DATA_DIR where add-ons come from, unless the command was
// told.
func (c *Config) recallMarket() error {
	if c.MarketplaceURL != "" || c.packagesNamed {
		return nil
	}
	text, err := os.ReadFile(c.keptMarketFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recall marketplace: %w", err)
	}
	var kept keptMarket
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("recall marketplace: read %s: %w", c.keptMarketFile(), err)
	}
	c.MarketplaceURL, c.MarketplaceRoot = kept.URL, kept.Root
	if kept.Packages != "" {
		c.Packages, c.packagesNamed = kept.Packages, true
	}
	return nil
}

// mustOffer refuses where nothing says where add-ons come from.
func (c Config) mustOffer() error {
	if err := c.recallMarket(); err != nil || c.MarketplaceURL != "" || c.packagesNamed {
		return err
	}
	if _, err := os.Stat(c.Packages); !errors.Is(err, fs.ErrNotExist) {
		return nil // what is wrong with the folder shows when it is read
	}
	return fmt.Errorf("MARKETPLACE_URL is not set, neither here nor for the platform that serves, and there is no folder %s", c.Packages)
}
