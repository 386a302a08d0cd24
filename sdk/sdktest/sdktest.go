// Package sdktest runs an add-on against a fake host: in the test's own
// process, over the same gRPC that a platform uses, or as a program of its own.
package sdktest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	stopTime  = 10 * time.Second
	startTime = time.Minute
	// endless is the patience with a program that somebody debugs.
	endless = 365 * 24 * time.Hour
)

// Instance is a running add-on.
type Instance struct {
	// Host is what the add-on sees of the platform.
	Host *Host
	// Client calls the add-on as a host does.
	Client *wire.Client
	// Capabilities are what the add-on said it offers.
	Capabilities []string

	tb      testing.TB
	request wire.StartRequest
	program *program // nil in process
	patient bool
	stop    func() error
}

// Option changes what an add-on is started with.
type Option func(*options)

type options struct {
	host     *Host
	database sdk.Database
	key      []byte
	log      *slog.Logger
	level    slog.Level

	output    io.Writer
	server    []grpc.ServerOption
	unstarted bool
	handshake time.Duration // for the program's first line
	patient   bool
	launched  func(pid int)
}

// WithHost starts the add-on against a host that the test has prepared.
func WithHost(h *Host) Option { return func(o *options) { o.host = h } }

// WithDatabase gives the add-on a database.
func WithDatabase(d sdk.Database) Option { return func(o *options) { o.database = d } }

// WithSQLite gives the add-on a new SQLite file that ends with the test.
func WithSQLite(tb testing.TB) Option {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "addon.db")
	return WithDatabase(sdk.Database{Driver: "sqlite", DSN: file, DirectDSN: file})
}

// WithKey replaces the fixed test key; 32 bytes.
func WithKey(key []byte) Option { return func(o *options) { o.key = key } }

