package supervisor_test

// What add-ons do wrong, and where it is tested apart. All of it, each by a real
// process in a whole host beside others who notice nothing, is in the table of
// host/hosttest TestMisbehavingAddons, which fails if one shows less than that the
// host stays up, others are answered, nothing is left and the state is clear.
//
//	prints before the handshake           TestBadStart
//	wrong cookie, protocol, no handshake  TestBadStart
//	never answers Start                   TestBadStart
//	crashes at start                      TestBadStart, TestRefused
//	hangs before the handshake            TestHangingStartIsKilled
//	leaves grandchildren with open pipes  TestBadStart, TestGrandchildIsKilled
//	stops itself                          TestBadBehaviour, TestStoppedProcess…
//	crashes at the third request          TestBadBehaviour
//	crashes again and again               TestRestartsAfterACrash
//	panics on the loose                   TestRestartsAfterACrash
//	panics in a handler                   sdk/wire TestBrokenPages
//	floods stdout and stderr              TestBadBehaviour, TestDroppedLinesAreTold
//	JSON with wrong types                 TestLogLinesDoNotHurt
//	answers gigabytes                     TestBadBehaviour, host/hosttest TestEndlessAnswer
//	bad headers, cookies, status 99       host/pages TestPublicAnswers, TestPublicCookies
//	script in a fragment                  host/pages TestFragment
//	leaks file descriptors                TestLimitsOfFiles
//	allocates memory without end          TestLimitsOfMemory
//	fork bomb, reads the host's memory    TestHostOfAnotherUser
//	reads others' files, signals others   TestLandlock
//	asks for undeclared permissions       host/services TestPermissions, host/hosttest TestWhatAnAddonMayDo
//	uses an expired token                 host/services TestTokens
//	calls the host in a tight loop        host/services TestTightLoop
//	keeps all places of a page busy       host/pages TestPublicServesSoManyAtATime

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// misbehaveAtStart does what the mode says before the handshake.
func misbehaveAtStart(mode string) {
	switch mode {
	case "wrong cookie":
		if err := os.Setenv(wire.Handshake().MagicCookieKey, "wrong"); err != nil {
			panic(err)
		}
	case "wrong protocol":
		fmt.Println("1|99|unix|/nowhere|grpc|")
		select {}
	case "wrong core":
		fmt.Println("9|1|unix|/nowhere|grpc|")
		select {}
	case "no handshake":
		for {
			fmt.Print(strings.Repeat("x", 1<<16))
		}
	case "leaves a child":
		child := exec.Command("/bin/sleep", "1001")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Fprintln(os.Stderr, "child", child.Process.Pid)
		os.Exit(3)
	}
}

var requests atomic.Int64

// misbehave does what a test says while a call is answered.
func misbehave(what string) (string, error) {
	switch what {
	case "stop itself":
		return "stopped", syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	case "third request":
		if requests.Add(1) == 3 {
			os.Exit(3)
		}
	case "flood":
		line := strings.Repeat("y", 4000)
		for i := range 3_000 {
			fmt.Fprintln(os.Stderr, i, line)
			fmt.Fprintln(os.Stdout, i, line)
		}
	case "huge answer":
		return strings.Repeat("x", 64<<20), nil
	}
	return "done", nil
}

