package supervisor_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
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
	if err != nil {
		tb.Fatal(err)
	}
	sum := sha256.Sum256([]byte(tb.Name() + mode))
	digest := hex.EncodeToString(sum[:])
	dir := filepath.Join(folder, digest)
	name := pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH)
	must(tb, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
	must(tb, os.Link(binary, filepath.Join(dir, name)))
	must(tb, os.WriteFile(filepath.Join(dir, "manifest.yaml"), []byte(manifestText), 0o444))
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
	return addon.Active{AddonID: "test-addon", Version: "1.0.0", Digest: digest}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// books is a store in memory.
type books struct {
	mu            sync.Mutex
	active        []addon.Active
	installations []addon.Installation
}

func (b *books) Active(context.Context) ([]addon.Active, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.active), nil
}

func (b *books) InstallationsOf(context.Context, string) ([]addon.Installation, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.installations), nil
}

func (b *books) change(f func(*books)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

// credentials are "biller:N"; those alive are kept.
type credentials struct {
	mu    sync.Mutex
	n     int
	alive map[string]string
}

func (c *credentials) IssueInstallation(i addon.Installation) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	token := i.BillerID + ":" + strconv.Itoa(c.n)
	c.alive[token] = i.BillerID
	return token
}

func (c *credentials) Revoke(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.alive, token)
}

func (c *credentials) For(_ context.Context, token string) (sdk.Host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	biller, ok := c.alive[token]
	if !ok {
		return sdk.Host{}, apperr.Errorf(apperr.Unauthenticated, "unknown token")
	}
	return sdk.Host{Billers: named(biller)}, nil
}

type named string

func (n named) Biller(context.Context) (sdk.Biller, error) {
	return sdk.Biller{Name: "Biller " + string(n)}, nil
}
func (n named) As(context.Context, string) (context.Context, error) { return nil, nil }
func (n named) Enabled() []string                                   { return nil }

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
}

func mustWorld(tb testing.TB, mode string, billers ...string) *world {
	tb.Helper()
	return mustWorldIn(tb, tb.TempDir(), mode, billers...)
}

