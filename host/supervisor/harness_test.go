package supervisor_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const manifestText = `id: test-addon
name: Test
version: 1.0.0
summary: Behaves as told.
publisher: Acme
icon: people
host: ">=1.0.0 <2.0.0"
capabilities: [invite]
platforms: [` + runtime.GOOS + `/` + runtime.GOARCH + `]
`

// program returns this binary as a file that packages can link to.
var program = sync.OnceValues(func() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(self)
	if err != nil {
		return "", err
	}
	copied := self + ".addon"
	if err := os.RemoveAll(copied); err != nil {
		return "", err
	}
	return copied, os.WriteFile(copied, data, 0o555)
})

// mustPackage lays an unpacked package of this binary into folder.
func mustPackage(tb testing.TB, folder, mode string) addon.Active {
	tb.Helper()
	binary, err := program()
	must(tb, err)
	return mustPackageOf(tb, folder, binary, mode)
}

func mustPackageOf(tb testing.TB, folder, binary, mode string) addon.Active {
	tb.Helper()
	sum := sha256.Sum256([]byte(tb.Name() + mode))
	digest := hex.EncodeToString(sum[:])
	dir := filepath.Join(folder, digest)
	name := pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH)
	must(tb, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
	must(tb, os.Link(binary, filepath.Join(dir, name)))
	id, text := "test-addon", manifestText
	if mode == "neighbour" {
		id, text = mode, strings.Replace(text, id, mode, 1)
	}
	must(tb, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(text), 0o444))
	must(tb, os.WriteFile(filepath.Join(dir, "mode"), []byte(mode), 0o444))
	var files []pack.File
	for _, f := range []string{name, "manifest.yaml", "mode"} {
		sum, err := pack.Digest(filepath.Join(dir, f))
		must(tb, err)
		info, err := os.Stat(filepath.Join(dir, f))
		must(tb, err)
		files = append(files, pack.File{Path: f, SHA256: sum, Size: info.Size(), Mode: fmt.Sprintf("%04o", info.Mode().Perm())})
	}
	list, err := json.Marshal(map[string]any{"format": 1, "files": files})
	must(tb, err)
	must(tb, os.WriteFile(filepath.Join(dir, pack.ListName), list, 0o444))
	return addon.Active{AddonID: id, Version: "1.0.0", Digest: digest}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// lockedBuffer is a log that can be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// world is a supervisor that runs until the end of the test.
type world struct {
	*supervisor.Supervisor
	books       *books
	credentials *credentials
	log         *lockedBuffer
	dir         string
	active      addon.Active
	cancel      context.CancelFunc
	ended       chan error
	made        map[string]addon.Version
}

func mustWorld(tb testing.TB, mode string, billers ...string) *world {
	tb.Helper()
	return mustWorldIn(tb, mustDir(tb), mode, billers...)
}

func newWorld(dir string) *world {
	return &world{
		books: &books{}, credentials: &credentials{alive: map[string]string{}}, log: &lockedBuffer{},
		dir: dir, ended: make(chan error, 1),
	}
}

// mustDir returns a folder whose name is short enough to hold the sockets.
func mustDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "s")
	must(tb, err)
	tb.Cleanup(func() { must(tb, os.RemoveAll(dir)) })
	return dir
}

func mustWorldIn(tb testing.TB, dir, mode string, billers ...string) *world {
	tb.Helper()
	binary, err := program()
	must(tb, err)
	return mustWorldOf(tb, dir, binary, mode, func(*supervisor.Config) {}, billers...)
}

// envOf gives every add-on the same.
func envOf(e supervisor.Env) func(context.Context, *manifest.Manifest) (supervisor.Env, error) {
	return func(context.Context, *manifest.Manifest) (supervisor.Env, error) { return e, nil }
}

