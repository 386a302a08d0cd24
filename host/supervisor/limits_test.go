package supervisor_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
)

// greedyEnv names the program greedy for a host that runs as somebody else.
const greedyEnv = "SUPERVISOR_TEST_GREEDY"

// greedy returns the add-on that takes all it can get.
var greedy = sync.OnceValues(func() (string, error) {
	if path := os.Getenv(greedyEnv); path != "" {
		return path, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "greedy")
	if out, err := exec.Command("go", "build", "-o", path, "./testdata/greedy").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build greedy: %w\n%s", err, out)
	}
	return path, os.Chmod(path, 0o555)
})

func mustGreedy(tb testing.TB, dir string, limits supervisor.Limits) *world {
	tb.Helper()
	path, err := greedy()
	must(tb, err)
	w := mustWorldOf(tb, dir, path, "greedy", func(c *supervisor.Config) { c.Limits, c.Times.Answer = limits, 20*time.Second })
	w.mustEnsure(tb)
	return w
}

func TestLimitsOfMemory(t *testing.T) {
	t.Parallel()
	w := mustGreedy(t, mustDir(t), supervisor.Limits{Memory: 256 << 20})
	before := w.status()
	if _, err := w.do(t, "memory"); err == nil {
		t.Error("the call has ended well")
	}
	until(t, "a new process", func() bool { s := w.status(); return s.State == supervisor.Healthy && s.PID != before.PID })
	if s := w.status(); !strings.Contains(s.Report, "out of memory") {
		t.Errorf("report = %.300s", s.Report)
	}
}

func TestLimitsOfFiles(t *testing.T) {
	t.Parallel()
	w := mustGreedy(t, mustDir(t), supervisor.Limits{Files: 64})
	got, err := w.do(t, "files")
	if n, _ := strconv.Atoi(strings.Fields(got + " x")[0]); err != nil || n < 20 || n > 64 || !strings.Contains(got, "too many open files") {
		t.Errorf("Link = %q, %v", got, err)
	}
	w.mustEnd(t) // with no descriptor left it still stops
}

func TestLimitsAreInForceByDefault(t *testing.T) {
	t.Parallel()
	w := mustGreedy(t, mustDir(t), supervisor.Limits{})
	pid := w.status().PID
	for resource, most := range map[int]uint64{unix.RLIMIT_DATA: 1 << 30, unix.RLIMIT_NOFILE: 1024, unix.RLIMIT_CORE: 0} {
		var got unix.Rlimit
		must(t, unix.Prlimit(pid, resource, nil, &got))
		if got.Max != most || got.Cur != most {
			t.Errorf("limit %d = %+v, want %d", resource, got, most)
		}
	}
	var processes unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_NPROC, nil, &processes))
	if processes.Max <= 1024 {
		t.Errorf("processes = %+v, want more than 1,024: those of the user count too", processes)
	}
	if s := w.status(); !slices.Contains(s.Protection, supervisor.ProtectionLimits) {
		t.Errorf("protection = %v", s.Protection)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	must(t, err)
	if !strings.Contains(string(status), "NoNewPrivs:\t1") || !strings.Contains(string(status), "TracerPid:\t0") {
		t.Errorf("status =\n%s", status)
	}
}

// TestHostOfAnotherUser runs a host that conceals itself and is not root, whom
// the kernel exempts from the limit of processes.
func TestHostOfAnotherUser(t *testing.T) {
	t.Parallel()
	path, err := greedy()
	must(t, err)
	dir := mustDir(t)
	path = mustCopy(t, path, filepath.Join(dir, "greedy"))
	host := exec.Command(mustCopy(t, os.Args[0], filepath.Join(dir, "host")))
	host.Dir = dir
	host.Env = append(os.Environ(), greedyHostEnv+"="+filepath.Join(dir, "data"), greedyEnv+"="+path, "TMPDIR="+dir)
	must(t, os.Mkdir(filepath.Join(dir, "data"), 0o700))
	if os.Getuid() == 0 {
		const nobody = 65534
		for _, d := range []string{dir, filepath.Join(dir, "data"), path} {
			must(t, os.Chown(d, nobody, nobody))
		}
		host.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var log bytes.Buffer
	host.Stderr = &log
	out, err := host.Output()
	if err != nil {
		t.Fatalf("host: %v\n%s\n%s", err, out, log.String())
	}
	if got := string(out); got != "well\n" {
		t.Errorf("host says\n%s\n%s", got, log.String())
	}
}

func mustCopy(tb testing.TB, from, to string) string {
	tb.Helper()
	data, err := os.ReadFile(from)
	must(tb, err)
	must(tb, os.WriteFile(to, data, 0o555))
	return to
}

const greedyHostEnv = "SUPERVISOR_TEST_GREEDY_HOST"

// runGreedyHost is the host of TestHostOfAnotherUser.
func runGreedyHost(dir string) {
	tb := &mainTB{}
	must(tb, supervisor.Conceal())
	w := mustGreedy(tb, dir, supervisor.Limits{Processes: 100})
	long := strconv.Itoa(1_000_000 + os.Getpid()) // the sleepers of this run
	for _, file := range []string{"environ", "mem", "maps"} {
		got, err := w.do(tb, fmt.Sprintf("read /proc/%d/%s", os.Getpid(), file))
		if err != nil || !strings.Contains(got, "permission denied") {
			tb.Fatalf("the host's %s = %q, %v", file, got, err)
		}
	}
	for range 3 { // those that are just ending count too, once more
		got, err := w.do(tb, "processes "+long)
		n, _ := strconv.Atoi(strings.Fields(got + " x")[0])
		if err == nil && (n > 300 || !strings.Contains(got, "resource temporarily unavailable")) {
			tb.Fatalf("processes = %q", got)
		}
		w.mustSignal(tb, syscall.SIGKILL)
		until(tb, "it works again", func() bool { got, err := w.do(tb, "hello"); return err == nil && got == "done" })
	}
	w.mustEnd(tb)
	until(tb, "all processes are gone", func() bool { return sleepers(long) == 0 })
	fmt.Println("well")
	os.Exit(0)
}

// sleepers counts the processes that sleep for so long.
func sleepers(seconds string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && string(text) == "/bin/sleep\x00"+seconds+"\x00" {
			n++
		}
	}
	return n
}

