package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// crowdEvery is how often the watchdog looks how many tasks the machine has,
	// crowdCount how often it counts those of its add-on in any case.
	crowdEvery = 50 * time.Millisecond
	crowdCount = 2 * time.Second
)

// task is one process as /proc shows it.
type task struct{ pid, parent, group, threads int }

// watchCrowd ends the add-on when it has more than limit processes and threads. It
// stands in where the kernel does not: root is exempt from RLIMIT_NPROC.
func (c *child) watchCrowd(limit int64) {
	look := time.NewTicker(crowdEvery)
	defer look.Stop()
	var counted time.Time
	var all, mine int64
	for {
		select {
		case <-c.done:
			return
		case <-look.C:
		}
		// Nobody can have more tasks than the machine has got since the last count.
		now := machineTasks()
		if mine+max(now-all, 0) <= limit && time.Since(counted) < crowdCount {
			continue
		}
		members := crowdOf(c.pid)
		counted, all, mine = time.Now(), now, 0
		for _, m := range members {
			mine += int64(m.threads)
		}
		if mine > limit {
			c.stderr([]byte(fmt.Sprintf("ended by the host: more than %d processes and threads", limit)))
			c.scatter()
			return
		}
	}
}

// scatter kills the process's group and those that it started in other groups,
// until none is left.
func (c *child) scatter() {
	for range 100 {
		c.mu.Lock()
		ended := c.reaped
		c.mu.Unlock()
		if ended {
			return // the id may be somebody else's by now
		}
		members := crowdOf(c.pid)
		c.killGroup()
		for _, m := range members {
			if m.group != c.pid {
				_ = unix.Kill(m.pid, unix.SIGKILL) // it may have ended
			}
		}
		if len(members) == 0 {
			return
		}
	}
}

// machineTasks returns how many tasks the machine has; 0 if it does not say.
func machineTasks() int64 {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return 0
	}
	f := strings.Fields(string(text))
	if len(f) < 4 {
		return 0
	}
	_, total, _ := strings.Cut(f[3], "/")
	n, _ := strconv.ParseInt(total, 10, 64) // 0 for what is no number
	return n
}

// crowdOf returns the processes of the group that pid leads, and those whose
// parents lead to it.
func crowdOf(pid int) []task {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	all := map[int]task{}
	for _, file := range files {
		if t, ok := readTask(file); ok {
			all[t.pid] = t
		}
	}
	var members []task
	for _, t := range all {
		if belongs(all, t, pid) {
			members = append(members, t)
		}
	}
	return members
}

func belongs(all map[int]task, t task, pid int) bool {
	for range 1000 { // a chain that was read while it changed may have no end
		if t.pid == pid || t.group == pid {
			return true
		}
		parent, ok := all[t.parent]
		if !ok {
			return false
		}
		t = parent
	}
	return false
}

// readTask reads a file like /proc/1/stat. Zombies are none.
func readTask(file string) (task, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return task{}, false // it has ended
	}
	number, rest, _ := strings.Cut(string(text), " ")
	// The name in brackets may hold anything.
	f := strings.Fields(rest[strings.LastIndexByte(rest, ')')+1:])
	if len(f) < 18 || f[0] == "Z" || f[0] == "X" {
		return task{}, false
	}
	var t task
	for _, v := range []struct {
		field *int
		text  string
	}{{&t.pid, number}, {&t.parent, f[1]}, {&t.group, f[2]}, {&t.threads, f[17]}} {
		if *v.field, err = strconv.Atoi(v.text); err != nil {
			return task{}, false
		}
	}
	return t, true
}
