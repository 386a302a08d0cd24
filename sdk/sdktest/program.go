package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	// lastWords is how long output may still arrive after the process ended.
	lastWords = time.Second
	// longestHandshake bounds the first line, in bytes.
	longestHandshake = 8 << 10
)

// program runs an add-on's process for go-plugin and knows how it ended.
type program struct {
	cmd      *exec.Cmd
	stdout   *handshake
	dir      string       // of the sockets
	lifeline *os.File     // our end; its close tells the add-on that its host is gone
	hangUp   func() error // closes lifeline, once

	guard    func()      // kills the process when its launch is given up
	launched func() bool // ends guard

	silence  *io.PipeReader
	silenceW *io.PipeWriter

	done chan struct{} // closed when the process has ended and was reaped
	// err, left and socket are set before done is closed.
	err    error
	left   []int  // processes of its group that outlived it
	socket string // a socket that it left behind
}

var _ runner.Runner = (*program)(nil)

// newProgram prepares a process with nothing of this one's environment but TZ,
// LANG and TMPDIR. What it prints to stderr goes to output.
// It is killed if ctx ends before launched is called.
func newProgram(ctx context.Context, path string, env []string, output io.Writer) *program {
	p := &program{done: make(chan struct{}), stdout: newHandshake()}
	p.guard = func() { p.launched = context.AfterFunc(ctx, func() { p.signal(syscall.SIGKILL) }) }
	p.silence, p.silenceW = io.Pipe()
	for _, name := range []string{"TZ", "LANG", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	p.cmd = exec.Command(path)
	p.cmd.Env = append(env, wire.LifelineEnv+"=3")
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, output
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.WaitDelay = lastWords
	return p
}

// Start implements runner.Runner.
func (p *program) Start(context.Context) error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make lifeline: %w", err)
	}
	p.cmd.ExtraFiles = []*os.File{theirs}
	if err := errors.Join(p.cmd.Start(), theirs.Close()); err != nil {
		return errors.Join(err, ours.Close())
	}
	p.lifeline, p.hangUp = ours, sync.OnceValue(ours.Close)
	p.guard()
	go p.reap()
	return nil
}

// reap waits for the process and ends what it left behind while its group's
// number is still taken.
func (p *program) reap() {
	pid := p.cmd.Process.Pid
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.left = members(pid)
	// The group is empty or ends now.
	_ = syscall.Kill(-pid, syscall.SIGKILL)
	p.err = p.cmd.Wait()
	if path := p.stdout.socket(); path != "" {
		if _, err := os.Lstat(path); err == nil {
			p.socket = path
		}
	}
	p.stdout.close()
	// Closing a pipe never fails.
	_ = p.silenceW.Close()
	close(p.done)
}

// members are the living processes of the group besides its leader.
func members(group int) []int {
	// The pattern is well-formed.
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	var found []int
	for _, stat := range stats {
		b, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended meanwhile
		}
		// After the name in brackets: state, parent, group.
		fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err == nil && pid != group && len(fields) > 2 && fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			found = append(found, pid)
		}
	}
	return found
}

// signal sends a signal to the process and everything it started.
func (p *program) signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		// It may have ended just now.
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// verdict says what was wrong with the end of the process.
func (p *program) verdict() error {
	<-p.done
	var errs []error
	if len(p.left) > 0 {
		errs = append(errs, fmt.Errorf("the program left processes behind: %v", p.left))
	}
	if p.socket != "" {
		errs = append(errs, fmt.Errorf("the program left its socket behind: %s", p.socket))
	}
	if p.err != nil && !errors.Is(p.err, exec.ErrWaitDelay) {
		errs = append(errs, fmt.Errorf("the program did not end by itself and with exit code 0: %w", p.err))
	}
	return errors.Join(errs...)
}

// Wait implements runner.AttachedRunner.
func (p *program) Wait(context.Context) error { <-p.done; return p.err }

// Kill implements runner.AttachedRunner.
func (p *program) Kill(context.Context) error {
	p.signal(syscall.SIGKILL)
	return nil
}

// ID implements runner.AttachedRunner.
func (p *program) ID() string {
	if p.cmd.Process == nil {
		return ""
	}
	return strconv.Itoa(p.cmd.Process.Pid)
}

// Stdout implements runner.Runner: the first line.
func (p *program) Stdout() io.ReadCloser { return p.stdout.r }

// Stderr implements runner.Runner. It says nothing: go-plugin would parse the
// lines, and panics on some of them.
func (p *program) Stderr() io.ReadCloser { return p.silence }

// Name implements runner.Runner.
func (p *program) Name() string { return p.cmd.Path }

// Diagnose implements runner.Runner.
func (p *program) Diagnose(context.Context) string {
	return "The program must print nothing before the handshake."
}

// PluginToHost implements runner.AddrTranslator.
func (p *program) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.AddrTranslator.
func (p *program) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// handshake takes what the program prints: the first line is for go-plugin, the
// rest should not be there.
type handshake struct {
	r *io.PipeReader
	w *io.PipeWriter

	mu    sync.Mutex
	line  []byte
	whole bool
	noise []byte
}

func newHandshake() *handshake {
	h := &handshake{}
	h.r, h.w = io.Pipe()
	return h
}

// Write never fails, so that no print ends the program.
func (h *handshake) Write(b []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	rest := b
	if !h.whole {
		var first []byte
		first, rest, h.whole = bytes.Cut(b, []byte{'\n'})
		h.line = append(h.line, first...)
		h.whole = h.whole || len(h.line) > longestHandshake
		if h.whole {
			h.pass()
		}
	}
	h.noise = append(h.noise, rest[:min(len(rest), max(0, longestHandshake-len(h.noise)))]...)
	return len(b), nil
}

// pass hands the line to go-plugin, which reads until the end of the pipe.
func (h *handshake) pass() { _, _ = h.w.Write(append(bytes.Clone(h.line), '\n')) }

func (h *handshake) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.whole && len(h.line) > 0 {
		h.pass()
	}
	// Closing a pipe never fails.
	_ = h.w.Close()
}

// after is what came after the first line.
func (h *handshake) after() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return string(h.noise)
}

// socket is the path of the socket that the line names, or "".
func (h *handshake) socket() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if parts := strings.Split(string(h.line), "|"); len(parts) > 3 && parts[2] == "unix" {
		return parts[3]
	}
	return ""
}
