package supervisor

import (
	"testing"
	"time"
)

// TestDefaults are what operators are promised.
func TestDefaults(t *testing.T) {
	t.Parallel()
	d := Times{}.withDefaults()
	if d.FirstRest != 500*time.Millisecond || d.LongestRest != time.Minute {
		t.Errorf("an add-on rests %s to %s", d.FirstRest, d.LongestRest)
	}
	if settled != 10*time.Minute || maxCrashes != 5 || crashWindow != 10*time.Minute {
		t.Errorf("settled after %s, broken after %d crashes in %s", settled, maxCrashes, crashWindow)
	}
	if l := (Limits{}).withDefaults(); l != (Limits{Memory: 1 << 30, Files: 1024, Processes: 1024}) {
		t.Errorf("limits = %+v", l)
	}
	jitter := (Config{}).withDefaults().Jitter
	if one, two := jitter(), jitter(); one == two {
		t.Errorf("the pause before a restart is not random: %v twice", one)
	}
}