// WithLog sends the log of add-on and fake host elsewhere than to the test.
func WithLog(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// Patient waits for the program without limits, so that a debugger may hold it
// at any point: for its start, for its answers and for its end.
func Patient() Option { return func(o *options) { o.patient = true } }

// BeforeStart calls f with the id of a program's process before its Start, which
// comes when f returns.
func BeforeStart(f func(pid int)) Option { return func(o *options) { o.launched = f } }

// withOutput sends what a process prints somewhere.
func withOutput(w io.Writer) Option { return func(o *options) { o.output = w } }

// unstarted leaves the add-on connected, before its Start.
func unstarted() Option { return func(o *options) { o.unstarted = true } }

// Start starts the add-on in this process and stops it when the test ends. The
// test fails if the add-on does not start, or if its background work ends early.
func Start(tb testing.TB, addon sdk.Addon, opts ...Option) *Instance {
	tb.Helper()
	i, err := TryStart(tb, addon, opts...)
	if err != nil {
		tb.Fatalf("start add-on: %v", err)
	}
	return i
}

// TryStart is Start for tests in which the add-on's Start fails.
func TryStart(tb testing.TB, addon sdk.Addon, opts ...Option) (*Instance, error) {
	tb.Helper()
	o := newOptions(opts)
	if o.log == nil {
		o.log = testLog(tb)
	}
	i, err := serve(addon, o, func(err error) { tb.Errorf("the add-on's background work ended: %v", err) })
	if err != nil {
		return nil, err
	}
	i.tb = tb
	tb.Cleanup(func() {
		if err := i.Stop(); err != nil {
			tb.Errorf("stop add-on: %v", err)
		}
	})
	return i, nil
}

// serve starts the add-on in this process.
func serve(addon sdk.Addon, o *options, ended func(error)) (*Instance, error) {
	server := wire.NewAddonServer(addon, wire.AddonOptions{Log: o.log, Ended: ended})
	protocol, closeProtocol, err := serveInProcess(func(opts []grpc.ServerOption) *grpc.Server {
		return server.GRPC(append(opts, o.server...))
	}, server)
	if err != nil {
		return nil, err
	}
	i, err := start(context.Background(), protocol, o)
	if err != nil {
		return nil, errors.Join(err, closeProtocol())
	}
	i.stop = sync.OnceValue(func() error { return errors.Join(i.leave(), closeProtocol()) })
	return i, nil
}

func newOptions(opts []Option) *options {
	key := sha256.Sum256([]byte("sdktest"))
	o := &options{key: key[:], level: slog.LevelDebug, output: io.Discard, handshake: startTime}
	for _, set := range opts {
		set(o)
	}
	if o.host == nil {
		o.host = NewHost()
	}
	return o
}

// start dispenses the client and starts the add-on behind it.
func start(ctx context.Context, protocol plugin.ClientProtocol, o *options) (*Instance, error) {
	raw, err := protocol.Dispense(wire.AddonPlugin)
	if err != nil {
		return nil, fmt.Errorf("dispense: %w", err)
	}
	client, ok := raw.(*wire.Client)
	if !ok {
		return nil, fmt.Errorf("dispensed %T", raw)
	}
	i := &Instance{Host: o.host, Client: client, request: wire.StartRequest{
		Services: o.host,
		Log:      o.log,
		Database: o.database,
		Key:      o.key,
		Dev:      true,
		LogLevel: o.level,
	}, patient: o.patient}
	if o.unstarted {
		return i, nil
	}
	return i, i.begin(ctx)
}

// begin starts the add-on, once.
func (i *Instance) begin(ctx context.Context) (err error) {
	limit := startTime
	if i.patient {
		limit = endless
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	i.Capabilities, err = i.Client.Start(ctx, i.request)
	return err
}

// leave drains and stops the add-on.
func (i *Instance) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	return errors.Join(i.Client.Drain(ctx), i.Client.Stop(ctx))
}

// Stop drains the add-on, stops it and ends its server. Tests need it only to
// look at what is left; it may be called again.
func (i *Instance) Stop() error { return i.stop() }

// serveInProcess connects go-plugin's client and server over a socket.
func serveInProcess(listen func([]grpc.ServerOption) *grpc.Server, server *wire.AddonServer) (plugin.ClientProtocol, func() error, error) {
	ctx, cancel := context.WithCancel(context.Background())
	attach := make(chan *plugin.ReattachConfig, 1)
	closed := make(chan struct{})
	go plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.VersionedPlugins(server),
		GRPCServer:       listen,
		Logger:           hclog.NewNullLogger(),
		Test:             &plugin.ServeTestConfig{Context: ctx, ReattachConfigCh: attach, CloseCh: closed},
	})
	var config *plugin.ReattachConfig
	select {
	case config = <-attach:
	case <-closed:
		cancel()
		return nil, nil, errors.New("the add-on's server did not start")
	}
	config.ReattachFunc = func() (runner.AttachedRunner, error) { return inProcess{closed}, nil }
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		Plugins:          wire.Plugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(),
		Logger:           hclog.NewNullLogger(),
		Reattach:         config,
	})
	// The server stops once, by the client or by ctx: go-plugin races with itself
	// when both ask for it.
	protocol, err := client.Client()
	if err != nil {
		cancel()
		<-closed
		return nil, nil, fmt.Errorf("connect to the add-on: %w", err)
	}
	return protocol, func() error {
		defer cancel()
		err := protocol.Close()
		select {
		case <-closed:
			return err
		case <-time.After(stopTime):
			return errors.Join(err, errors.New("the add-on's server did not end"))
		}
	}, nil
}

// inProcess stands for the process that go-plugin believes it attached to.
type inProcess struct{ closed <-chan struct{} }

func (p inProcess) Wait(context.Context) error {
	<-p.closed
	return nil
}

func (inProcess) Kill(context.Context) error { return nil }

func (inProcess) ID() string { return "in-process" }

func (inProcess) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (inProcess) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

// testLog writes to the test's log.
func testLog(tb testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(tb.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
