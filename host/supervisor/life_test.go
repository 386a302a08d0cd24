package supervisor_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/sdk"
)

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
	until(t, "the call is under way", func() bool { return slices.Contains(w.notes(), "slow") })
	w.mustEnd(t)
	if err := <-answer; err != nil {
		t.Errorf("the call in flight = %v", err)
	}
}

func TestAddonDiesWithItsHost(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
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
	if left, err := filepath.Glob(filepath.Join(dir, "run", "*", "*", "*")); err != nil || len(left) == 0 {
		t.Errorf("no socket in the private folder: %v, %v", left, err)
	}
	must(t, host.Process.Kill())
	_ = host.Wait() // it was killed
	until(t, "the add-on ends", func() bool { return !alive(pid) })

	next := mustWorldIn(t, dir, "checks its environment")
	next.mustEnsure(t) // what the dead host left is swept; mustEnd looks
}
