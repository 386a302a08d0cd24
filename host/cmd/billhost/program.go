package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/billing-addons/customer-portal/host"
)

// Version is what `billhost version` prints; releases set it when they build.
const Version = "0.1.0"

// Program is one run of billhost, so that a test can do what a shell does.
type Program struct {
	// Args are the command line without the program's name.
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// commands is the command line.
type commands struct {
	Config `group:"Of the platform, each also a variable:"`

	Serve    serveCommand        `cmd:"" help:"Run the platform."`
	Migrate  migrateCommand      `cmd:"" help:"Bring the database schemas up to date."`
	Import   importCommand       `cmd:"" help:"Bring a customer list in, as QuickBooks Online exports it."`
	Biller   billerCommands      `cmd:"" help:"Billers, the businesses that bill."`
	Staff    staffCommands       `cmd:"" help:"People who work for a biller."`
	Addon    addonCommands       `cmd:"" help:"Add-ons of a biller."`
	Market   marketplaceCommands `cmd:"" name:"marketplace" help:"A signed marketplace of your own."`
	Audit    auditCommands       `cmd:"" help:"What was done, by whom, and proof that nobody changed the record of it."`
	VersionC versionCommand      `cmd:"" name:"version" help:"Print the version."`
}

// command is what each subcommand does.
type command interface {
	run(ctx context.Context, p *Program, c Config) error
}

// Run reads the command line and the environment and does what they say until it
// is done or ctx ends. The error is one line for the operator.
func (p *Program) Run(ctx context.Context) error {
	var cli commands
	helped := false
	parser, err := kong.New(&cli,
		kong.Name("billhost"),
		kong.Description("The reference billing platform."),
		kong.Writers(p.Stdout, p.Stderr),
		kong.Exit(func(int) { helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}),
		kong.Help(help),
	)
	if err != nil {
		return fmt.Errorf("build command line: %w", err)
	}
	parsed, err := parser.Parse(p.Args)
	if helped {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w (try billhost --help)", err)
	}
	chosen, ok := parsed.Selected().Target.Addr().Interface().(command)
	if !ok {
		return errors.New("choose a command (try billhost --help)")
	}
	c := cli.Config
	c.Dev = cli.Serve.Dev
	c.serving = parsed.Command() == "serve"
	if c, err = c.Validate(); err != nil {
		return err
	}
	return chosen.run(asOperator(ctx, c), p, c)
}

// help prints what kong does; of the platform's settings all for serve alone, else
// those that most commands need.
func help(o kong.HelpOptions, ctx *kong.Context) error {
	if s := ctx.Selected(); s != nil && s.Name == "serve" {
		return kong.DefaultHelpPrinter(o, ctx)
	}
	for _, f := range ctx.Model.Flags {
		f.Hidden = f.Hidden || f.Group != nil && f.Name != "data-dir" && f.Name != "database-url"
	}
	if err := kong.DefaultHelpPrinter(o, ctx); err != nil {
		return err
	}
	_, err := fmt.Fprintln(ctx.Stdout, "\nAll settings of the platform: billhost serve --help")
	return err
}

// logger writes to stderr, in lines for people where a developer reads them. What a
// command does it says itself: of less than a warning its log tells only if asked.
func (p *Program) logger(c Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: c.level}
	if !c.serving && c.level == slog.LevelInfo {
		o.Level = slog.LevelWarn
	}
	if c.Dev {
		return slog.New(host.LogHandler(slog.NewTextHandler(p.Stderr, o)))
	}
	return slog.New(host.LogHandler(slog.NewJSONHandler(p.Stderr, o)))
}

// now is the clock of the whole program.
func now() time.Time { return time.Now() }

type versionCommand struct{}

func (*versionCommand) run(_ context.Context, p *Program, _ Config) error {
	_, err := fmt.Fprintln(p.Stdout, "billhost", Version)
	return err
}
