package main

import (
	"context"
	"fmt"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/web"
	"github.com/billing-addons/customer-portal/sdk"
)

type addonCommands struct {
	List      addonListCommand      `cmd:"" help:"List the add-ons of a biller."`
	Install   addonInstallCommand   `cmd:"" help:"Install an add-on with all permissions it asks for; running servers follow."`
	Uninstall addonUninstallCommand `cmd:"" help:"Switch an add-on off for a biller; its data stays."`

	addonVersionCommands  `embed:""`
	addonOperatorCommands `embed:""`
}

type addonInstallCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Addon  string `arg:"" help:"Id of the add-on."`
}

func (cmd *addonInstallCommand) run(ctx context.Context, p *Program, c Config) error {
	return withHost(ctx, p, c, cmd.Biller, func(h *host.Host, by addon.Staff) error {
		if err := c.mustOffer(); err != nil {
			return err
		}
		if err := h.Install(ctx, by, cmd.Addon, nil); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "Installed %s for %s\n", cmd.Addon, cmd.Biller)
		return err
	})
}

type addonUninstallCommand struct {
	Biller string `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Addon  string `arg:"" help:"Id of the add-on."`
}

func (cmd *addonUninstallCommand) run(ctx context.Context, p *Program, c Config) error {
	return withHost(ctx, p, c, cmd.Biller, func(h *host.Host, by addon.Staff) error {
		if err := h.Remove(ctx, by, cmd.Addon); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "Removed %s from %s\n", cmd.Addon, cmd.Biller)
		return err
	})
}

// withHost calls f in the name of the command line: a person without id who may
// install for the biller.
func withHost(ctx context.Context, p *Program, c Config, slug string, f func(*host.Host, addon.Staff) error) error {
	return withPlatform(ctx, p, c, func(h *host.Host, l *ledger) error {
		biller, err := l.BillerBySlug(ctx, slug)
		if err != nil {
			return fmt.Errorf("biller %q: %w", slug, err)
		}
		return f(h, commandLine(biller))
	})
}

// withPlatform opens books and host without running them.
func withPlatform(ctx context.Context, p *Program, c Config, f func(*host.Host, *ledger) error) error {
	log := p.logger(c)
	if err := c.mustExist(); err != nil {
		return err
	}
	if err := c.recallMarket(); err != nil {
		return err
	}
	l, err := openBooks(ctx, c, false)
	if err != nil {
		return err
	}
	defer l.close(log)
	pages, err := web.New(web.Config{Store: l.Store, Log: log, Now: now})
	if err != nil {
		return err
	}
	h, err := openHost(ctx, offline(c), l, platform{l.Store, pages}, "smtp://127.0.0.1:25", log, watch{})
	if err != nil {
		return err
	}
	err = f(h, l)
	if closing := h.Close(); err == nil {
		err = closing
	}
	return err
}

// commandLine is who acts for a biller when the operator types a command.
func commandLine(b sdk.Biller) addon.Staff {
	s := operator()
	s.BillerID = b.ID
	return s
}

// offline fills the origins, which a command that serves nobody does not need.
func offline(c Config) Config {
	c.BaseURL, c.PortalBaseURL = "https://staff.invalid", "https://portal.invalid"
	return c
}
