package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
)

// actAsHost makes the test binary a host of itself.
const actAsHost = "SERVE_TEST_HOST"

// actHost starts an add-on with children, prints its process id and the
// children's, and waits to be killed.
func actHost() {
	if err := os.Unsetenv(actAsHost); err != nil {
		panic(err)
	}
	// The add-on's environment is empty: a script says what it is to be.
	script := filepath.Join(os.TempDir(), "addon.sh")
	text := "#!/bin/sh\n" + actAsAddon + "='has children' exec " + os.Args[0] + "\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		panic(err)
	}
	i, err := sdktest.Launch(context.Background(), script, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	// The host's own sockets are in use, too.
	if err := i.EnableAll(context.Background(), sdktest.Northwind); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println("ready")
	select {}
}

// startChildren starts a child that holds the add-on's pipes and has a child
// itself, and one that ignores what can be ignored.
func startChildren(env sdk.Env) {
	for _, script := range []string{"sleep 1000 & echo child $! >&2; wait", "trap '' HUP INT TERM PIPE; while :; do sleep 1000; done"} {
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
		if err := cmd.Start(); err != nil {
			env.Log.Error("child not started", "error", err.Error())
			return
		}
		fmt.Fprintln(os.Stderr, "child", cmd.Process.Pid)
	}
	fmt.Fprintln(os.Stderr, "child", os.Getpid())
}

// TestNothingOutlivesAKilledHost kills the host with SIGKILL: its add-on, the
// add-on's children and grandchildren, and the sockets of both are gone.
func TestNothingOutlivesAKilledHost(t *testing.T) {
	t.Parallel()
	const processes = 4 // the add-on, two children, one grandchild
	temp, err := os.MkdirTemp("", "serve")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(temp); err != nil {
			t.Error(err)
		}
	})
	var stderr buffer
	host := exec.CommandContext(t.Context(), os.Args[0])
	host.Env = []string{actAsHost + "=1", "TMPDIR=" + temp, "PATH=" + os.Getenv("PATH")}
	host.Stderr = &stderr
	stdout, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "ready\n" {
		t.Fatalf("host said %q, %v: %s", line, err, &stderr)
	}
	eventually(t, "children", func() bool { return len(children(&stderr)) == processes })
	if len(sockets(t, temp)) < 2 {
		t.Errorf("sockets %v; want those of host and add-on", sockets(t, temp))
	}
	t.Cleanup(func() { // what a failing test leaves
		for _, pid := range children(&stderr) {
			if n, err := strconv.Atoi(pid); err == nil && alive(pid) {
				_ = syscall.Kill(n, syscall.SIGKILL)
			}
		}
	})
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range children(&stderr) {
		eventually(t, "end of process "+pid+" in "+stderr.String(), func() bool { return !alive(pid) })
	}
	// All who held the pipe are gone, or this would wait for them.
	if err := host.Wait(); err == nil {
		t.Error("the host ended well")
	}
	if left := sockets(t, temp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func children(stderr *buffer) []string {
	var pids []string
	for line := range strings.Lines(stderr.String()) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "child "); ok {
			pids = append(pids, pid)
		}
	}
	return pids
}

// alive tells whether a process runs; one that only waits to be reaped does not.
func alive(pid string) bool {
	n, err := strconv.Atoi(pid)
	if err != nil || errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !bytes.HasPrefix(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" Z"))
}

// sockets are the sockets, and the folders made for them, below dir.
func sockets(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && (d.Type()&fs.ModeSocket != 0 || strings.HasPrefix(d.Name(), "plugin-dir")) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
