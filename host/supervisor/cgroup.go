package supervisor

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// hostLeaf is the control group into which a host moves itself where the kernel
	// wants the one above to hold no processes.
	hostLeaf = "billing-host"
	// groupPrefix begins the name of the folder of one host's control groups.
	groupPrefix = "billing-addons-"
	// groupRecord is a file in the folder of a host's sockets that names the folder
	// of its control groups, for the host that finds them left behind.
	groupRecord = "cgroup"
	// groupEnd is how long killed processes may take to leave their group.
	groupEnd = 10 * time.Second
)

// cgroups is the folder of this host's control groups, one in it per process.
type cgroups struct {
	dir string
	// limits tells whether memory.max and pids.max are in force; if not, a group
	// still says which processes belong together.
	limits bool
}

// openCgroups makes the folder below the control group that this process is in,
// and notes its name in record before. The error is why there is none.
func openCgroups(record string) (*cgroups, error) {
	base, err := ownCgroup()
	if err != nil {
		return nil, err
	}
	return openCgroupsIn(base, record, os.Getpid())
}

func openCgroupsIn(base, record string, pid int) (*cgroups, error) {
	if filepath.Base(base) == hostLeaf {
		base = filepath.Dir(base)
	}
	if err := unix.Access(base, unix.W_OK); err != nil {
		return nil, fmt.Errorf("%s: %w", base, err)
	}
	limits := delegate(base, pid)
	dir := filepath.Join(base, groupPrefix+filepath.Base(filepath.Dir(record))+"-"+strconv.Itoa(pid))
	if err := os.WriteFile(record, []byte(dir), 0o600); err != nil {
		return nil, fmt.Errorf("note control group: %w", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make control group: %w", err)
	}
	return &cgroups{dir: dir, limits: limits && enable(dir) == nil}, nil
}

// ownCgroup returns the folder of the control group (version 2) of this process.
func ownCgroup() (string, error) {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", fmt.Errorf("find control group: %w", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("find control group: %w", err)
	}
	return findCgroup(text, mounts)
}

// findCgroup reads /proc/self/cgroup and /proc/self/mountinfo.
func findCgroup(groups, mounts []byte) (string, error) {
	var path string
	for line := range strings.Lines(string(groups)) {
		if p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			path = p
		}
	}
	for lines := bufio.NewScanner(bytes.NewReader(mounts)); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		f := strings.Fields(before)
		if !strings.HasPrefix(after, "cgroup2 ") || len(f) < 5 || path == "" {
			continue
		}
		if below, err := filepath.Rel(f[3], path); err == nil && !strings.HasPrefix(below, "..") {
			return filepath.Join(f[4], below), nil
		}
	}
	return "", errors.New("this process is in no control group of version 2")
}

// delegate sees to it that groups below base can limit memory and processes. The
// host moves into a group beside them if it is alone in base.
func delegate(base string, pid int) bool {
	has, _ := wordsOf(base, "cgroup.subtree_control")
	if offers(has) {
		return true
	}
	if may, _ := wordsOf(base, "cgroup.controllers"); !offers(may) {
		return false
	}
	if _, err := os.Stat(filepath.Join(base, "cgroup.type")); errors.Is(err, fs.ErrNotExist) {
		return enable(base) == nil // the root of all groups may hold processes too
	}
	in, err := wordsOf(base, "cgroup.procs")
	if err != nil || slices.ContainsFunc(in, func(p string) bool { return p != strconv.Itoa(pid) }) {
		return false
	}
	leaf := filepath.Join(base, hostLeaf)
	if err := os.Mkdir(leaf, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return false
	}
	if len(in) > 0 && tell(leaf, "cgroup.procs", strconv.Itoa(pid)) != nil {
		return false
	}
	if enable(base) == nil {
		return true
	}
	_ = tell(base, "cgroup.procs", strconv.Itoa(pid)) // as it was; the leaf does no harm
	return false
}