func TestLandlock(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	own := filepath.Join(dir, "own")
	must(t, os.Mkdir(own, 0o700))
	secret := filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, []byte("x"), 0o644))
	path, err := greedy()
	must(t, err)
	w := mustWorldOf(t, dir, path, "greedy", func(c *supervisor.Config) {
		c.Limits = supervisor.Limits{}
		c.Env = envOf(supervisor.Env{Database: sdk.Database{Driver: "sqlite", DSN: filepath.Join(own, "a.db")}, Key: make([]byte, 32), Folder: own})
	})
	w.mustEnsure(t)
	if !slices.Contains(w.status().Protection, supervisor.ProtectionLandlock) {
		t.Skip("this kernel has no landlock")
	}
	pkg := filepath.Join(dir, "packages", w.active.Digest)
	for _, c := range []struct {
		what   string
		denied bool
	}{
		{"read manifest.yaml", false},
		{"write " + pkg + "/new", true},
		{"write " + own + "/a.db", false},
		{"read " + own + "/a.db", false},
		{"read " + secret, true},
		{"write " + secret, true},
		{"write " + dir + "/new", true},
		{"read /etc/shadow", true},
		{"read /etc/hosts", false},
		{"read /etc/resolv.conf", false},
		{"read /proc/1/environ", true},
		{"look", false},
		{"write /dev/null", false},
		{fmt.Sprint("signal ", os.Getpid()), true},
	} {
		got, err := w.do(t, c.what)
		refused := strings.Contains(got, "denied") || strings.Contains(got, "not permitted")
		if err != nil || refused != c.denied || !c.denied && got != "0 <nil>" {
			t.Errorf("%s = %q, %v", c.what, got, err)
		}
	}
	temporary, err := w.do(t, "temporary")
	if err != nil || !strings.HasPrefix(temporary, filepath.Join(dir, "run")) {
		t.Errorf("temporary file = %q, %v", temporary, err)
	}
	if _, err := os.ReadFile(secret); err != nil {
		t.Errorf("the host is locked in too: %v", err)
	}
	w.mustEnd(t)
	if _, err := os.Stat(temporary); err == nil {
		t.Error("the temporary file is left")
	}
}

// TestLimitsUnderLandlock: what closes the file system for the add-on must not
// close it for the host while it counts and limits.
func TestLimitsUnderLandlock(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	path, err := greedy()
	must(t, err)
	w := mustWorldOf(t, dir, path, "greedy", func(c *supervisor.Config) {
		c.Limits = supervisor.Limits{}
		c.Env = envOf(supervisor.Env{Key: make([]byte, 32)})
	})
	w.mustEnsure(t)
	if !slices.Contains(w.status().Protection, supervisor.ProtectionLandlock) {
		t.Skip("this kernel has no landlock")
	}
	pid := w.status().PID
	var processes unix.Rlimit
	must(t, unix.Prlimit(pid, unix.RLIMIT_NPROC, nil, &processes))
	if processes.Max <= 1024 {
		t.Errorf("processes = %+v, want more than 1,024: those of the user count too", processes)
	}
	if score, err := os.ReadFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid)); err != nil || strings.TrimSpace(string(score)) != "500" {
		t.Errorf("oom_score_adj = %q, %v", score, err)
	}
}

func TestSharedFolderHasNoLandlock(t *testing.T) {
	t.Parallel()
	w := mustGreedy(t, mustDir(t), supervisor.Limits{})
	if got := w.status().Protection; slices.Contains(got, supervisor.ProtectionLandlock) {
		t.Errorf("protection = %v, and the database could not make its files", got)
	}
}
