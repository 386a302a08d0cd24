// Package serve is the main function of an add-on's program.
package serve

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	drainTime = 10 * time.Second
	closeTime = 1500 * time.Millisecond
)

// Main serves the add-on to the host that started this program. It returns
// when the host ends the program, which should then return from main; it exits
// with code 1 when Parts.Run ends early or when no host started the program.
// When the host's process has gone, the program is killed at once, with every
// process it has started, unless one of them has left its process group.
//
// Whatever the program prints to os.Stdout and os.Stderr goes to the host's
// log; Env.Log is the better way.
func Main(addon sdk.Addon) {
	shake := wire.Handshake()
	if os.Getenv(shake.MagicCookieKey) != shake.MagicCookieValue {
		byHand(os.Stderr, addon)
		os.Exit(1)
	}
	stderr, err := moveOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot prepare the add-on's output: %v\n", err)
		os.Exit(1)
	}
	level := new(slog.LevelVar)
	log := slog.New(NewLogHandler(stderr, level))
	slog.SetDefault(log)
	if err := watchLifeline(os.Getenv(wire.LifelineEnv), endWithHost); err != nil {
		log.Error("lifeline cannot be watched", "error", err.Error())
		os.Exit(1)
	}
	server := wire.NewAddonServer(addon, wire.AddonOptions{
		Log:      log,
		SetLevel: level.Set,
		Ended: func(err error) {
			log.Error("background work ended", "error", err.Error())
			os.Exit(1)
		},
	})
	collectLess()
	go handleTerm(server, log)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  shake,
		VersionedPlugins: wire.VersionedPlugins(server),
		GRPCServer:       server.GRPC,
		Logger: hclog.New(&hclog.LoggerOptions{
			Name:       "wire",
			Level:      hclog.Warn,
			Output:     stderr,
			JSONFormat: true,
		}),
	})
	closeInTime(server, log)
}

// byHand greets a person who ran the program.
func byHand(w io.Writer, addon sdk.Addon) {
	// If this cannot be written there is nobody to read it.
	_, _ = fmt.Fprintf(w, "%s %s is an add-on: a billing platform's host starts it.\n"+
		"To try it on your machine: addon run %s\n", addon.ID, addon.Version, os.Args[0])
}

// moveOutput keeps the file descriptors that the host reads for the handshake
// and the log. What anything prints to descriptor 1 goes to 2 from now on,
// where the runtime writes a panic too.
func moveOutput() (stderr *os.File, err error) {
	out, err := duplicate(1, "stdout")
	if err != nil {
		return nil, err
	}
	stderr, err = duplicate(2, "stderr")
	if err != nil {
		return nil, err
	}
	if err := syscall.Dup3(2, 1, 0); err != nil {
		return nil, fmt.Errorf("redirect stdout: %w", err)
	}
	os.Stdout = out
	return stderr, nil
}

func duplicate(fd int, name string) (*os.File, error) {
	n, _, errno := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, 3)
	if errno != 0 {
		return nil, fmt.Errorf("duplicate %s: %w", name, errno)
	}
	return os.NewFile(n, name), nil
}

// handleTerm drains and ends the process when an operator asks for it. An
// interrupt is the host's affair; go-plugin swallows it.
func handleTerm(server *wire.AddonServer, log *slog.Logger) {
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	<-term
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Drain(ctx); err != nil {
		log.Warn("drain not finished", "error", err.Error())
	}
	closeInTime(server, log)
	os.Exit(0)
}

// closeInTime releases what the add-on holds before the host's patience with
// an ending process is over.
func closeInTime(server *wire.AddonServer, log *slog.Logger) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Stop(); err != nil {
			log.Warn("add-on not closed", "error", err.Error())
		}
	}()
	select {
	case <-done:
	case <-time.After(closeTime):
		log.Warn("add-on not closed in time")
	}
}
