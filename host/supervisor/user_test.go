package supervisor_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// TestOwnUser runs an add-on that pries, as a user of its own and without landlock,
// beside another one.
func TestOwnUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, who alone starts processes of other users")
	}
	dir := mustDir(t)
	must(t, os.Chmod(dir, 0o711))
	path, err := greedy()
	must(t, err)
	users := supervisor.Users{First: 71000, Last: 71099}
	folders := filepath.Join(dir, "addons")
	env := func(_ context.Context, m *manifest.Manifest) (e supervisor.Env, err error) {
		e.Key = make([]byte, 32)
		// A file outside the folder keeps landlock off: the user alone protects.
		e.Database = sdk.Database{Driver: "sqlite", DSN: "elsewhere"}
		e.Folder, e.User, err = users.Folder(folders, m.ID)
		return e, err
	}
	w := mustWorldOf(t, dir, path, "greedy", func(c *supervisor.Config) {
		c.Env, c.Users, c.Limits = env, true, supervisor.Limits{Processes: 100, Memory: -1}
	}, "b1")
	binary, err := program()
	must(t, err)
	good := mustPackageOf(t, filepath.Join(dir, "packages"), binary, "neighbour")
	w.books.change(func(b *books) { b.active = append(b.active, good) })
	w.mustEnsure(t)
	must(t, w.Ensure(t.Context(), good))
	s := w.status()
	if !slices.Contains(s.Protection, supervisor.ProtectionUser) || slices.Contains(s.Protection, supervisor.ProtectionLandlock) {
		t.Fatalf("protection = %v", s.Protection)
	}
	_, mine, err := users.Folder(folders, "test-addon")
	must(t, err)
	_, others, err := users.Folder(folders, "neighbour")
	must(t, err)
	if status, err := w.do(t, "status"); err != nil || !strings.Contains(status, fmt.Sprintf("Uid:\t%d\t%d\t%d\t%d\n", mine, mine, mine, mine)) ||
		!strings.Contains(status, fmt.Sprintf("Gid:\t%d\t%d\t%d\t%d\n", mine, mine, mine, mine)) || !strings.Contains(status, "Groups:\t \n") || mine == others {
		t.Errorf("user %d beside %d: %v\n%s", mine, others, err, status)
	}

	secret := filepath.Join(dir, "secret")
	must(t, os.WriteFile(secret, []byte("x"), 0o600))
	theirs := filepath.Join(folders, "neighbour", "data.db")
	must(t, os.WriteFile(theirs, []byte("x"), 0o644))
	var neighbour int
	for _, s := range w.Statuses() {
		if s.AddonID == "neighbour" {
			neighbour = s.PID
		}
	}
	sockets, err := filepath.Glob(filepath.Join(dir, "run", "*", "plugin*"))
	must(t, err)
	pries := map[string]bool{
		"read " + folders + "/test-addon/data.db": true, "read manifest.yaml": true,
		"read " + secret: false, "write " + secret: false, "write " + dir + "/new": false, "list " + dir: false, "list " + dir + "/run": false,
		"read " + theirs: false, "write " + theirs: false, "list " + filepath.Dir(theirs): false, "write " + folders + "/new": false,
		"write " + filepath.Join(dir, "packages", w.active.Digest, "new"): false,
		fmt.Sprintf("read /proc/%d/environ", os.Getpid()):                 false, fmt.Sprintf("read /proc/%d/mem", neighbour): false,
		fmt.Sprint("signal ", neighbour): false, fmt.Sprint("signal ", os.Getpid()): false,
	}
	open := 0
	for _, d := range sockets {
		if got, err := w.do(t, "list "+d); err == nil && got == "0 <nil>" {
			open++
		}
	}
	if len(sockets) != 2 || open != 1 {
		t.Errorf("%d of %d folders of sockets are open to it", open, len(sockets))
	}
	check(t, w, "write "+folders+"/test-addon/data.db", true)
	for what, allowed := range pries {
		check(t, w, what, allowed)
	}

	// The kernel counts the processes of a user that is not root.
	got, err := w.do(t, "processes 1007")
	if n, _ := strconv.Atoi(strings.Fields(got + " x")[0]); err == nil && (n > 150 || !strings.Contains(got, "resource temporarily unavailable")) {
		t.Errorf("processes = %q", got)
	}
}

