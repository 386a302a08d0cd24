package supervisor_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"log/slog"
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

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
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
	if s := w.status(); s.PID == before || s.Digest != second.Digest {
		t.Errorf("status = %+v", s)
	}
	until(t, "the first process ends", func() bool { return !alive(before) })
	w.books.change(func(b *books) { b.active = nil })
	w.Wake()
	until(t, "the add-on is gone", func() bool { return len(w.Statuses()) == 0 })
}

// TestFailureIsOfTheVersionThatWasTried installs a good version while a bad one
// starts: the bad one's end is not the good one's.
func TestFailureIsOfTheVersionThatWasTried(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "lies slowly")
	until(t, "the bad version starts", func() bool { return w.status().State == supervisor.Starting })
	bad, good := w.active, mustPackage(t, filepath.Join(w.dir, "packages"), "checks its environment")
	w.books.change(func(b *books) { b.active = []addon.Active{good} })
	answer := make(chan error, 1)
	go func() { answer <- w.Ensure(t.Context(), good) }()
	until(t, "the good version is wanted", func() bool { return w.status().Digest == good.Digest })
	w.active = good
	must(t, os.WriteFile(filepath.Join(w.dir, "packages", bad.Digest)+".go on", nil, 0o600))
	if err := <-answer; err != nil {
		t.Errorf("Ensure = %v\n%s", err, w.log)
	}
	if s := w.status(); s.State != supervisor.Healthy || s.Digest != good.Digest || s.Failures != 1 {
		t.Errorf("status = %+v", s)
	}
}

func TestEnsureWaitsForTheBillers(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	w.books.change(func(b *books) {
		b.err = errors.New("the database is down")
		b.installations = []addon.Installation{{BillerID: "b1", State: addon.Enabled}}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := w.Ensure(ctx, w.active); !apperr.Is(err, apperr.Unavailable) {
		t.Errorf("Ensure without the store = %v", err)
	}
	w.books.change(func(b *books) { b.err = nil })
	w.mustEnsure(t)
	if got := w.notes(); !slices.Contains(got, "enable b1 Biller b1") {
		t.Errorf("billers = %v", got)
	}
}

func TestCallsInFlightFinish(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"slow", "large"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			w := mustWorld(t, "")
			w.mustEnsure(t)
			answer := make(chan error, 1)
			c, err := w.Client("test-addon")
			must(t, err)
			go func() {
				_, err := c.Invite(sdk.Call{}, "").Link(context.Background(), what)
				answer <- err
			}()
			until(t, "the call is under way", func() bool { return slices.Contains(w.notes(), what) })
			w.mustEnd(t)
			if err := <-answer; err != nil {
				t.Errorf("the call in flight = %v", err)
			}
		})
	}
}

// TestSlowEndKeepsNobodyWaiting takes an add-on away that is busy, chooses
// another one, and then the first again.
func TestSlowEndKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	w := mustWorld(t, "")
	w.mustEnsure(t)
	c, err := w.Client("test-addon")
	must(t, err)
	ctx, finish := context.WithCancel(t.Context())
	defer finish()
	call := make(chan error, 1)
	go func() {
		_, err := c.Invite(sdk.Call{}, "").Link(ctx, "endless")
		call <- err
	}()
	until(t, "the call is under way", func() bool { return slices.Contains(w.notes(), "endless") })
	other := addon.Active{AddonID: "other", Version: "1.0.0", Digest: "none"}
	w.books.change(func(b *books) { b.active = []addon.Active{other} })
	if err := w.Ensure(t.Context(), other); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("Ensure = %v, want that there is no such package", err)
	}
	if n := len(w.Statuses()); n != 2 {
		t.Errorf("%d add-ons, want the one that is ending too", n)
	}
	w.books.change(func(b *books) { b.active = []addon.Active{w.active} })
	finish()
	w.mustEnsure(t)
	if err := <-call; err == nil {
		t.Error("the endless call has ended well")
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

// TestManyHostsShareADataFolder starts and ends hosts while others sweep.
func TestManyHostsShareADataFolder(t *testing.T) {
	t.Parallel()
	dir := mustDir(t)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 20 {
				s := supervisor.New(supervisor.Config{Store: &books{}, DataDir: dir, Log: slog.New(slog.DiscardHandler)})
				if err := s.Run(ended); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestKeepaliveEndsACall of a process that stands still, although nobody asks it
// whether it lives.
func TestKeepaliveEndsACall(t *testing.T) {
	t.Parallel()
	binary, err := program()
	must(t, err)
	w := mustWorldOf(t, mustDir(t), binary, "", func(c *supervisor.Config) {
		c.Times.Health, c.Times.Drain, c.Times.Stop = time.Hour, time.Second, time.Second
	})
	w.mustEnsure(t)
	call := make(chan error, 1)
	go func() {
		_, err := w.do(t, "endless")
		call <- err
	}()
	until(t, "the call is under way", func() bool { return slices.Contains(w.notes(), "endless") })
	w.mustSignal(t, syscall.SIGSTOP)
	select {
	case err := <-call:
		if !apperr.Is(err, apperr.Unavailable) {
			t.Errorf("the call = %v", err)
		}
	case <-time.After(patience):
		t.Error("the call waits for a process that stands still")
	}
}
