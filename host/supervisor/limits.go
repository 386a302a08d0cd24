package supervisor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits bound one add-on process and each process it starts. A zero field means
// its default, a negative one no limit.
type Limits struct {
	// Memory is how many bytes a process may hold for itself: private and
	// writable, with stacks and with what it has asked for and not used yet;
	// 1 GiB.
	Memory int64
	// Files is how many files and connections a process may have open; 1,024.
	Files int64
	// Processes is how many processes and threads the add-on may have; 1,024. Where
	// there is no control group to count them, they are those that its user may
	// have beside those it has when the add-on starts; and where its user is root,
	// which the kernel exempts, a watchdog ends an add-on that has more.
	Processes int64
}

// Kinds of protection that a Status names.
const (
	// ProtectionLimits means that Limits are in force.
	ProtectionLimits = "rlimits"
	// ProtectionLandlock means that the process sees only the system's folders, its
	// package and what is its own, and cannot signal or inspect processes that it
	// did not start.
	ProtectionLandlock = "landlock"
	// ProtectionCgroup means that a control group bounds the memory and processes
	// of everything that the add-on starts.
	ProtectionCgroup = "cgroup"
	// ProtectionUser means that the process runs as a user of its own.
	ProtectionUser = "own-user"
)

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		field *int64
		value int64
	}{{&l.Memory, 1 << 30}, {&l.Files, 1024}, {&l.Processes, 1024}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return l
}

// apply limits a process that waits to be let go.
func (l Limits) apply(pid, user int) error {
	limits := map[int]int64{
		unix.RLIMIT_CORE:   0, // an image of the memory holds secrets
		unix.RLIMIT_DATA:   l.Memory,
		unix.RLIMIT_NOFILE: l.Files,
	}
	if l.Processes >= 0 {
		limits[unix.RLIMIT_NPROC] = l.Processes + tasksOf(user)
	}
	err := onOwnThread(func() error {
		if err := passFor(user); err != nil {
			return err
		}
		for resource, most := range limits {
			if err := lower(pid, resource, most); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	// A process that is short of memory takes the add-on first, not the host. A
	// system that does not let us say so has its own rules.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/oom_score_adj", pid), []byte("500"), 0)
	return nil
}

// passFor makes this thread one of the user's, for a moment: the kernel lets a user
// limit what runs as the same user, and root others only with a capability that
// containers seldom have. What the thread may do as root stays.
func passFor(user int) error {
	if user == os.Getuid() {
		return nil
	}
	const same = ^uintptr(0)
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, uintptr(user), same, same); errno != 0 {
		return fmt.Errorf("pass for user: %w", errno)
	}
	if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(user), same, same); errno != 0 {
		return fmt.Errorf("pass for user: %w", errno)
	}
	return nil
}

// lower sets a limit unless a lower one is in force; most below zero is none.
func lower(pid, resource int, most int64) error {
	if most < 0 {
		return nil
	}
	var now unix.Rlimit
	if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
		return fmt.Errorf("read limit: %w", err)
	}
	next := unix.Rlimit{Cur: min(uint64(most), now.Max), Max: min(uint64(most), now.Max)}
	if err := unix.Prlimit(pid, resource, &next, nil); err != nil {
		return fmt.Errorf("set limit: %w", err)
	}
	return nil
}

// tasksOf counts the threads of a user's processes, as far as they can be seen.
func tasksOf(uid int) int64 {
	files, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0
	}
	var total int64
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		var threads int64
		mine := false
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			switch {
			case len(f) > 1 && f[0] == "Uid:":
				mine = f[1] == strconv.Itoa(uid)
			case len(f) > 1 && f[0] == "Threads:":
				threads, _ = strconv.ParseInt(f[1], 10, 64) // 0 for what is no number
			}
		}
		if mine {
			total += threads
		}
	}
	return total
}

// confinement is what a program runs in.
type confinement struct {
	limits Limits
	// paths are nil for a program that may open what its user may.
	paths *paths
	// user is 0 for the host's own.
	user  int
	group *cgroup
}

// uid is the user that the program runs as.
func (c confinement) uid() int {
	if c.user == 0 {
		return os.Geteuid()
	}
	return c.user
}

// credential is what exec.Cmd needs to change the user; nil for no change.
func (c confinement) credential() *syscall.Credential {
	if c.user == 0 {
		return nil
	}
	return &syscall.Credential{Uid: uint32(c.user), Gid: uint32(c.user)}
}

// crowd is how many tasks the watchdog has to allow; below zero if the kernel
// counts them itself, or nobody shall.
func (c confinement) crowd() int64 {
	if c.group.limited() || c.uid() != 0 {
		return -1
	}
	return c.limits.Processes
}

// start runs what command returns, and lets its first instruction go
// only when the limits are in force. It tells which protection there is.
func (c confinement) start(command func(traced bool) *exec.Cmd) (cmd *exec.Cmd, protection []string, err error) {
	err = onOwnThread(func() error {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("give up privileges: %w", err)
		}
		locked, err := c.paths.restrict()
		if err != nil {
			return err
		}
		if cmd, err = c.startLimited(command); err != nil {
			return err
		}
		protection = append(protection, ProtectionLimits)
		for _, p := range []struct {
			on   bool
			name string
		}{{c.group.limited(), ProtectionCgroup}, {locked, ProtectionLandlock}, {c.user != 0, ProtectionUser}} {
			if p.on {
				protection = append(protection, p.name)
			}
		}
		return nil
	})
	return cmd, protection, err
}

// startLimited starts the command stopped before its first instruction. Where
// the system forbids that, the limits come a moment after the start.
func (c confinement) startLimited(command func(traced bool) *exec.Cmd) (*exec.Cmd, error) {
	cmd, traced := command(true), true
	err := cmd.Start()
	if errors.Is(err, unix.EPERM) {
		cmd, traced = command(false), false
		err = cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start program: %w", err)
	}
	pid := cmd.Process.Pid
	if traced {
		err = awaitStop(pid)
	}
	if err == nil {
		err = onOtherThread(func() error {
			if err := c.group.add(pid); err != nil {
				return err
			}
			return c.limits.apply(pid, c.uid())
		})
	}
	if err == nil && traced {
		err = unix.PtraceDetach(pid)
	}
	if err != nil {
		err = fmt.Errorf("limit program: %w", err)
		return nil, errors.Join(err, endQuietly(cmd))
	}
	return cmd, nil
}

// awaitStop waits until a traced process stands before its first instruction.
func awaitStop(pid int) error {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// endQuietly kills and reaps a process that nobody knows of yet.
func endQuietly(cmd *exec.Cmd) error {
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	_ = cmd.Wait() // it says that the process was killed
	return nil
}

// onOwnThread calls f on a thread that ends with it: what f does to its thread
// stays there and in what f starts.
func onOwnThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == os.Getpid() { // the first thread never ends
			defer runtime.UnlockOSThread()
			done <- onOwnThread(f)
			return
		}
		done <- f() // locked until its end
	}()
	return <-done
}

// onOtherThread calls f where landlock has closed nothing yet: this thread can no
// longer open what it takes to limit a process.
func onOtherThread(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return <-done
}

// Conceal makes the memory and descriptors of this process unreadable for other
// processes of the same user, add-ons among them, and keeps it out of core files.
// A debugger can no longer be attached. Call it once, at the start.
func Conceal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("conceal process: %w", err)
	}
	return nil
}
