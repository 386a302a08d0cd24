package serve

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	plugin "github.com/hashicorp/go-plugin"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// watchLifeline calls gone when the host's end of the pipe is closed, which the
// kernel does however the host ends. No descriptor, no lifeline.
func watchLifeline(fd string, gone func()) error {
	if fd == "" {
		return nil
	}
	n, err := strconv.Atoi(fd)
	if err != nil || n < 3 {
		return fmt.Errorf("%s=%q is no file descriptor", wire.LifelineEnv, fd)
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(n, &stat); err != nil {
		return fmt.Errorf("lifeline descriptor %d: %w", n, err)
	}
	syscall.CloseOnExec(n)
	pipe := os.NewFile(uintptr(n), "lifeline")
	go func() {
		// Whatever ends the copy, nobody is at the other end any more.
		_, _ = io.Copy(io.Discard, pipe)
		gone()
	}()
	return nil
}

// endWithHost ends this process and what it has started, because a host that
// was killed can no longer do it. A host that follows the rules starts each
// add-on as the leader of a process group; in another one there are strangers.
func endWithHost() {
	removeSockets(os.Getenv(plugin.EnvUnixSocketDir))
	if syscall.Getpgrp() == os.Getpid() {
		// It cannot fail: this process is in the group, and ends here.
		_ = syscall.Kill(0, syscall.SIGKILL)
	}
	os.Exit(3)
}

// removeSockets removes the folder that go-plugin made for the sockets between
// this process and its host, on both sides. A folder of another name may have
// other users. What cannot be removed is left to the sweep of the next host.
func removeSockets(dir string) {
	if !strings.HasPrefix(filepath.Base(dir), "plugin-dir") {
		return
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type()&fs.ModeSocket != 0 {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	_ = os.Remove(dir)
}
