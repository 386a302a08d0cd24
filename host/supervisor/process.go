package supervisor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// process is one running program of an add-on.
type process struct {
	client *wire.Client
	output *output
	calls  wire.Calls

	log      *slog.Logger
	plugin   *plugin.Client
	patience time.Duration
	sockets  string
	child    *child
	held     *hold
	once     sync.Once
}

// launch is what a process is made of.
type launch struct {
	pkg      *pack.Package
	sockets  string
	start    time.Duration
	patience time.Duration
	log      *slog.Logger
	now      func() time.Time
	limits   Limits
	groups   *cgroups
	env      Env
	tracing  *wire.Tracing
}

// startProcess runs the program of a package up to the handshake.
func (l launch) startProcess() (*process, error) {
	program, err := openProgram(l.pkg, ownPlatform)
	if err != nil {
		return nil, err
	}
	// It was only read, and the child has its own.
	defer func() { _ = program.close() }()
	p := &process{output: newOutput(l.log, l.now), log: l.log, patience: l.patience}
	p.plugin = plugin.NewClient(l.config(p, program))
	protocol, err := p.plugin.Client()
	if err == nil {
		p.client, err = dispense(protocol)
	}
	if err != nil {
		p.kill()
		return nil, startError(l.pkg, err, p.output.report())
	}
	return p, nil
}

// config is made afresh for each launch: go-plugin changes it.
func (l launch) config(p *process, program program) *plugin.ClientConfig {
	return &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.VersionedPlugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     l.start,
		GRPCDialOptions:  append(append(wire.DialOptions(), p.calls.DialOption()), l.tracing.DialOptions()...),
		Logger:           pluginLogger(l.log),
		SyncStdout:       &printed{output: p.output},
		SyncStderr:       &printed{output: p.output},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: l.sockets, Group: groupOf(l.env)},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
			p.sockets = dir
			group, err := l.groups.open(l.limits)
			if err != nil {
				return nil, err
			}
			env := append(append(hostEnv(), "TMPDIR="+dir), spec.Env...)
			confine := confinement{limits: l.limits, paths: newPaths(l.pkg.Dir, dir, l.env), user: l.env.User, group: group}
			p.child = newChild(program, l.pkg.Manifest.ID, l.pkg.Dir, env, confine, p.output.stderr)
			return p.child, nil
		},
	}
}

// groupOf names the group that shares the sockets with the host; none if the
// add-on runs as the host's user.
func groupOf(e Env) string {
	if e.User == 0 {
		return ""
	}
	return strconv.Itoa(e.User)
}

// hostEnv is all that an add-on sees of the host's environment.
func hostEnv() []string {
	var env []string
	for _, name := range []string{"TZ", "LANG", "SSL_CERT_FILE"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func dispense(protocol plugin.ClientProtocol) (*wire.Client, error) {
	raw, err := protocol.Dispense(wire.AddonPlugin)
	if err != nil {
		return nil, fmt.Errorf("dispense add-on: %w", err)
	}
	client, ok := raw.(*wire.Client)
	if !ok {
		return nil, fmt.Errorf("dispense add-on: got %T", raw)
	}
	return client, nil
}

// startError tells the operator what the program said instead of the handshake.
func startError(pkg *pack.Package, err error, report string) error {
	if _, coded := errors.AsType[*apperr.Error](err); coded {
		return err
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	if report = strings.TrimSpace(report); report != "" {
		lines := strings.Split(report, "\n")
		text += "; it wrote: " + lines[len(lines)-1]
	}
	return apperr.Wrap(apperr.Unavailable,
		fmt.Sprintf("%s %s could not be started: %s", pkg.Manifest.Name, pkg.Manifest.Version, text), err)
}

// exited is closed when the process has ended.
func (p *process) exited() <-chan struct{} { return p.child.done }

// drain returns when the add-on has ended its work and all its answers are here.
func (p *process) drain(ctx context.Context) error {
	if err := p.client.Drain(ctx); err != nil {
		return err
	}
	return p.calls.Wait(ctx)
}

// kill ends the process and removes its sockets. go-plugin's Kill waits for a
// stopped process forever, so after some patience the group is killed here.
func (p *process) kill() {
	p.once.Do(func() {
		done := make(chan struct{})
		go func() { defer close(done); p.plugin.Kill() }()
		select {
		case <-done:
		case <-time.After(p.patience):
			p.log.Warn("add-on process does not end and is killed")
			p.forceKill(done)
		}
		if p.child != nil && p.child.pid != 0 {
			p.child.killGroup()
			<-p.child.done
		}
		p.output.tellDropped()
		_ = p.held.close() // nothing was written
		if p.sockets != "" {
			if err := os.RemoveAll(p.sockets); err != nil {
				p.log.Warn("sockets not removed", "error", err.Error())
			}
		}
	})
}

func (p *process) forceKill(done <-chan struct{}) {
	if p.child != nil {
		p.child.killGroup()
	}
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		p.log.Error("go-plugin does not let go of an add-on process")
	}
}
