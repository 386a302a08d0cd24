package sdktest

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/billing-addons/customer-portal/sdk/wire"
)

// handshakePattern is the begin of a first line that is a handshake:
// core protocol, version of the wire, network, address.
var handshakePattern = regexp.MustCompile(`^\d+\|\d+\|[a-z]+\|`)

// launchFailed says why a program never became an add-on.
func (e *exam) launchFailed(ctx context.Context, err error) {
	failed, ok := errors.AsType[*launchError](err)
	if !ok || failed.program == nil || failed.program.cmd.Process == nil {
		e.add("not_executable", "The system does not run it: %v. Is it a program for this machine, and may it be executed (chmod +x)?", err)
		return
	}
	p := failed.program
	line := p.stdout.first()
	switch {
	case handshakePattern.MatchString(line):
		e.handshakeRefused(line, err)
	case line != "":
		e.add("prints_first", "It prints %.200q before the handshake. Nothing but the handshake may go to stdout; log to stderr, and call serve.Main first in main.", line)
	case !endedByItself(p.err):
		e.add("silent", "It says nothing for %s; the handshake must be there by then. Call serve.Main before anything that takes long, and do the rest in Start.%s", firstWord, e.lastWords())
	case e.noCookie(ctx, p):
		e.add("cookie", "It ends (%s) as if a person had run it: it does not know the cookie that hosts set, %s. Build it with the SDK's serve.Main, or compare cookie and value with docs/other-languages.md.%s",
			exitText(p.err), wire.Handshake().MagicCookieKey, e.lastWords())
	default:
		e.add("exits", "It ends (%s) before the handshake.%s", exitText(p.err), e.lastWords())
	}
}

func (e *exam) handshakeRefused(line string, err error) {
	parts := strings.Split(line, "|")
	want := strconv.Itoa(wire.Version)
	switch {
	case parts[0] != "1" || parts[1] != want:
		e.add("protocol", "Its handshake is for protocol %s and wire version %s; platforms speak 1 and %s. Build it with an SDK of this version. Its first line: %.200q", parts[0], parts[1], want, line)
	case len(parts) < 5 || parts[4] != "grpc":
		e.add("protocol", "Its handshake does not name grpc; platforms speak nothing else. Its first line: %.200q", line)
	default:
		e.add("no_start", "Nobody answers at the address of its handshake: %v.%s", err, e.lastWords())
	}
}

// noCookie runs the program as a person would: one that ends in the same way
// has not understood that a host started it.
func (e *exam) noCookie(ctx context.Context, p *program) bool {
	ctx, cancel := context.WithTimeout(ctx, firstWord)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, p.cmd.Path)
	cmd.Env, cmd.Stderr, cmd.WaitDelay = []string{}, &out, lastWords
	err := cmd.Run()
	said := strings.TrimSpace(out.String())
	return err != nil && ctx.Err() == nil && said != "" && exitText(err) == exitText(p.err) && strings.Contains(e.output.raw(), said) &&
		!strings.Contains(said, "panic: ")
}

// first is the first line that the program printed, as far as it came.
func (h *handshake) first() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.TrimSpace(string(h.line))
}

// raw is the end of the output as it came.
func (t *tail) raw() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// endedByItself tells whether nobody killed the process.
func endedByItself(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return true
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL
}

func exitText(err error) string {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.String()
	}
	return "exit status 0"
}
