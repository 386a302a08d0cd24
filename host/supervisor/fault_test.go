package supervisor_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/store"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// faultEnv is the point at which a host kills itself: its name, and the how
// manieth time.
const faultEnv = "SUPERVISOR_TEST_FAULT"

// TestKilledAtEachStep kills a host at each step of a start and of an upgrade, and
// starts another: one version serves, and nothing is left behind.
func TestKilledAtEachStep(t *testing.T) {
	t.Parallel()
	const first, second, bad = "notes its process 1", "notes its process 2", "notes its process, start fails"
	tests := []struct{ point, mode string }{
		// The first version starts.
		{"fetched 1", second}, {"launched 1", second}, {"started 1", second}, {"enabled 1", second},
		// The second starts beside it.
		{"fetched 2", second}, {"launched 2", second}, {"started 2", second}, {"enabled 2", second},
		{"tested 1", second}, {"promoted 1", second}, {"switched 1", second},
		// The first ends.
		{"finish requests 1", second}, {"drain 1", second}, {"stop 1", second},
		// The second fails.
		{"launched 2", bad}, {"refused 1", bad},
	}
	for _, tt := range tests {
		t.Run(tt.point+" "+tt.mode, func(t *testing.T) {
			t.Parallel()
			dir := mustDir(t)
			packages := filepath.Join(dir, "packages")
			v1, v2 := mustPackage(t, packages, first), mustPackage(t, packages, tt.mode)
			db := mustStore(t, dir)
			must(t, db.SetActive(t.Context(), v1))
			must(t, db.Want(t.Context(), "test-addon", v2.Current()))
			mustDieAt(t, dir, tt.point)
			until(t, "the add-ons end with their host", func() bool { return len(living(packages)) == 0 })

			w := newWorld(dir)
			cfg := w.config()
			cfg.Store = db
			cfg.Times.Answer = 5 * time.Second // of a busy machine
			w.mustRun(t, cfg)
			want := v2.Current()
			if tt.mode == bad {
				want = v1.Current()
			}
			t.Cleanup(func() {
				if t.Failed() {
					t.Log(w.log)
				}
			})
			until(t, "the right version serves alone", func() bool {
				a, err := db.ActiveOf(t.Context(), "test-addon")
				must(t, err)
				settled := a.Current() == want && a.Next == addon.Version{} && (tt.mode != bad || a.Failed.Version == v2.Current())
				pids := living(packages)
				return settled && w.status().Serving == want && len(pids) == 1 && pids[0] == w.status().PID
			})
			if got, err := w.do(t, "hello"); err != nil || got != "done" {
				t.Errorf("Link = %q, %v", got, err)
			}
			w.mustEnd(t)
			if pids := living(packages); len(pids) > 0 {
				t.Errorf("processes %v are left", pids)
			}
		})
	}
}

// mustStore returns the host's own store, in a file in dir.
func mustStore(tb testing.TB, dir string) *store.Store {
	tb.Helper()
	db, err := sqldb.Open(tb.Context(), sqldb.Config{Driver: sqldb.SQLite, DSN: filepath.Join(dir, "host.db")})
	must(tb, err)
	tb.Cleanup(func() { must(tb, db.Close()) })
	set, err := store.Migrations()
	must(tb, err)
	must(tb, sqldb.Migrate(tb.Context(), db, set))
	return store.New(db, nil)
}

// mustDieAt runs this binary as a host that kills itself at a point.
func mustDieAt(tb testing.TB, dir, point string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	host := exec.CommandContext(ctx, os.Args[0])
	host.Env = append(os.Environ(), hostEnv+"="+dir, faultEnv+"="+point)
	var log bytes.Buffer
	host.Stderr = &log
	if err := host.Run(); err == nil || ctx.Err() != nil || host.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		tb.Fatalf("host did not die at %q: %v\n%s", point, err, log.String())
	}
}

// runInterrupted is a host that kills itself.
func runInterrupted(tb testing.TB, dir, fault string) {
	i := strings.LastIndex(fault, " ")
	times, err := strconv.Atoi(fault[i+1:])
	must(tb, err)
	var mu sync.Mutex
	w := newWorld(dir)
	cfg := w.config()
	cfg.Store = mustStore(tb, dir)
	cfg.Times.Answer = 5 * time.Second
	w.mustRun(tb, cfg, func(s *supervisor.Supervisor) {
		s.SetFault(func(point string) {
			mu.Lock()
			defer mu.Unlock()
			if point != fault[:i] {
				return
			}
			if times--; times == 0 {
				must(tb, syscall.Kill(os.Getpid(), syscall.SIGKILL))
				select {}
			}
		})
	})
	select {}
}

// living returns the processes that the add-ons of a folder have noted and that
// live.
func living(packages string) []int {
	files, _ := filepath.Glob(filepath.Join(packages, "*.notes")) // the pattern is good
	var pids []int
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(data)) {
			text, ok := strings.CutPrefix(strings.TrimSpace(line), "process ")
			if pid, err := strconv.Atoi(text); ok && err == nil && alive(pid) {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}
