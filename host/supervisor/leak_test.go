package supervisor_test

import (
	"os"
	"runtime"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/host/supervisor"
)

// TestNothingLeaks crashes an add-on several times, lets it fail at its start, and
// ends: neither descriptors nor goroutines are left. It runs alone.
func TestNothingLeaks(t *testing.T) {
	round := func(mode string) {
		w := mustWorld(t, mode, "b1")
		if mode == "dies at once" {
			until(t, "it has failed", func() bool { return w.status().Failures >= 2 })
		} else {
			w.mustEnsure(t)
			for range 2 {
				before := w.mustSignal(t, syscall.SIGKILL)
				until(t, "a new process", func() bool { s := w.status(); return s.State == supervisor.Healthy && s.PID != before })
			}
		}
		w.mustEnd(t)
	}
	round("") // what is opened once, stays
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for _, mode := range []string{"", "dies at once", "start fails", ""} {
		if mode == "start fails" {
			w := mustWorld(t, mode)
			until(t, "it has failed", func() bool { return w.status().Failures >= 2 })
			w.mustEnd(t)
			continue
		}
		round(mode)
	}
	until(t, "all descriptors are closed", func() bool { runtime.GC(); return openFiles(t) <= files })
	until(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
}

func openFiles(tb testing.TB) int {
	tb.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(tb, err)
	return len(entries)
}
