package serve

import (
	"math"
	"os"
	"runtime/debug"
	"syscall"
)

// collectLess lets the heap grow to five times what is in use before garbage is
// collected, or to three quarters of what the host allows the process: an add-on
// uses a few megabytes, and with Go's usual factor would collect after every third
// page. What the environment says of it counts more.
func collectLess() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetGCPercent(400)
	var data syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &data); err == nil {
		debug.SetMemoryLimit(softLimit(data.Cur))
	}
}

// softLimit is three quarters of a limit of the system.
func softLimit(hard uint64) int64 {
	if hard > math.MaxInt64 { // there is none
		return math.MaxInt64
	}
	return int64(hard / 4 * 3)
}