func mustWorldOf(tb testing.TB, dir, binary, mode string, change func(*supervisor.Config), billers ...string) *world {
	tb.Helper()
	w := newWorld(dir)
	w.active = mustPackageOf(tb, filepath.Join(dir, "packages"), binary, mode)
	w.books.active = []addon.Active{w.active}
	for _, b := range billers {
		w.books.installations = append(w.books.installations, addon.Installation{BillerID: b, AddonID: "test-addon", State: addon.Enabled})
	}
	config := w.config()
	change(&config)
	w.mustRun(tb, config)
	return w
}

func (w *world) config() supervisor.Config {
	return supervisor.Config{
		Store: w.books, Credentials: w.credentials,
		Services: func(string) wire.Services { return w.credentials },
		Env:      envOf(supervisor.Env{Database: sdk.Database{Driver: "sqlite", DSN: "file"}, Key: make([]byte, 32)}),
		Call: func(_ context.Context, i addon.Installation) (sdk.Call, error) {
			return sdk.Call{BillerID: i.BillerID}, nil
		},
		Packages: filepath.Join(w.dir, "packages"), DataDir: w.dir,
		Limits: supervisor.Limits{Memory: -1}, // the race detector maps terabytes
		Log:    slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Times: supervisor.Times{
			// A busy machine takes long to start a program and to answer for it.
			Handshake: 30 * time.Second, Answer: 3 * time.Second,
			Poll: 50 * time.Millisecond, Health: 100 * time.Millisecond, Kill: time.Second,
			FirstRest: 10 * time.Millisecond, LongestRest: 100 * time.Millisecond,
		},
	}
}

// mustRun runs a supervisor until the end of the test.
func (w *world) mustRun(tb testing.TB, cfg supervisor.Config, change ...func(*supervisor.Supervisor)) {
	tb.Helper()
	w.Supervisor = supervisor.New(cfg)
	for _, f := range change {
		f(w.Supervisor)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ended <- w.Run(ctx) }()
	tb.Cleanup(func() { w.mustEnd(tb) })
}

// mustEnd stops the supervisor and looks for what it left behind.
func (w *world) mustEnd(tb testing.TB) {
	tb.Helper()
	if w.ended == nil {
		return
	}
	pid := w.status().PID
	w.cancel()
	select {
	case err := <-w.ended:
		must(tb, err)
	case <-time.After(patience):
		tb.Fatalf("supervisor does not end\n%s", w.log)
	}
	w.ended = nil
	if pid != 0 && alive(pid) {
		tb.Errorf("process %d is left behind", pid)
	}
	if entries, err := os.ReadDir(filepath.Join(w.dir, "run")); err == nil {
		tb.Errorf("sockets are left: %v", entries)
	}
	w.credentials.mu.Lock()
	defer w.credentials.mu.Unlock()
	if len(w.credentials.alive) > 0 {
		tb.Errorf("credentials are left: %v", w.credentials.alive)
	}
}

func (w *world) status() supervisor.Status {
	for _, s := range w.Statuses() {
		if s.AddonID != "neighbour" {
			return s
		}
	}
	return supervisor.Status{}
}

func (w *world) mustEnsure(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	if err := w.Ensure(ctx, w.active); err != nil {
		tb.Fatalf("Ensure: %v\n%s", err, w.log)
	}
}

// mustSignal signals the process that serves, and returns it.
func (w *world) mustSignal(tb testing.TB, signal syscall.Signal) (pid int) {
	tb.Helper()
	until(tb, "a process serves", func() bool { pid = w.status().PID; return pid != 0 })
	must(tb, syscall.Kill(pid, signal))
	return pid
}

// do calls the add-on; see behaviour.
func (w *world) do(tb testing.TB, what string) (string, error) {
	tb.Helper()
	c, err := w.Client("test-addon")
	if err != nil {
		return "", err
	}
	return c.Invite(sdk.Call{}, "").Link(tb.Context(), what)
}

func (w *world) notes() []string {
	data, err := os.ReadFile(filepath.Join(w.dir, "packages", w.active.Digest) + ".notes")
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// patience is how long a test waits for something that has to happen.
const patience = 3 * time.Minute

// until waits for a condition that another goroutine or process brings about.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
