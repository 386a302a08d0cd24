package main

import (
	"context"
	"fmt"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// addonVersionCommands choose which version of an add-on the platform runs, for
// all billers.
type addonVersionCommands struct {
	Status   addonStatusCommand   `cmd:"" help:"Show which version of each add-on the platform runs, and what became of the last upgrade."`
	Upgrade  addonUpgradeCommand  `cmd:"" help:"Run another version of an add-on; running servers try it beside the old one and switch."`
	Rollback addonRollbackCommand `cmd:"" help:"Go back to the version before, on the same path."`
	Retry    addonRetryCommand    `cmd:"" help:"Start an add-on at once that rests after failures or is broken."`
}

type addonUpgradeCommand struct {
	Addon   string        `arg:"" help:"Id of the add-on."`
	Version string        `placeholder:"VERSION" help:"Version to run; the newest that is offered if not given."`
	Wait    time.Duration `placeholder:"DURATION" help:"Wait so long for running servers to switch, and fail if they do not."`
}

func (cmd *addonUpgradeCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		if err := c.mustOffer(); err != nil {
			return err
		}
		if err := h.Upgrade(ctx, operator(), cmd.Addon, cmd.Version, ""); err != nil {
			return err
		}
		return outcome(ctx, p, h, cmd.Addon, cmd.Wait)
	})
}

type addonRollbackCommand struct {
	Addon     string        `arg:"" help:"Id of the add-on."`
	Withdrawn bool          `help:"Go back also to a version that was withdrawn from the marketplace."`
	Wait      time.Duration `placeholder:"DURATION" help:"Wait so long for running servers to switch, and fail if they do not."`
}

func (cmd *addonRollbackCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		back := h.Rollback
		if cmd.Withdrawn {
			back = h.RollbackWithdrawn
		}
		err := back(ctx, operator(), cmd.Addon, "")
		if apperr.Is(err, apperr.Invalid) { // it wants the confirmation
			return fmt.Errorf("%w (--withdrawn)", err)
		}
		if err != nil {
			return err
		}
		return outcome(ctx, p, h, cmd.Addon, cmd.Wait)
	})
}

// outcome prints what became of the version that is wanted, after a while at
// most.
func outcome(ctx context.Context, p *Program, h *host.Host, addonID string, wait time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, max(wait, 10*time.Second))
	defer cancel()
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	until := time.Now().Add(wait)
	for {
		s, err := statusOf(ctx, h, addonID)
		if err != nil {
			return err
		}
		switch {
		case s.Failed.Digest != "" && s.Failed.Digest == s.Digest:
			return apperr.Errorf(apperr.Unavailable, "%s %s failed: %s", addonID, s.Failed.Version.Version, s.Failed.Reason)
		case s.Failed.Digest != "":
			return apperr.Errorf(apperr.Conflict, "%s %s was refused: %s", addonID, s.Failed.Version.Version, s.Failed.Reason)
		case s.Next.Digest == "":
			_, err := fmt.Fprintf(p.Stdout, "The platform runs %s %s\n", addonID, s.Version)
			return err
		case wait == 0:
			_, err := fmt.Fprintf(p.Stdout, "Running servers will try %s %s; addon status tells what became of it\n", addonID, s.Next.Version)
			return err
		case time.Now().After(until):
			return apperr.Errorf(apperr.Unavailable, "No server has switched to %s %s yet.", addonID, s.Next.Version)
		}
		<-again.C
	}
}

func statusOf(ctx context.Context, h *host.Host, addonID string) (host.Status, error) {
	list, err := h.Addons(ctx)
	if err != nil {
		return host.Status{}, err
	}
	for _, s := range list {
		if s.AddonID == addonID {
			return s, nil
		}
	}
	return host.Status{}, apperr.Errorf(apperr.NotFound, "The platform does not run %s.", addonID)
}

type addonRetryCommand struct {
	Addon string `arg:"" help:"Id of the add-on."`
}

func (cmd *addonRetryCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		if err := h.Retry(ctx, operator(), cmd.Addon); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "Running servers start %s at once\n", cmd.Addon)
		return err
	})
}
