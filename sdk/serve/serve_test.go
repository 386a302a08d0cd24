package serve_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const actAsAddon = "SERVE_TEST_ADDON"

// TestMain makes the test binary an add-on when a test starts it as one.
func TestMain(m *testing.M) {
	if os.Getenv(actAsHost) != "" {
		actHost()
		os.Exit(1)
	}
	if kind := os.Getenv(actAsAddon); kind != "" {
		serve.Main(sdk.Addon{ID: "trial", Version: "1.0.0", Start: func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
			return trial(kind, env), nil
		}})
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func trial(kind string, env sdk.Env) sdk.Parts {
	fmt.Println("printed on stdout by Start")
	fmt.Fprintln(os.Stderr, "printed on stderr by Start")
	// A raw write, as C code or a child process would make it.
	if _, err := syscall.Write(1, []byte("raw write\n")); err != nil {
		env.Log.Error("raw write failed", "error", err.Error())
	}
	env.Log.Info("started", "level", 42, "@message", 7)
	p := sdk.Parts{
		Public: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, "hello from another process")
		}),
		Close: func() error { env.Log.Info("closed"); return nil },
	}
	if kind == "has children" {
		startChildren(env)
	}
	if kind == "ends early" {
		p.Run = func(context.Context) error { return errors.New("the queue broke") }
	}
	return p
}

// process is an add-on in a process of its own.
type process struct {
	client *plugin.Client
	wire   *wire.Client
	cmd    *exec.Cmd
	stderr *buffer
	host   *os.File
}

func mustLaunch(t *testing.T, kind string) *process {
	t.Helper()
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: exec.Command(os.Args[0]), stderr: &buffer{}, host: theirs}
	p.cmd.Env = []string{actAsAddon + "=" + kind, wire.LifelineEnv + "=3", "TMPDIR=" + t.TempDir()}
	p.cmd.ExtraFiles = []*os.File{ours}
	p.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake(),
		VersionedPlugins: wire.VersionedPlugins(nil),
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		GRPCDialOptions:  wire.DialOptions(),
		AutoMTLS:         true,
		SkipHostEnv:      true,
		Cmd:              p.cmd,
		Stderr:           p.stderr,
		SyncStdout:       p.stderr,
		SyncStderr:       p.stderr,
		Logger:           hclog.NewNullLogger(),
	})
	t.Cleanup(p.client.Kill)
	protocol, err := p.client.Client()
	if err := errors.Join(err, ours.Close()); err != nil {
		t.Fatal(err)
	}
	raw, err := protocol.Dispense(wire.AddonPlugin)
	if err != nil {
		t.Fatal(err)
	}
	p.wire = raw.(*wire.Client)
	return p
}

func (p *process) start(t *testing.T) error {
	t.Helper()
	_, err := p.wire.Start(t.Context(), wire.StartRequest{Services: sdktest.NewHost(), Key: make([]byte, 32), LogLevel: slog.LevelDebug})
	return err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestProcessOverMutualTLS(t *testing.T) {
	t.Parallel()
	p := mustLaunch(t, "plain")
	if err := p.start(t); err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	var page bytes.Buffer
	err = p.wire.ServePage(t.Context(), wire.PageRequest{Surface: wire.Public, Request: r},
		func(int, http.Header) (wire.ResponseBody, error) { return flushable{&page}, nil })
	if err != nil || page.String() != "hello from another process" {
		t.Fatalf("%q, %v", &page, err)
	}
	for _, want := range []string{"printed on stdout by Start", "printed on stderr by Start", "raw write", `"@message":"started"`} {
		eventually(t, want, func() bool { return strings.Contains(p.stderr.String(), want) })
	}
	if err := errors.Join(p.wire.Drain(t.Context()), p.wire.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	eventually(t, "closed", func() bool { return strings.Contains(p.stderr.String(), `"@message":"closed"`) })
	p.client.Kill()
	if !p.client.Exited() {
		t.Error("still there after Kill")
	}
}

type flushable struct{ io.Writer }

func (flushable) Flush() error { return nil }

func TestEndsWithItsHost(t *testing.T) {
	t.Parallel()
	p := mustLaunch(t, "plain")
	if err := p.host.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "exit after the lifeline", p.client.Exited)
}

func TestEndsWhenItsWorkEnds(t *testing.T) {
	t.Parallel()
	p := mustLaunch(t, "ends early")
	// The process may end before it has answered.
	_ = p.start(t)
	eventually(t, "exit after Run", p.client.Exited)
	if !strings.Contains(p.stderr.String(), "the queue broke") {
		t.Errorf("log %s", p.stderr)
	}
}

func TestTermDrainsAndInterruptIsIgnored(t *testing.T) {
	t.Parallel()
	p := mustLaunch(t, "plain")
	if err := p.start(t); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.wire.Health(t.Context()); err != nil {
		t.Fatalf("after an interrupt: %v", err)
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "exit after SIGTERM", p.client.Exited)
	if !strings.Contains(p.stderr.String(), `"@message":"closed"`) {
		t.Errorf("not closed: %s", p.stderr)
	}
}

func TestByHand(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{actAsAddon + "=plain"}
	var stderr, stdout bytes.Buffer
	cmd.Stderr, cmd.Stdout = &stderr, &stdout
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("exit: %v", err)
	}
	want := "trial 1.0.0 is an add-on: a billing platform's host starts it.\nTo try it on your machine: addon run " + os.Args[0] + "\n"
	if stderr.String() != want || stdout.Len() > 0 {
		t.Errorf("printed %q and %q", &stderr, &stdout)
	}
}

func TestLogLinesAreSafeForTheHost(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(serve.NewLogHandler(&out, slog.LevelDebug))
	ctx := sdk.WithCall(t.Context(), sdk.Call{BillerID: "northwind", RequestID: "r1"})
	log.With("msg", 1, "@level", 2).InfoContext(ctx, "a \"message\"\n", "time", 3, "@timestamp", nil, slog.Group("", slog.Int("level", 4)))
	log.WithGroup("@message").Warn("", "msg", 5)
	log.Log(t.Context(), slog.LevelDebug-4, "too fine")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines: %s", len(lines), &out)
	}
	for n, line := range lines {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"@message", "@level", "@timestamp"} {
			if _, ok := fields[key].(string); !ok || strings.Count(line, `"`+key+`":`) != 1 {
				t.Errorf("line %d: %s is %v in %s", n, key, fields[key], line)
			}
		}
		if at, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", fields["@timestamp"].(string)); err != nil || time.Since(at) > time.Minute {
			t.Errorf("time %v, %v", at, err)
		}
	}
	for _, want := range []string{`"_msg":1`, `"_@level":2`, `"_time":3`, `"_level":4`, `"biller_id":"northwind"`, `"request_id":"r1"`, `"_@message":{"msg":5}`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %s in %s", want, &out)
		}
	}
}

func TestAuthorsInheritFewModules(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]bool{}
	for _, m := range strings.Fields(string(out)) {
		modules[m] = true
	}
	if len(modules) == 0 || len(modules) > 25 {
		t.Errorf("%d modules", len(modules))
	}
}
