package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/billing-addons/customer-portal/host/marketplace"
)

type marketplaceCommands struct {
	Init      marketInitCommand     `cmd:"" help:"Make an empty marketplace and the keys that sign it."`
	Publish   marketPublishCommand  `cmd:"" help:"Offer a package."`
	Withdraw  marketWithdrawCommand `cmd:"" help:"Stop offering a version; hosts are told that it was withdrawn."`
	RotateKey marketRotateCommand   `cmd:"" help:"Give a role new keys; hosts follow by themselves."`
	Refresh   marketRefreshCommand  `cmd:"" help:"Sign anew what ends soon; run it every day."`
	Verify    marketVerifyCommand   `cmd:"" help:"Check all of a marketplace as a host would."`
	List      marketListCommand     `cmd:"" help:"List what a marketplace offers and what it withdrew."`
}

// marketAt says which marketplace a command is about.
type marketAt struct {
	Dir  string `placeholder:"FOLDER" help:"The marketplace, as a web server serves it; marketplace below DATA_DIR by default."`
	Keys string `placeholder:"FOLDER" help:"Its private keys; marketplace-keys below DATA_DIR by default."`
}

func (at marketAt) repository(c Config) marketplace.Repository {
	r := marketplace.Repository{Dir: at.Dir, Keys: at.Keys, Now: now}
	if r.Dir == "" {
		r.Dir = filepath.Join(c.DataDir, "marketplace")
	}
	if r.Keys == "" {
		r.Keys = filepath.Join(c.DataDir, "marketplace-keys")
	}
	return r
}

type marketInitCommand struct {
	marketAt
	Threshold map[string]int `placeholder:"ROLE=N" help:"How many keys of a role must sign; 1 by default."`
	Number    map[string]int `placeholder:"ROLE=N" help:"How many keys a role has; its threshold by default."`
}

func (cmd *marketInitCommand) run(ctx context.Context, p *Program, c Config) error {
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data folder: %w", err)
	}
	r := cmd.repository(c)
	if err := r.Init(ctx, marketplace.Setup{Thresholds: cmd.Threshold, Numbers: cmd.Number}); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "Made a marketplace in %s; its keys are in %s.\nHosts trust it by MARKETPLACE_ROOT=%s\n", r.Dir, r.Keys, r.RootFile())
	return err
}

type marketPublishCommand struct {
	marketAt
	File    string `arg:"" help:"The package, as addon pack writes it."`
	Replace bool   `help:"Take the package also if its version was published with other content, or withdrawn."`
}

func (cmd *marketPublishCommand) run(ctx context.Context, p *Program, c Config) error {
	o, changed, err := cmd.repository(c).Publish(ctx, cmd.File, cmd.Replace)
	if err != nil {
		return err
	}
	text := "Published %s %s\n"
	if !changed {
		text = "%s %s is published already\n"
	}
	_, err = fmt.Fprintf(p.Stdout, text, o.Manifest.ID, o.Manifest.Version)
	return err
}

type marketWithdrawCommand struct {
	marketAt
	Addon   string `arg:"" help:"Id of the add-on."`
	Version string `arg:"" help:"Version to withdraw."`
}

func (cmd *marketWithdrawCommand) run(ctx context.Context, p *Program, c Config) error {
	if err := cmd.repository(c).Withdraw(ctx, cmd.Addon, cmd.Version); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "Withdrew %s %s\n", cmd.Addon, cmd.Version)
	return err
}

type marketRotateCommand struct {
	marketAt
	Role string `arg:"" enum:"root,targets,snapshot,timestamp" help:"root, targets, snapshot or timestamp."`
}

func (cmd *marketRotateCommand) run(ctx context.Context, p *Program, c Config) error {
	if err := cmd.repository(c).RotateKey(ctx, cmd.Role); err != nil {
		return err
	}
	_, err := fmt.Fprintf(p.Stdout, "The role %s has new keys\n", cmd.Role)
	return err
}

type marketRefreshCommand struct{ marketAt }

func (cmd *marketRefreshCommand) run(ctx context.Context, p *Program, c Config) error {
	list, err := cmd.repository(c).Refresh(ctx)
	if err != nil {
		return err
	}
	return p.expiries(list)
}

type marketVerifyCommand struct{ marketAt }

func (cmd *marketVerifyCommand) run(ctx context.Context, p *Program, c Config) error {
	list, err := cmd.repository(c).Verify(ctx)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(p.Stdout, "Everything is as it was signed."); err != nil {
		return err
	}
	return p.expiries(list)
}

// expiries prints until when each role's signature counts.
func (p *Program) expiries(list []marketplace.Expiry) error {
	w := tabwriter.NewWriter(p.Stdout, 0, 8, 2, ' ', 0)
	for _, e := range list {
		fmt.Fprintf(w, "%s\tvalid until %s\n", e.Role, e.At.UTC().Format(time.RFC3339))
	}
	return w.Flush()
}

type marketListCommand struct {
	marketAt
	JSON bool `name:"json" help:"Print JSON."`
}

// listed is one line of the list. At is when it was published or withdrawn;
// Digest and Size are the package's.
type listed struct {
	Addon   string    `json:"addon"`
	Version string    `json:"version"`
	State   string    `json:"state"`
	At      time.Time `json:"at"`
	Digest  string    `json:"digest,omitempty"`
	Size    int64     `json:"size,omitempty"`
}

func (cmd *marketListCommand) run(_ context.Context, p *Program, c Config) error {
	offers, withdrawn, err := cmd.repository(c).List()
	if err != nil {
		return err
	}
	out := []listed{}
	for _, o := range offers {
		out = append(out, listed{o.Manifest.ID, o.Manifest.Version, "offered", o.PackedAt, o.Digest, o.Size})
	}
	for _, w := range withdrawn {
		out = append(out, listed{Addon: w.ID, Version: w.Version, State: "withdrawn", At: w.At})
	}
	if cmd.JSON {
		return json.NewEncoder(p.Stdout).Encode(out)
	}
	for _, l := range out {
		if _, err := fmt.Fprintf(p.Stdout, "%s\t%s\t%s\t%s\n", l.Addon, l.Version, l.State, l.At.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
	}
	return nil
}
