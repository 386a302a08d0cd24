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

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// Launch starts an add-on's program in a process of its own, with an empty
// environment and what it prints going to output. The caller calls Stop; the
// process ends with this one in any case. Methods of the Instance that fail
// tests must not be used; see EnableAll and Handler.
func Launch(ctx context.Context, program string, output io.Writer, opts ...Option) (*Instance, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, err
	}
	lifeline, ours, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make lifeline: %w", err)
	}
	client := plugin.NewClient(clientConfig(program, lifeline, output))
	end := once(func() error {
		client.Kill()
		return ours.Close()
	})
	protocol, err := client.Client()
	if err := errors.Join(err, lifeline.Close()); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), end())
	}
	o := newOptions(opts)
	if o.log == nil {
		o.log = slog.New(slog.NewTextHandler(output, nil))
	}
	i, err := start(protocol, o)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	i.stop = once(func() error { return errors.Join(i.leave(), end()) })
	if err := ctx.Err(); err != nil {
		return nil, errors.Join(err, i.Stop())
	}
	return i, nil
}

func clientConfig(program string, lifeline *os.File, output io.Writer) *plugin.ClientConfig {
	cmd := exec.Command(program)
	cmd.Env = []string{wire.LifelineEnv + "=3"}
	for _, name := range []string{"TZ", "LANG", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.ExtraFiles = []*os.File{lifeline}
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.VersionedPlugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(),
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Cmd:              cmd,
		Stderr:           output,
		SyncStdout:       output,
		SyncStderr:       output,
		// With any other level go-plugin parses the add-on's lines, and panics
		// on some of them.
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Off, Output: io.Discard}),
	}
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
