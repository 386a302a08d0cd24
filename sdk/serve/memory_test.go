package serve

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestSoftLimit(t *testing.T) {
	t.Parallel()
	for hard, want := range map[uint64]int64{1 << 30: 3 << 28, math.MaxUint64: math.MaxInt64, 0: 0} {
		if got := softLimit(hard); got != want {
			t.Errorf("softLimit(%d) = %d, want %d", hard, got, want)
		}
	}
}

// TestCollectLess is about the whole process, so nothing runs beside it.
func TestCollectLess(t *testing.T) {
	before, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() {
		debug.SetGCPercent(before)
		debug.SetMemoryLimit(limit)
	})
	t.Setenv("GOMEMLIMIT", "")
	t.Setenv("GOGC", "50")
	collectLess()
	if got := debug.SetGCPercent(100); got != 100 {
		t.Errorf("against the environment: %d", got)
	}
	t.Setenv("GOGC", "")
	collectLess()
	if got := debug.SetGCPercent(100); got != 400 {
		t.Errorf("%d", got)
	}
}
