package sdktest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Process starts an add-on's program in a process of its own, as a platform
// does, and stops it when the test ends. The test fails if the program does not
// start, does not end by itself when it is asked to, or leaves a process or its
// socket behind. What it prints goes to the test's log.
func Process(tb testing.TB, path string, opts ...Option) *Instance {
	tb.Helper()
	output := newOutput(tb.Output())
	i, err := Launch(tb.Context(), path, output, opts...)
	if err != nil {
		output.close()
		tb.Fatal(err)
	}
	i.tb = tb
	tb.Cleanup(func() {
		if err := i.Stop(); err != nil {
			tb.Errorf("stop add-on: %v", err)
		}
		output.close()
	})
	return i
}

// Build compiles the Go program in dir and returns its path, which lasts as
// long as the test.
func Build(tb testing.TB, dir string) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "program")
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", path, ".")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", dir, err, out)
	}
	return path
}

// Launch starts an add-on's program in a process of its own, with an empty
// environment and what it prints going to output. The caller calls Stop; the
// process ends with this one in any case. Methods of the Instance that fail
// tests must not be used; see EnableAll and Handler. Tests use Process.
func Launch(ctx context.Context, path string, output io.Writer, opts ...Option) (*Instance, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	o := newOptions(opts)
	output = newOutput(output)
	if o.log == nil {
		o.log = slog.New(slog.NewTextHandler(output, nil))
	}
	var p *program
	client := plugin.NewClient(clientConfig(o, output, func(env []string, dir string) *program {
		p = newProgram(ctx, path, env, output)
		p.dir = dir
		return p
	}))
	protocol, err := client.Client()
	if err != nil {
		err = fmt.Errorf("start %s: %w", path, err)
		return nil, &launchError{errors.Join(err, kill(client, p)), p}
	}
	if o.launched != nil {
		o.launched(p.cmd.Process.Pid)
	}
	i, err := start(ctx, protocol, o)
	if err != nil {
		return nil, errors.Join(err, kill(client, p))
	}
	p.launched()
	i.program = p
	i.stop = sync.OnceValue(func() error { return errors.Join(i.leave(), kill(client, p), p.verdict()) })
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

// launchError is the failure of a program that never became an add-on.
type launchError struct {
	error
	program *program // nil or ended
}

// Unwrap returns what go-plugin and the system say.
func (e *launchError) Unwrap() error { return e.error }

func clientConfig(o *options, output io.Writer, run func(env []string, dir string) *program) *plugin.ClientConfig {
	dial, limit := wire.DialOptions(), o.handshake
	if o.patient {
		dial = append(dial, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: endless, Timeout: endless}))
		limit = endless
	}
	return &plugin.ClientConfig{
		StartTimeout:     limit,
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.VersionedPlugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  dial,
		AutoMTLS:         true,
		SkipHostEnv:      true,
		SyncStdout:       output,
		SyncStderr:       output,
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
			return run(spec.Env, dir), nil
		},
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
	}
}

// kill asks the process to end and, after some patience, ends it. go-plugin
// alone would wait for a stopped process forever.
func kill(client *plugin.Client, p *program) error {
	done := make(chan struct{})
	go func() { defer close(done); client.Kill() }()
	select {
	case <-done:
	case <-time.After(stopTime):
		if p != nil && p.lifeline != nil {
			p.signal(syscall.SIGKILL)
		}
		<-done
	}
	switch {
	case p == nil:
		return nil
	case p.lifeline == nil: // it never ran, and go-plugin forgets its folder
		return os.RemoveAll(p.dir)
	}
	<-p.done
	return errors.Join(p.hangUp(), os.RemoveAll(p.dir))
}

// PID is the id of the add-on's process, 0 for an add-on in process.
func (i *Instance) PID() int {
	if i.program == nil {
		return 0
	}
	return i.program.cmd.Process.Pid
}

// Ended is closed when the add-on's process has ended, for whatever reason; nil
// for an add-on in process.
func (i *Instance) Ended() <-chan struct{} {
	if i.program == nil {
		return nil
	}
	return i.program.done
}

// EnableAll enables the add-on for billers of the host and returns the reasons
// of the hooks that failed as one error.
func (i *Instance) EnableAll(ctx context.Context, billers ...string) error {
	failed, err := i.Client.Enable(ctx, i.enablements(billers))
	for biller, reason := range failed {
		err = errors.Join(err, fmt.Errorf("enable %s: %s", biller, reason))
	}
	return err
}

// output takes what several goroutines write, until it is closed.
type output struct {
	mu sync.Mutex
	to io.Writer
}

func newOutput(to io.Writer) *output { return &output{to: to} }

// Write drops what comes after close.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to == nil {
		return len(b), nil
	}
	return o.to.Write(b)
}

func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.to = nil
}
