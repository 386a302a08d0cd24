package supervisor

import (
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestWatchdogEndsACrowd is what bounds processes where the kernel does not. Half
// of them have left the group.
func TestWatchdogEndsACrowd(t *testing.T) {
	t.Parallel()
	const script = `i=0; while [ $i -lt 20 ]; do sleep 1003 & setsid sleep 1003 & i=$((i+1)); done; wait`
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	var mu sync.Mutex
	var said []string
	c := &child{pid: cmd.Process.Pid, done: make(chan struct{}), stderr: func(line []byte) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, string(line))
	}}
	watched := make(chan struct{})
	go func() { defer close(watched); c.watchCrowd(15) }()
	select {
	case <-watched:
	case <-time.After(time.Minute):
		t.Error("the crowd is not seen")
		c.scatter()
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the process ended with %v", err)
	}
	if left := crowdOf(c.pid); len(left) > 0 {
		t.Errorf("left behind: %+v", left)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(said) != 1 || said[0] != "ended by the host: more than 15 processes and threads" {
		t.Errorf("report = %q", said)
	}
}

// TestWatchdogLeavesOthersAlone, and ends with the process.
func TestWatchdogLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("/bin/sh", "-c", "sleep 1004 & sleep 1004 & wait")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(t, cmd.Start())
	c := &child{pid: cmd.Process.Pid, done: make(chan struct{})}
	watched := make(chan struct{})
	go func() { defer close(watched); c.watchCrowd(15) }()
	for deadline := time.Now().Add(time.Minute); len(crowdOf(c.pid)) != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the crowd is %+v", crowdOf(c.pid))
		}
	}
	close(c.done)
	<-watched
	if n := len(crowdOf(c.pid)); n != 3 {
		t.Errorf("%d processes are left of 3", n)
	}
	c.scatter()
	_ = cmd.Wait() // it was killed
}

func TestWhoIsWatched(t *testing.T) {
	t.Parallel()
	limits := Limits{Processes: 7}
	for name, tt := range map[string]struct {
		c    confinement
		want int64
	}{
		"root by control group": {confinement{limits: limits, group: &cgroup{limits: true}}, -1},
		"a user by the kernel":  {confinement{limits: limits, user: 70000, group: &cgroup{}}, -1},
	} {
		if got := tt.c.crowd(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	root := confinement{limits: limits}
	if got := root.crowd(); root.uid() == 0 && got != 7 || root.uid() != 0 && got != -1 {
		t.Errorf("user %d: %d", root.uid(), got)
	}
}