func mustWorldIn(tb testing.TB, dir, mode string, billers ...string) *world {
	tb.Helper()
	w := &world{
		books: &books{}, credentials: &credentials{alive: map[string]string{}}, log: &lockedBuffer{},
		dir: dir, ended: make(chan error, 1),
	}
	w.active = mustPackage(tb, filepath.Join(dir, "packages"), mode)
	w.books.active = []addon.Active{w.active}
	for _, b := range billers {
		w.books.installations = append(w.books.installations, addon.Installation{BillerID: b, AddonID: "test-addon", State: addon.Enabled})
	}
	w.Supervisor = supervisor.New(supervisor.Config{
		Store: w.books, Credentials: w.credentials,
		Services: func(string) wire.Services { return w.credentials },
		Env: func(context.Context, *manifest.Manifest) (supervisor.Env, error) {
			return supervisor.Env{Database: sdk.Database{Driver: "sqlite", DSN: "file"}, Key: make([]byte, 32)}, nil
		},
		Call: func(_ context.Context, i addon.Installation) (sdk.Call, error) {
			return sdk.Call{BillerID: i.BillerID}, nil
		},
		Packages: filepath.Join(dir, "packages"), DataDir: dir,
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Times: supervisor.Times{
			Poll: 50 * time.Millisecond, Health: 100 * time.Millisecond, Answer: 200 * time.Millisecond,
			Kill: time.Second, FirstRest: 10 * time.Millisecond, LongestRest: 100 * time.Millisecond,
			Handshake: 5 * time.Second,
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	w.cancel = cancel
	go func() { w.ended <- w.Run(ctx) }()
	tb.Cleanup(func() { w.mustEnd(tb) })
	return w
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
	case <-time.After(30 * time.Second):
		tb.Fatalf("supervisor does not end\n%s", w.log)
	}
	w.ended = nil
	if pid != 0 && alive(pid) {
		tb.Errorf("process %d is left behind", pid)
	}
	for _, root := range []string{filepath.Join(w.dir, "run")} {
		if entries, err := os.ReadDir(root); err == nil && len(entries) > 0 {
			tb.Errorf("%s is not empty: %v", root, entries)
		}
	}
	w.credentials.mu.Lock()
	defer w.credentials.mu.Unlock()
	if len(w.credentials.alive) > 0 {
		tb.Errorf("credentials are left: %v", w.credentials.alive)
	}
}

func (w *world) status() supervisor.Status {
	for _, s := range w.Statuses() {
		return s
	}
	return supervisor.Status{}
}

func (w *world) mustEnsure(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	if err := w.Ensure(ctx, w.active); err != nil {
		tb.Fatalf("Ensure: %v\n%s", err, w.log)
	}
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

// until waits for a condition that another goroutine or process brings about.
func until(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			tb.Fatalf("never happened: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func TestHealthy(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "checks its environment", "b1", "b2")
	w.mustEnsure(t)
	if got, err := w.do(t, "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
	s := w.status()
	if s.State != supervisor.Healthy || s.PID == 0 || s.Version != "1.0.0" || s.Failures != 0 {
		t.Errorf("status = %+v", s)
	}
	if p := w.Packages(); len(p) != 1 || p[0].Digest != w.active.Digest {
		t.Errorf("packages = %+v", p)
	}
	got := w.notes()
	slices.Sort(got)
	if diff := cmp.Diff([]string{"enable b1 Biller b1", "enable b2 Biller b2"}, got); diff != "" {
		t.Errorf("billers (-want +got):\n%s", diff)
	}
	_, err := w.Client("another")
	if !apperr.Is(err, apperr.Unavailable) || apperr.RetryAfterOf(err) == 0 {
		t.Errorf("Client of another = %v", err)
	}
}

func TestEnvironmentIsEmpty(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://secret")
	t.Setenv("TZ", "America/New_York")
	w := mustWorld(t, "")
	w.mustEnsure(t)
	got, err := w.do(t, "environment")
	must(t, err)
	var names []string
	for line := range strings.Lines(got) {
		if name, _, ok := strings.Cut(line, "="); ok && name == strings.ToUpper(name) && !strings.ContainsAny(name, "/+ ") {
			names = append(names, name)
		}
	}
	for _, name := range names {
		allowed := slices.Contains([]string{"TZ", "LANG", "SSL_CERT_FILE", "ADDON_LIFELINE_FD", "BILLING_ADDON"}, name)
		if !allowed && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("the add-on sees %s", name)
		}
	}
	if strings.Contains(got, "secret") || !strings.Contains(got, "TZ=America/New_York") {
		t.Errorf("environment is\n%s", got)
	}
}

func TestBillersComeAndGo(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "", "b1")
	w.mustEnsure(t)
	w.books.change(func(b *books) {
		b.installations[0].State = addon.Suspended
		b.installations = append(b.installations, addon.Installation{BillerID: "b2", State: addon.Enabled})
	})
	w.mustEnsure(t)
	w.books.change(func(b *books) { b.installations[1].UpdatedAt = time.Unix(1, 0) })
	w.mustEnsure(t)
	want := []string{"enable b1 Biller b1", "disable b1", "enable b2 Biller b2", "enable b2 Biller b2"}
	if diff := cmp.Diff(want, w.notes()); diff != "" {
		t.Errorf("billers (-want +got):\n%s", diff)
	}
	w.credentials.mu.Lock()
	defer w.credentials.mu.Unlock()
	if len(w.credentials.alive) != 1 {
		t.Errorf("credentials = %v, want one", w.credentials.alive)
	}
}

func TestRestartsAfterACrash(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"crash", "panic", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "", "b1")
			w.mustEnsure(t)
			before := w.status().PID
			if how == "kill" {
				must(t, syscall.Kill(before, syscall.SIGKILL))
			} else if _, err := w.do(t, how); !wire.Gone(err) && !apperr.Is(err, apperr.Unavailable) {
				t.Errorf("the call in flight = %v", err)
			}
			until(t, "a new process", func() bool {
				s := w.status()
				return s.State == supervisor.Healthy && s.PID != before
			})
			if got, err := w.do(t, "hello"); err != nil || got != "done" {
				t.Errorf("Link = %q, %v", got, err)
			}
			s := w.status()
			if s.Failures != 1 || how == "crash" && !strings.Contains(s.Report, "my last words") ||
				how == "panic" && !strings.Contains(s.Report, "on the loose") {
				t.Errorf("status = %+v", s)
			}
			if alive(before) {
				t.Errorf("process %d still lives", before)
			}
		})
	}
}

func TestStoppedProcessIsKilled(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	before := w.status().PID
	must(t, syscall.Kill(before, syscall.SIGSTOP))
	until(t, "a new process", func() bool {
		s := w.status()
		return s.State == supervisor.Healthy && s.PID != before
	})
	if alive(before) {
		t.Errorf("process %d still lives", before)
	}
}

func TestStoppedProcessDoesNotKeepTheHost(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	must(t, syscall.Kill(w.status().PID, syscall.SIGSTOP))
	w.mustEnd(t)
}

func TestGrandchildIsKilled(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	before := w.status().PID
	text, err := w.do(t, "grandchild")
	must(t, err)
	grandchild, err := strconv.Atoi(text)
	must(t, err)
	must(t, syscall.Kill(before, syscall.SIGKILL))
	until(t, "a new process", func() bool {
		s := w.status()
		return s.State == supervisor.Healthy && s.PID != before
	})
	until(t, "the end of the grandchild", func() bool { return !alive(grandchild) })
}

