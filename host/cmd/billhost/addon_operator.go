package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/cmd/billhost/books"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// addonOperatorCommands are what an operator does beside choosing versions.
type addonOperatorCommands struct {
	Approve    addonApproveCommand    `cmd:"" help:"Let billers install an add-on, where ADDON_POLICY is approved."`
	Disapprove addonDisapproveCommand `cmd:"" help:"Let no further biller install an add-on; those who have it keep it."`
	Purge      addonPurgeCommand      `cmd:"" help:"Delete a removed add-on's data of a biller for good; a running server exports it to a file first."`
	History    addonHistoryCommand    `cmd:"" help:"Show what was done to an add-on of the platform, by whom, and what became of it."`
}

// operator is who acts when somebody types a command: a person of this machine,
// who operates the platform.
func operator() addon.Staff {
	name := strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return addon.Staff{
		ID: books.CommandLine, Name: "command line (" + name + ")", Abilities: []string{addon.AbilityInstall, addon.AbilityOperate},
	}
}

// asOperator makes the person who typed the command the actor of what it records.
// What a server does is done by those who ask it.
func asOperator(ctx context.Context, c Config) context.Context {
	if c.serving {
		return ctx
	}
	by := operator()
	return books.WithActor(ctx, books.Actor{StaffID: by.ID, Name: by.Name})
}

type addonApproveCommand struct {
	Addon string `arg:"" help:"Id of the add-on."`
}

func (cmd *addonApproveCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		if err := c.mustOffer(); err != nil {
			return err
		}
		if err := h.Approve(ctx, operator(), cmd.Addon); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "Billers may install %s\n", cmd.Addon)
		return err
	})
}

type addonDisapproveCommand struct {
	Addon string `arg:"" help:"Id of the add-on."`
}

func (cmd *addonDisapproveCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		if err := h.Disapprove(ctx, operator(), cmd.Addon); err != nil {
			return err
		}
		_, err := fmt.Fprintf(p.Stdout, "%s is not approved any more\n", cmd.Addon)
		return err
	})
}

type addonPurgeCommand struct {
	Biller string        `required:"" placeholder:"SLUG" help:"Slug of the biller."`
	Addon  string        `arg:"" help:"Id of the add-on."`
	Name   string        `required:"" help:"The add-on's name, exactly, to confirm."`
	Wait   time.Duration `placeholder:"DURATION" help:"Wait so long for a running server to do it, and fail if none does."`
}

func (cmd *addonPurgeCommand) run(ctx context.Context, p *Program, c Config) error {
	return withHost(ctx, p, c, cmd.Biller, func(h *host.Host, by addon.Staff) error {
		if err := h.Purge(ctx, by, addon.PurgeOrder{AddonID: cmd.Addon, Name: cmd.Name, KeepExport: true}); err != nil {
			return plain(err)
		}
		return cmd.outcome(ctx, p, h, by.BillerID)
	})
}

// outcome prints what became of the purge, after a while at most.
func (cmd *addonPurgeCommand) outcome(ctx context.Context, p *Program, h *host.Host, biller string) error {
	again := time.NewTicker(250 * time.Millisecond)
	defer again.Stop()
	until := time.Now().Add(cmd.Wait)
	for {
		purging, err := isPurging(ctx, h, biller, cmd.Addon)
		switch {
		case err != nil:
			return err
		case !purging:
			_, err := fmt.Fprintf(p.Stdout, "The data of %s for %s is deleted\n", cmd.Addon, cmd.Biller)
			return err
		case cmd.Wait == 0:
			_, err := fmt.Fprintf(p.Stdout, "A running server exports the data of %s for %s into the folder host/exports below its DATA_DIR, and deletes it as soon as the add-on runs\n", cmd.Addon, cmd.Biller)
			return err
		case time.Now().After(until):
			return apperr.Errorf(apperr.Unavailable, "No server has deleted the data of %s yet: it waits until the add-on runs.", cmd.Addon)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func isPurging(ctx context.Context, h *host.Host, biller, addonID string) (bool, error) {
	list, err := h.Installed(ctx, biller)
	for _, i := range list {
		if i.AddonID == addonID {
			return i.State == addon.Purging, err
		}
	}
	return false, err
}

type addonHistoryCommand struct {
	Addon string `arg:"" help:"Id of the add-on."`
	JSON  bool   `name:"json" help:"Print JSON."`
}

// operationLine is one line of the history.
type operationLine struct {
	At     time.Time `json:"at"`
	Staff  string    `json:"staff"`
	By     string    `json:"by"`
	Action string    `json:"action"`
	Biller string    `json:"biller,omitempty"`
	From   string    `json:"from,omitempty"`
	To     string    `json:"to,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

func (cmd *addonHistoryCommand) run(ctx context.Context, p *Program, c Config) error {
	return withPlatform(ctx, p, c, func(h *host.Host, _ *ledger) error {
		list, err := h.Operations(ctx, operator(), cmd.Addon)
		if err != nil {
			return err
		}
		out := []operationLine{}
		for _, o := range list {
			out = append(out, operationLine{o.At, o.StaffID, o.By, o.Action, o.BillerID, o.From, o.To, oneLine(o.Detail)})
		}
		if cmd.JSON {
			return json.NewEncoder(p.Stdout).Encode(out)
		}
		for _, o := range out {
			line := strings.Join([]string{o.At.Format(time.RFC3339), o.Action, o.From, o.To, o.Biller, o.By, o.Detail}, "\t")
			if _, err := fmt.Fprintln(p.Stdout, strings.TrimRight(line, "\t")); err != nil {
				return err
			}
		}
		return nil
	})
}

// oneLine keeps a text for the operator in its line, and from commanding the
// terminal.
func oneLine(text string) string {
	unseen := func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Cf) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}
	return strings.Join(strings.Fields(strings.Map(unseen, text)), " ")
}
