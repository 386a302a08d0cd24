package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// mustGroup lays out a folder like a control group's.
func mustGroup(tb testing.TB, files map[string]string) string {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "unit.service")
	must(tb, os.Mkdir(dir, 0o755))
	for name, text := range files {
		must(tb, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

func textOf(tb testing.TB, path ...string) string {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if os.IsNotExist(err) {
		return ""
	}
	must(tb, err)
	return string(text)
}

func TestFindCgroup(t *testing.T) {
	t.Parallel()
	const mounts = "30 29 0:25 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n" +
		"31 30 0:26 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n"
	for _, tt := range []struct{ groups, mounts, want string }{
		{"1:pids:/x\n0::/system.slice/a.service\n", mounts, "/sys/fs/cgroup/unified/system.slice/a.service"},
		{"0::/\n", mounts, "/sys/fs/cgroup/unified"},
		{"0::/docker/1/a\n", "31 30 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "/sys/fs/cgroup/a"},
		{"0::/elsewhere\n", "31 30 0:26 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", ""},
		{"1:pids:/x\n", mounts, ""},
		{"0::/\n", "", ""},
	} {
		if got, err := findCgroup([]byte(tt.groups), []byte(tt.mounts)); got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v; want %q", tt.groups, got, err, tt.want)
		}
	}
}

// TestDelegate plays the kernel with plain files: who may, who moves, and what is
// written.
func TestDelegate(t *testing.T) {
	t.Parallel()
	const pid = 4711
	all := func(change map[string]string) map[string]string {
		files := map[string]string{"cgroup.type": "domain\n", "cgroup.controllers": "cpu memory pids\n", "cgroup.subtree_control": "", "cgroup.procs": "4711\n"}
		for k, v := range change {
			files[k] = v
		}
		return files
	}
	for name, tt := range map[string]struct {
		files         map[string]string
		limits, moved bool
	}{
		"alone in a group":        {all(nil), true, true},
		"delegated before":        {all(map[string]string{"cgroup.subtree_control": "memory pids"}), true, false},
		"others are in the group": {all(map[string]string{"cgroup.procs": "1\n4711\n"}), false, false},
		"without the controllers": {all(map[string]string{"cgroup.controllers": "hugetlb\n"}), false, false},
		"in the root of all":      {map[string]string{"cgroup.controllers": "memory pids", "cgroup.subtree_control": "", "cgroup.procs": "1\n2\n"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := mustGroup(t, tt.files)
			record := filepath.Join(t.TempDir(), groupRecord)
			g, err := openCgroupsIn(base, record, pid)
			must(t, err)
			if moved := textOf(t, base, hostLeaf, "cgroup.procs") == "4711"; g.limits != tt.limits || moved != tt.moved {
				t.Errorf("limits %t, moved %t", g.limits, moved)
			}
			if textOf(t, record) != g.dir {
				t.Errorf("noted %q, made %q", textOf(t, record), g.dir)
			}
			c, err := g.open(Limits{Memory: 1 << 30, Processes: 99})
			must(t, err)
			must(t, c.add(5))
			got := map[string]string{}
			for _, f := range []string{"memory.max", "pids.max", "memory.oom.group", "memory.swap.max", "cgroup.procs"} {
				got[f] = textOf(t, c.dir, f)
			}
			want := map[string]string{"memory.max": "", "pids.max": "", "memory.oom.group": "", "memory.swap.max": "", "cgroup.procs": "5"}
			if tt.limits {
				want = map[string]string{"memory.max": "1073741824", "pids.max": "99", "memory.oom.group": "1", "memory.swap.max": "0", "cgroup.procs": "5"}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			unlimited, err := g.open(Limits{Memory: -1, Processes: -1})
			must(t, err)
			if textOf(t, unlimited.dir, "memory.max")+textOf(t, unlimited.dir, "pids.max") != "" {
				t.Error("no limit was asked for, and there is one")
			}
			again, err := openCgroupsIn(filepath.Join(base, hostLeaf), record+"2", pid+1)
			if tt.moved && (err != nil || filepath.Dir(again.dir) != base) {
				t.Errorf("from the host's own group: %+v, %v", again, err)
			}
		})
	}
}

// TestSweepIsForControlGroups does not follow a note to another folder.
func TestSweepIsForControlGroups(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	other := filepath.Join(dir, groupPrefix+"x")
	must(t, os.Mkdir(other, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, groupRecord), []byte(other), 0o600))
	must(t, sweepCgroups(dir))
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a folder that is no control group: %v", err)
	}
	must(t, sweepCgroups(t.TempDir()))
}

// mustRealGroups skips where this machine has no control groups of version 2.
func mustRealGroups(tb testing.TB) *cgroups {
	tb.Helper()
	record := filepath.Join(tb.TempDir(), strconv.Itoa(os.Getpid()), groupRecord)
	must(tb, os.Mkdir(filepath.Dir(record), 0o700))
	g, err := openCgroups(record)
	if err != nil {
		tb.Skipf("needs a control group (version 2) that this user may divide: %v", err)
	}
	tb.Cleanup(func() { must(tb, g.close()) })
	return g
}

// TestCgroupKills ends processes that have left the group and the session of the
// one that was started.
func TestCgroupKills(t *testing.T) {
	t.Parallel()
	g := mustRealGroups(t)
	c, err := g.open(Limits{}.withDefaults())
	must(t, err)
	w := mustShell(t, "read go; setsid sh -c 'setsid sleep 1005 & setsid sleep 1005 & wait' & echo begun; wait")
	must(t, c.add(w.cmd.Process.Pid))
	w.say("go")
	w.hear("begun")
	w.until("its children are in the group", func() bool { return len(strings.Fields(textOf(t, c.dir, "cgroup.procs"))) >= 4 })
	pids := strings.Fields(textOf(t, c.dir, "cgroup.procs"))
	must(t, c.close())
	_ = w.cmd.Wait() // it was killed
	for _, p := range pids {
		text, err := os.ReadFile("/proc/" + p + "/cmdline")
		if err == nil && strings.Contains(string(text), "1005") {
			t.Errorf("process %s lives", p)
		}
	}
	if _, err := os.Stat(c.dir); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}

// TestCgroupLimits needs the kernel's own counting.
func TestCgroupLimits(t *testing.T) {
	t.Parallel()
	g := mustRealGroups(t)
	if !g.limits {
		t.Skip("needs the controllers memory and pids in control groups of version 2")
	}
	c, err := g.open(Limits{Memory: 64 << 20, Processes: 10})
	must(t, err)
	w := mustShell(t, "read go; i=0; while [ $i -lt 50 ]; do sleep 1006 & i=$((i+1)); done; echo begun; wait")
	must(t, c.add(w.cmd.Process.Pid))
	w.say("go")
	w.until("the limit is reached", func() bool { return len(strings.Fields(textOf(t, c.dir, "cgroup.procs"))) >= 10 })
	if n := len(strings.Fields(textOf(t, c.dir, "cgroup.procs"))); n > 10 {
		t.Errorf("%d processes of 10", n)
	}
	must(t, c.close())
	_ = w.cmd.Wait() // it was killed
}