func TestLogLinesDoNotHurt(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	_, err := w.do(t, "bad log line")
	must(t, err)
	until(t, "the lines are logged", func() bool {
		log := w.log.String()
		return strings.Contains(log, `msg="a good one" addon=test-addon version=1.0.0 n=1`) &&
			strings.Contains(log, `@message\":42`) && strings.Contains(log, "a print") && strings.Contains(log, "xxxx")
	})
	if n := len(w.log.String()); n > 100_000 {
		t.Errorf("the log has %d bytes", n)
	}
	_, err = w.do(t, "flood")
	must(t, err)
	if got, err := w.do(t, "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
	if n := strings.Count(w.log.String(), "add-on wrote to stderr"); n > 10_000 {
		t.Errorf("the flood made %d lines", n)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		mode, message string
	}{
		{"prints first", "Hello, I am starting."},
		{"lies", "The program says it is test-addon 9.9.9; its manifest says test-addon 1.0.0."},
		{"offers nothing", "The program offers nothing; its manifest says invite."},
		{"start fails", "the schema is too new"},
		{"dies at once", "cannot find my config"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, tt.mode)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			err := w.Ensure(ctx, w.active)
			if !strings.Contains(apperr.MessageOf(err), tt.message) {
				t.Errorf("Ensure = %v, want %q", err, tt.message)
			}
			if _, err := w.Client("test-addon"); !apperr.Is(err, apperr.Unavailable) || apperr.RetryAfterOf(err) < time.Second {
				t.Errorf("Client = %v", err)
			}
		})
	}
}

func TestHangingStartIsKilled(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := w.Ensure(ctx, w.active); !strings.Contains(apperr.MessageOf(err), "timeout") {
		t.Errorf("Ensure = %v", err)
	}
}

func TestChangedPackageIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH), "mode", "extra"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "")
			w.mustEnsure(t)
			path := filepath.Join(w.dir, "packages", w.active.Digest, name)
			mustFlip(t, path)
			must(t, syscall.Kill(w.status().PID, syscall.SIGKILL))
			until(t, "the package is refused", func() bool {
				s := w.status()
				return s.State == supervisor.BackingOff && s.Err != nil && strings.Contains(s.Err.Error(), name)
			})
		})
	}
}

// mustFlip changes one byte of a file, which gets a new inode.
func mustFlip(tb testing.TB, path string) {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		data = []byte("?")
	}
	mode := os.FileMode(0o444)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
		must(tb, os.Remove(path))
	}
	if len(data) == 0 {
		data = []byte("x")
	}
	data[len(data)/2] ^= 1
	must(tb, os.WriteFile(path, data, mode))
}

func TestAnotherVersionReplacesTheFirst(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "", "b1")
	w.mustEnsure(t)
	before := w.status().PID
	second := mustPackage(t, filepath.Join(w.dir, "packages"), "checks its environment")
	w.books.change(func(b *books) { b.active = []addon.Active{second} })
	w.active = second
	w.mustEnsure(t)
	if s := w.status(); s.PID == before || s.Digest != second.Digest || alive(before) {
		t.Errorf("status = %+v", s)
	}
	w.books.change(func(b *books) { b.active = nil })
	w.Wake()
	until(t, "the add-on is gone", func() bool { return len(w.Statuses()) == 0 })
}

func TestCallsInFlightFinish(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	answer := make(chan error, 1)
	c, err := w.Client("test-addon")
	must(t, err)
	go func() {
		_, err := c.Invite(sdk.Call{}, "").Link(context.Background(), "slow")
		answer <- err
	}()
	time.Sleep(50 * time.Millisecond) // the call has to be under way; nothing tells when
	w.mustEnd(t)
	if err := <-answer; err != nil {
		t.Errorf("the call in flight = %v", err)
	}
}

func TestAddonDiesWithItsHost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), hostEnv+"="+dir)
	var log bytes.Buffer
	host.Stderr = &log
	out, err := host.StdoutPipe()
	must(t, err)
	must(t, host.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("host says nothing: %v\n%s", err, log.String())
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	must(t, err)
	if !alive(pid) {
		t.Fatal("the add-on does not run")
	}
	must(t, host.Process.Kill())
	_ = host.Wait() // it was killed
	until(t, "the add-on ends", func() bool { return !alive(pid) })

	next := mustWorldIn(t, dir, "checks its environment")
	next.mustEnsure(t) // what the dead host left is swept; mustEnd looks
}

// runHost is a host for TestAddonDiesWithItsHost.
func runHost(dir string) {
	tb := &mainTB{}
	w := mustWorldIn(tb, dir, "")
	w.mustEnsure(tb)
	fmt.Println(w.status().PID)
	select {}
}

// mainTB lets helpers run outside a test.
type mainTB struct{ testing.TB }

func (mainTB) Helper()                  {}
func (mainTB) Cleanup(func())           {}
func (mainTB) Name() string             { return "host" }
func (mainTB) Context() context.Context { return context.Background() }
func (mainTB) Fatal(args ...any)        { fmt.Fprintln(os.Stderr, args...); os.Exit(1) }
func (mainTB) Fatalf(f string, args ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", args...)
	os.Exit(1)
}

var _ io.Writer = (*lockedBuffer)(nil)
