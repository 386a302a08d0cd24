package peers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/examples/grpc/shared"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"

	"github.com/billing-addons/customer-portal/ci-peers/page"
)

// BenchmarkStart starts an add-on under our supervisor, which verifies the program,
// confines the process and encrypts the connection, until its first page has
// come; and go-plugin's own example until its first answer has, as it is and with
// encryption.
func BenchmarkStart(b *testing.B) {
	example := mustBuild(b, "github.com/hashicorp/go-plugin/examples/grpc/plugin-go-grpc")
	active, packages := mustUnpack(b)
	sides := []struct {
		name  string
		start func(*testing.B) (stop func())
	}{
		{"go-plugin's example", func(b *testing.B) func() { return startExample(b, example, false) }},
		{"the same, encrypted", func(b *testing.B) func() { return startExample(b, example, true) }},
		{"our supervisor", func(b *testing.B) func() { return startOurs(b, active, packages) }},
	}
	const turns = 15
	got := make([][]sample, len(sides))
	for b.Loop() {
		for range turns {
			for i, side := range sides {
				used, begin := ownAndChildren(b), time.Now()
				stop := side.start(b)
				s := sample{Count: 1, Took: time.Since(begin)}
				stop()
				s.CPU = ownAndChildren(b) - used
				got[i] = append(got[i], s)
			}
		}
	}
	took := func(s sample) time.Duration { return s.Took }
	used := func(s sample) time.Duration { return s.CPU }
	for i, side := range sides {
		b.Logf("%-20s %6.1f ms, CPU with its end %6.1f ms; %.2f and %.2f × go-plugin's example (load %s)", side.name,
			micros(median(got[i], took))/1000, micros(median(got[i], used))/1000, ratio(got[i], got[0], took), ratio(got[i], got[0], used), load(b))
	}
	b.ReportMetric(ratio(got[2], got[0], took), "ours/example")
}

// ownAndChildren is the CPU of this process and of those that it has waited for.
func ownAndChildren(b *testing.B) time.Duration {
	b.Helper()
	var children syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_CHILDREN, &children))
	return cpu(b, 0) + time.Duration(children.Utime.Nano()+children.Stime.Nano())
}

func startExample(b *testing.B, program string, encrypted bool) func() {
	b.Helper()
	client := goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: shared.Handshake, Plugins: goplugin.PluginSet{"kv": &shared.KVGRPCPlugin{}}, Cmd: exec.Command(program),
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, AutoMTLS: encrypted, Logger: quiet(),
	})
	protocol, err := client.Client()
	must(b, err)
	raw, err := protocol.Dispense("kv")
	must(b, err)
	if _, err := raw.(shared.KV).Get("nothing"); err == nil {
		b.Fatal("the example has a value for a key that nobody put")
	}
	return client.Kill
}

// mustUnpack makes the package of the bare add-on.
func mustUnpack(b *testing.B) (addon.Active, string) {
	b.Helper()
	dir := b.TempDir()
	must(b, hosttest.Pack(dir, "./ours", "ours/manifest.yaml"))
	f, err := os.Open(filepath.Join(dir, "package"+pack.Extension))
	must(b, err)
	defer f.Close()
	packages := b.TempDir()
	p, err := pack.Unpack(f, packages, pack.Limits{})
	must(b, err)
	return addon.Active{AddonID: "bare", Version: "1.0.0", Digest: p.Digest}, packages
}

// oneAddon is a store that names one add-on.
type oneAddon struct{ active addon.Active }

func (s oneAddon) Active(context.Context) ([]addon.Active, error) {
	return []addon.Active{s.active}, nil
}

func (s oneAddon) InstallationsOf(context.Context, string) ([]addon.Installation, error) {
	return []addon.Installation{{BillerID: "northwind", AddonID: s.active.AddonID, State: addon.Enabled}}, nil
}

func (oneAddon) Promote(context.Context, string, string, time.Duration) error { return nil }

func (oneAddon) Refuse(_ context.Context, _, _, reason string) (bool, error) {
	return false, errors.New(reason)
}

type credentials struct{}

func (credentials) IssueInstallation(addon.Installation) string { return "token" }

func (credentials) Revoke(string) {}

func startOurs(b *testing.B, active addon.Active, packages string) func() {
	b.Helper()
	dir, err := os.MkdirTemp("", "p") // short, for the sockets
	must(b, err)
	s := supervisor.New(supervisor.Config{
		Store: oneAddon{active}, Credentials: credentials{}, Services: func(string) wire.Services { return noServices{} },
		Env: func(context.Context, *manifest.Manifest) (supervisor.Env, error) {
			return supervisor.Env{Key: make([]byte, 32)}, nil
		},
		Call: func(_ context.Context, i addon.Installation) (sdk.Call, error) {
			return sdk.Call{BillerID: i.BillerID}, nil
		},
		Packages: packages, DataDir: dir, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	must(b, s.Ensure(ctx, active))
	client, err := s.Client("bare")
	must(b, err)
	w := httptest.NewRecorder()
	must(b, pageOf(client)(w, httptest.NewRequest(http.MethodGet, "/", nil)))
	if w.Body.Len() != page.Size {
		b.Fatalf("%d bytes", w.Body.Len())
	}
	return func() {
		cancel()
		must(b, errors.Join(<-ended, os.RemoveAll(dir)))
	}
}
