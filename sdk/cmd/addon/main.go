// Command addon is the tool of add-on authors: it starts a new add-on, checks
// its manifest, packs it, and runs it against a made-up platform.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// commands is the table of commands; each has a Run method in a file of its own.
type commands struct {
	Init     initCmd     `cmd:"" help:"Start a new add-on in a folder."`
	Validate validateCmd `cmd:"" help:"Check the manifest and programs of a folder or a package, and say what it asks for."`
	Pack     packCmd     `cmd:"" help:"Make the package of one version."`
	Run      runCmd      `cmd:"" help:"Run an add-on against a made-up platform and see its pages in a browser."`
}

// console is where a command writes what people read.
type console struct{ out, err io.Writer }

func (c *console) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format, args...)
	return err
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		if text := err.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "addon: "+text)
		}
		os.Exit(exitCode(err))
	}
}

const (
	exitMistakes  = 1 // and whatever else fails
	exitUnchecked = 2 // the command was given wrongly, or could not look
)

// failure is an error with an exit code of its own; without an error inside,
// everything has been said.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string {
	if f.err == nil {
		return ""
	}
	return f.err.Error()
}

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.err }

func unchecked(err error) error { return &failure{exitUnchecked, err} }

func exitCode(err error) int {
	if f, ok := errors.AsType[*failure](err); ok {
		return f.code
	}
	return exitMistakes
}

// run executes one command line. The error's text is for the person at the terminal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var table commands
	left := false
	parser, err := kong.New(&table,
		kong.Name("addon"),
		kong.Description("Make add-ons for a billing platform."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { left = true }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(&console{out: stdout, err: stderr}),
	)
	if err != nil {
		return fmt.Errorf("read command table: %w", err)
	}
	command, err := parser.Parse(args)
	if left { // --help has written the help
		return nil
	}
	if _, wrong := errors.AsType[*kong.ParseError](err); wrong {
		return unchecked(fmt.Errorf("%w; addon --help lists what there is", err))
	}
	if err != nil {
		return err
	}
	return command.Run()
}
