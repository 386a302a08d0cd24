package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
)

func TestProcesses(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		v := addon.Version{Version: "1.0.0", Digest: "d1"}
		healthy := addon.Process{
			AddonID: "hello", Version: v, State: "healthy", Since: w.now.Add(-time.Hour), PID: 42, Protection: []string{"rlimits", "landlock"},
		}
		resting := addon.Process{
			AddonID: portal, Version: v, State: "backing off", Since: w.now, RetryAt: w.now.Add(time.Minute), Error: "It fell over.",
		}
		mustDo(t, w.ReportProcesses(ctx, "h1", "machine:1", []addon.Process{healthy, resting}))
		mustDo(t, w.ReportProcesses(ctx, "h2", "machine:2", []addon.Process{healthy}))
		heard := func(hostID, host string, p addon.Process) addon.Process {
			p.HostID, p.Host, p.Heartbeat = hostID, host, w.now
			if p.Protection == nil {
				p.Protection = []string{}
			}
			return p
		}
		check := func(want ...addon.Process) {
			t.Helper()
			got, err := w.Processes(ctx)
			if diff := cmp.Diff(want, got); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		}
		first, second, third := heard("h1", "machine:1", healthy), heard("h2", "machine:2", healthy), heard("h1", "machine:1", resting)
		check(third, first, second)

		w.pass(time.Minute)
		healthy.State = "draining"
		mustDo(t, w.ReportProcesses(ctx, "h2", "machine:2", []addon.Process{healthy}))
		check(third, first, heard("h2", "machine:2", healthy)) // another host's words stay
		if now := w.now; !first.Stale(now) || heard("h2", "machine:2", healthy).Stale(now.Add(10*time.Second)) {
			t.Error("a silent host is not stale, or one that spoke is")
		}
		mustDo(t, w.SweepProcesses(ctx, w.now))
		check(heard("h2", "machine:2", healthy))
		mustDo(t, w.ReportProcesses(ctx, "h2", "machine:2", nil))
		check([]addon.Process{}...)
	})
}