func offers(controllers []string) bool {
	return slices.Contains(controllers, "memory") && slices.Contains(controllers, "pids")
}

func enable(dir string) error { return tell(dir, "cgroup.subtree_control", "+memory +pids") }

func tell(dir, file, text string) error {
	return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o644)
}

func wordsOf(dir, file string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(dir, file))
	return strings.Fields(string(text)), err
}

// close removes the folder; no process is left in it.
func (g *cgroups) close() error {
	if g == nil {
		return nil
	}
	return endCgroup(g.dir)
}

// cgroup holds one add-on process and everything it starts, wherever it hides.
type cgroup struct {
	dir    string
	limits bool
}

// open makes a group for one process; nil where there are none.
func (g *cgroups) open(l Limits) (*cgroup, error) {
	if g == nil {
		return nil, nil
	}
	dir, err := os.MkdirTemp(g.dir, "p")
	if err != nil {
		return nil, fmt.Errorf("make control group: %w", err)
	}
	c := &cgroup{dir: dir, limits: g.limits}
	if !g.limits {
		return c, nil
	}
	for _, set := range []struct {
		file string
		most int64
	}{{"memory.max", l.Memory}, {"pids.max", l.Processes}} {
		if set.most < 0 {
			continue
		}
		if err := tell(dir, set.file, strconv.FormatInt(set.most, 10)); err != nil {
			return nil, errors.Join(fmt.Errorf("limit control group: %w", err), os.Remove(dir))
		}
	}
	// Memory that runs out ends the add-on as a whole, and swap makes no room for
	// more. Where the system has no such files, it has its own rules.
	_, _ = tell(dir, "memory.oom.group", "1"), tell(dir, "memory.swap.max", "0")
	return c, nil
}

func (c *cgroup) add(pid int) error {
	if c == nil {
		return nil
	}
	if err := tell(c.dir, "cgroup.procs", strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("join control group: %w", err)
	}
	return nil
}

// limited tells whether the kernel bounds memory and processes of the group.
func (c *cgroup) limited() bool { return c != nil && c.limits }

// kill ends whoever is in the group.
func (c *cgroup) kill() {
	if c != nil {
		killCgroup(c.dir)
	}
}

// close ends whoever is left, and removes the group.
func (c *cgroup) close() error {
	if c == nil {
		return nil
	}
	return endCgroup(c.dir)
}

func killCgroup(dir string) {
	if tell(dir, "cgroup.kill", "1") == nil {
		return
	}
	// A kernel before 5.14: one by one; endCgroup calls until none is left.
	pids, _ := wordsOf(dir, "cgroup.procs")
	for _, p := range pids {
		if pid, err := strconv.Atoi(p); err == nil && pid > 1 {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
		}
	}
}

// endCgroup kills what is in a group and in those below it, and removes them.
func endCgroup(dir string) error {
	below, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var errs []error
	for _, e := range below {
		if e.IsDir() {
			errs = append(errs, endCgroup(filepath.Join(dir, e.Name())))
		}
	}
	for until := time.Now().Add(groupEnd); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Rmdir(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return errors.Join(errs...)
		}
		if !errors.Is(err, unix.EBUSY) || time.Now().After(until) {
			return errors.Join(append(errs, fmt.Errorf("remove control group: %w", err))...)
		}
		killCgroup(dir)
	}
}

// sweepCgroups ends what a dead host left in its control groups, by its note in
// the folder of its sockets.
func sweepCgroups(socketDir string) error {
	note, err := os.ReadFile(filepath.Join(socketDir, groupRecord))
	if err != nil {
		return nil // it had none
	}
	dir := string(note)
	var at unix.Statfs_t
	if !strings.HasPrefix(filepath.Base(dir), groupPrefix) || unix.Statfs(dir, &at) != nil || at.Type != unix.CGROUP2_SUPER_MAGIC {
		return nil
	}
	return endCgroup(dir)
}
