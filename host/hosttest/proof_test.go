package hosttest_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

// proof lets the tests with large loads run; make proof sets it.
var proof = flag.Bool("proof", false, "run the tests with large loads")

// TestProofUpgradeUnderLoad is TestUpgradeUnderLoad with nothing beside it, five
// times, and tells how many requests there were.
func TestProofUpgradeUnderLoad(t *testing.T) {
	if !*proof {
		t.Skip("a large load: make proof runs it")
	}
	var asked int64
	for range 5 {
		t.Run("20 upgrades and 20 rollbacks", func(t *testing.T) { asked += upgradeUnderLoad(t) })
	}
	load, err := os.ReadFile("/proc/loadavg")
	mustDo(t, err)
	if !t.Failed() {
		fmt.Printf("PROOF 0 of %d requests failed during 100 upgrades and 100 rollbacks (load %s)\n", asked, strings.Fields(string(load))[0])
	}
}
