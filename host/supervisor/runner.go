package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-plugin/runner"
	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

const (
	// lifelineFD is where a child finds its end of the lifeline: the first of
	// exec.Cmd's ExtraFiles.
	lifelineFD = 3
	// lastWords is how long output may still arrive after the process ended: what
	// it wrote is there by then, but a busy machine may take long to read it.
	lastWords = time.Second
)

// child runs one add-on process for go-plugin. go-plugin sees the first line of
// its output and nothing of its stderr, which is read here.
type child struct {
	name       string
	program    program
	dir        string
	env        []string
	confine    confinement
	stderr     func(line []byte)
	cmd        *exec.Cmd
	lifeline   *os.File
	protection []string // after Start

	outR, errR *os.File
	handshake  *io.PipeReader
	handshakeW *io.PipeWriter
	silence    *io.PipeReader
	silenceW   *io.PipeWriter
	pumps      sync.WaitGroup

	pid    int
	mu     sync.Mutex
	reaped bool          // from then on the process id may be somebody else's
	done   chan struct{} // closed when the process was reaped and its output read
	err    error         // of the process, after done
}

var _ runner.Runner = (*child)(nil)

// newChild prepares a process; stderr gets its lines, cut to a bounded length.
func newChild(program program, name, dir string, env []string, confine confinement, stderr func([]byte)) *child {
	c := &child{
		name: name, program: program, dir: dir, confine: confine, stderr: stderr, done: make(chan struct{}),
		env: append(env, wire.LifelineEnv+"="+strconv.Itoa(lifelineFD)),
	}
	c.handshake, c.handshakeW = io.Pipe()
	c.silence, c.silenceW = io.Pipe()
	return c
}

// Start implements runner.Runner.
func (c *child) Start(context.Context) error {
	pipes := make([]*os.File, 0, 6)
	for range 3 {
		r, w, err := os.Pipe()
		if err != nil {
			return errors.Join(fmt.Errorf("make pipe: %w", err), closeAll(pipes))
		}
		pipes = append(pipes, r, w)
	}
	c.outR, c.errR, c.lifeline = pipes[0], pipes[2], pipes[5]
	var err error
	c.cmd, c.protection, err = c.confine.start(func(traced bool) *exec.Cmd {
		return &exec.Cmd{
			Path: c.program.path, Args: []string{c.name}, Dir: c.dir, Env: c.env,
			Stdout: pipes[1], Stderr: pipes[3], ExtraFiles: []*os.File{pipes[4]},
			SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Ptrace: traced, Credential: c.confine.credential()},
		}
	})
	if err != nil {
		return errors.Join(err, closeAll(pipes), c.confine.group.close())
	}
	c.pid = c.cmd.Process.Pid
	c.pumps.Go(c.readOutput)
	c.pumps.Go(c.readErrors)
	go c.reap()
	if limit := c.confine.crowd(); limit >= 0 {
		go c.watchCrowd(limit)
	}
	return closeAll([]*os.File{pipes[1], pipes[3], pipes[4]})
}

func closeAll(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

// reap waits for the process, ends what it left behind while its id is still
// taken, and then closes the pipes, which a grandchild may hold open.
func (c *child) reap() {
	for {
		err := unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	c.killGroup()
	c.confine.group.kill()
	c.mu.Lock()
	c.err, c.reaped = c.cmd.Wait(), true
	c.mu.Unlock()
	finished := make(chan struct{})
	go func() { c.pumps.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(lastWords):
	}
	// What is left was read, or comes from a process that left the group.
	_ = closeAll([]*os.File{c.outR, c.errR, c.lifeline})
	<-finished
	if err := c.confine.group.close(); err != nil {
		c.stderr([]byte(err.Error())) // it goes to the log
	}
	_ = c.silenceW.Close() // never fails
	close(c.done)
}

// readOutput passes on the handshake and drops everything after it, so that no
// print can block the add-on.
func (c *child) readOutput() {
	defer func() { _ = c.handshakeW.Close() }() // never fails
	lines := newLineReader(c.outR, 8<<10)
	if line, err := lines.next(); err == nil {
		// go-plugin stopped listening if this fails; it has said why.
		_, _ = c.handshakeW.Write(append(line, '\n'))
	}
	// The end of the pipe is the only end there is.
	_, _ = io.Copy(io.Discard, lines.r)
}

func (c *child) readErrors() {
	lines := newLineReader(c.errR, maxLine)
	for {
		line, err := lines.next()
		if err != nil {
			return
		}
		c.stderr(line)
	}
}

// killGroup ends the process and everything it started.
func (c *child) killGroup() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pid == 0 || c.reaped {
		return
	}
	// The group may be gone already.
	_ = syscall.Kill(-c.pid, syscall.SIGKILL)
}

// Wait implements runner.AttachedRunner.
func (c *child) Wait(context.Context) error { <-c.done; return c.err }

// Kill implements runner.AttachedRunner.
func (c *child) Kill(context.Context) error {
	c.killGroup()
	return nil
}

// ID implements runner.AttachedRunner.
func (c *child) ID() string {
	if c.pid == 0 {
		return ""
	}
	return strconv.Itoa(c.pid)
}

// Stdout implements runner.Runner.
func (c *child) Stdout() io.ReadCloser { return c.handshake }

// Stderr implements runner.Runner. It says nothing: go-plugin panics on some
// lines that an add-on could write.
func (c *child) Stderr() io.ReadCloser { return c.silence }

// Name implements runner.Runner.
func (c *child) Name() string { return c.name }

// Diagnose implements runner.Runner.
func (c *child) Diagnose(context.Context) string {
	return "The program must print nothing before the handshake."
}

// PluginToHost implements runner.AddrTranslator.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.AddrTranslator.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
