package supervisor

import (
	"bufio"
	"io"
	"os/exec"
	"testing"
	"time"
)

// shell is a script that a test talks to.
type shell struct {
	tb  testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func mustShell(tb testing.TB, script string) *shell {
	tb.Helper()
	s := &shell{tb: tb, cmd: exec.Command("/bin/sh", "-c", script)}
	var err error
	s.in, err = s.cmd.StdinPipe()
	must(tb, err)
	out, err := s.cmd.StdoutPipe()
	must(tb, err)
	s.out = bufio.NewReader(out)
	must(tb, s.cmd.Start())
	return s
}

func (s *shell) say(line string) {
	s.tb.Helper()
	_, err := io.WriteString(s.in, line+"\n")
	must(s.tb, err)
}

func (s *shell) hear(want string) {
	s.tb.Helper()
	if got, err := s.out.ReadString('\n'); err != nil || got != want+"\n" {
		s.tb.Fatalf("heard %q, %v", got, err)
	}
}

func (s *shell) until(what string, ok func() bool) {
	s.tb.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.tb.Fatalf("never happened: %s", what)
		}
	}
}