// mustNeighbours is a world with a good add-on beside the one that misbehaves.
func mustNeighbours(tb testing.TB, mode string) (*world, func(until <-chan struct{})) {
	tb.Helper()
	dir := mustDir(tb)
	binary, err := program()
	must(tb, err)
	w := mustWorldOf(tb, dir, binary, mode, func(c *supervisor.Config) { c.Times.Handshake, c.Times.Start = 10*time.Second, 10*time.Second })
	good := mustPackage(tb, filepath.Join(dir, "packages"), "neighbour")
	w.books.change(func(b *books) { b.active = append(b.active, good) })
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	must(tb, w.Ensure(ctx, good))
	return w, func(until <-chan struct{}) {
		pause := time.NewTicker(20 * time.Millisecond)
		defer pause.Stop()
		for {
			c, err := w.Client("neighbour")
			if err != nil {
				tb.Errorf("the neighbour: %v", err)
				return
			}
			begun := time.Now()
			if got, err := c.Invite(sdk.Call{}, "").Link(tb.Context(), "hello"); err != nil || got != "done" || time.Since(begun) > 20*time.Second {
				tb.Errorf("the neighbour answers %q, %v after %s", got, err, time.Since(begun))
			}
			select {
			case <-until:
				return
			case <-pause.C:
			}
		}
	}
}

func TestBadStart(t *testing.T) {
	t.Parallel()
	for mode, message := range map[string]string{
		"prints first":   "Hello, I am starting.",
		"wrong cookie":   "addon run test-addon",
		"wrong protocol": "Plugin version: 99",
		"wrong core":     "Plugin version: 9",
		"no handshake":   "could not be started",
		"start hangs":    "The request was given up.|The answer took too long.",
		"leaves a child": "child",
		"dies at once":   "cannot find my config",
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w, answers := mustNeighbours(t, mode)
			failed := make(chan struct{})
			var err error
			go func() {
				defer close(failed)
				err = w.Ensure(t.Context(), w.active)
			}()
			answers(failed)
			if !slices.ContainsFunc(strings.Split(message, "|"), func(m string) bool { return strings.Contains(apperr.MessageOf(err), m) }) {
				t.Errorf("Ensure = %v, want %q", err, message)
			}
			if mode == "leaves a child" {
				_, text, _ := strings.Cut(apperr.MessageOf(err), "child ")
				pid, err := strconv.Atoi(strings.TrimSpace(text))
				must(t, err)
				until(t, "the end of the grandchild", func() bool { return !alive(pid) })
			}
		})
	}
}

func TestBadBehaviour(t *testing.T) {
	for _, c := range []struct {
		what string
		ends bool // the process has to go
	}{
		{"stop itself", true},
		{"third request", true},
		{"flood", false},
		{"huge answer", false},
	} {
		t.Run(c.what, func(t *testing.T) {
			w, answers := mustNeighbours(t, "")
			w.mustEnsure(t)
			before := w.status()
			var heap runtime.MemStats
			runtime.ReadMemStats(&heap)
			var wg sync.WaitGroup
			done := make(chan struct{})
			wg.Go(func() { answers(done) })
			for range 3 {
				if _, err := w.do(t, c.what); err != nil && apperr.Is(err, apperr.Unavailable) {
					break
				}
			}
			until(t, "it works", func() bool {
				s := w.status()
				got, err := w.do(t, "hello")
				return err == nil && got == "done" && (s.PID != before.PID || !c.ends)
			})
			close(done)
			wg.Wait()
			var after runtime.MemStats
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapSys) - int64(heap.HeapSys); grown > 128<<20 {
				t.Errorf("the heap grew by %d MiB", grown>>20)
			}
			if n := len(w.log.String()); n > 40<<20 {
				t.Errorf("the log has %d MiB", n>>20)
			}
			if c.ends && alive(before.PID) {
				t.Errorf("process %d is left", before.PID)
			}
		})
	}
}

func TestDroppedLinesAreTold(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	binary, err := program()
	must(t, err)
	w := mustWorldOf(t, mustDir(t), binary, "", func(c *supervisor.Config) { c.Now = func() time.Time { return now } })
	w.mustEnsure(t)
	_, err = w.do(t, "flood")
	must(t, err)
	w.mustEnd(t)
	log := w.log.String()
	if n := len(log); n > 2<<20 || !strings.Contains(log, `msg="add-on log lines dropped"`) {
		t.Errorf("a log of %d bytes, told: %t", n, strings.Contains(log, "dropped"))
	}
}