func check(t *testing.T, w *world, what string, allowed bool) {
	t.Helper()
	got, err := w.do(t, what)
	if refused := strings.Contains(got, "denied") || strings.Contains(got, "not permitted"); err != nil || refused == allowed || allowed && got != "0 <nil>" {
		t.Errorf("%s = %q, %v", what, got, err)
	}
}

// TestForkBombOfRoot is bounded although the kernel exempts root.
func TestForkBombOfRoot(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the kernel counts the processes of this user: see TestHostOfAnotherUser")
	}
	w := mustGreedy(t, mustDir(t), supervisor.Limits{Processes: 100})
	before := w.status()
	if slices.Contains(before.Protection, supervisor.ProtectionCgroup) {
		t.Skip("a control group counts processes here")
	}
	long := strconv.Itoa(2_000_000 + os.Getpid())
	if got, err := w.do(t, "processes "+long); err == nil {
		t.Errorf("processes = %q", got)
	}
	until(t, "a new process", func() bool { s := w.status(); return s.State == supervisor.Healthy && s.PID != before.PID })
	if s := w.status(); !strings.Contains(s.Report, "more than 100 processes") {
		t.Errorf("report = %.300s", s.Report)
	}
	until(t, "all processes are gone", func() bool { return sleepers(long) == 0 })
}

// TestEscapedProcesses leave the group and the session of their add-on. A control
// group finds them: at the end, and after the host was killed, at the next start.
func TestEscapedProcesses(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	w := mustGreedy(t, dir, supervisor.Limits{})
	if groups, _ := filepath.Glob(filepath.Join(dir, "run", "*", "cgroup")); len(groups) == 0 {
		t.Skip("needs a control group (version 2) that this user may divide")
	}
	long := strconv.Itoa(3_000_000 + os.Getpid())
	_, err := w.do(t, "escape "+long)
	must(t, err)
	until(t, "it has escaped", func() bool { return escaped(long) == 1 })
	w.mustEnd(t)
	if n := escaped(long); n != 0 {
		t.Errorf("%d processes are left", n)
	}

	path, err := greedy()
	must(t, err)
	host := exec.Command(os.Args[0])
	host.Env = append(os.Environ(), escapeHostEnv+"="+dir, greedyEnv+"="+path)
	var log bytes.Buffer
	host.Stderr = &log
	must(t, host.Start())
	long = strconv.Itoa(3_000_000 + host.Process.Pid)
	until(t, "it has escaped", func() bool { return escaped(long) == 1 })
	must(t, host.Process.Kill())
	_ = host.Wait() // it was killed
	next := mustWorldIn(t, dir, "checks its environment")
	next.mustEnsure(t)
	until(t, "the escaped process ends", func() bool { return escaped(long) == 0 })
}

const escapeHostEnv = "SUPERVISOR_TEST_ESCAPE"

// runEscapeHost is the host that TestEscapedProcesses kills.
func runEscapeHost(dir string) {
	tb := &mainTB{}
	w := mustGreedy(tb, dir, supervisor.Limits{})
	_, err := w.do(tb, "escape "+strconv.Itoa(3_000_000+os.Getpid()))
	must(tb, err)
	time.Sleep(time.Hour)
}

// escaped counts the processes that the shell started to sleep for so long.
func escaped(seconds string) int {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is good
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && string(text) == "sleep\x00"+seconds+"\x00" {
			n++
		}
	}
	return n
}

// TestScript is a program that an interpreter runs.
func TestScript(t *testing.T) {
	t.Parallel()
	binary, err := program()
	must(t, err)
	dir := mustDir(t)
	script := filepath.Join(dir, "script")
	must(t, os.WriteFile(script, []byte("#!/bin/sh\nexec '"+binary+"' \"$@\"\n"), 0o555))
	w := mustWorldOf(t, dir, script, "", func(*supervisor.Config) {})
	w.mustEnsure(t)
	if got, err := w.do(t, "hello"); err != nil || got != "done" {
		t.Errorf("Link = %q, %v", got, err)
	}
}
