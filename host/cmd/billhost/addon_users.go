package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/billing-addons/customer-portal/host/supervisor"
)

// addonUsersConfig says which users add-ons run as.
type addonUsersConfig struct {
	AddonUIDs string `name:"addon-uids" env:"ADDON_UIDS" placeholder:"FIRST-LAST" help:"Range of user ids that add-ons run as, each as its own, such as 70000-70999; takes root. Without it they run as this program's user."`

	addonUsers supervisor.Users
}

func (c *Config) checkAddonUsers() error {
	if c.AddonUIDs == "" {
		return nil
	}
	first, last, _ := strings.Cut(c.AddonUIDs, "-")
	var errs [2]error
	c.addonUsers.First, errs[0] = strconv.Atoi(strings.TrimSpace(first))
	c.addonUsers.Last, errs[1] = strconv.Atoi(strings.TrimSpace(last))
	if errs[0] != nil || errs[1] != nil {
		return fmt.Errorf("ADDON_UIDS (--addon-uids) %q must look like 70000-70999", c.AddonUIDs)
	}
	if err := c.addonUsers.Check(); err != nil {
		return fmt.Errorf("ADDON_UIDS (--addon-uids): %w", err)
	}
	return nil
}

// openAddonUsers lets add-ons' users reach what is theirs below DATA_DIR and closes
// the rest of it.
func (c Config) openAddonUsers(log *slog.Logger) error {
	if !c.addonUsers.On() {
		if os.Geteuid() == 0 && c.serving && !c.Dev {
			log.Warn("add-ons run as root; set ADDON_UIDS to a range of user ids that nobody uses, such as 70000-70999")
		}
		return nil
	}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return fmt.Errorf("find DATA_DIR: %w", err)
	}
	return supervisor.LetPass(dir, "host")
}
