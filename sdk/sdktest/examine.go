package sdktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Finding is one thing that is wrong with an add-on's program.
type Finding struct {
	// Code names the kind of mistake for programs: one of "not_executable",
	// "no_start", "prints_first", "cookie", "protocol", "exits", "silent",
	// "describe", "identity", "start", "capabilities", "permission", "enable",
	// "health", "page", "answer", "disable", "end" and "conformance".
	Code string
	// Message says in plain words what is wrong and what to do.
	Message string
}

// firstWord is how long a program may take until its handshake, as on a platform.
const firstWord = 10 * time.Second

// Examine runs an add-on's program as a process against a host that grants
// exactly the permissions of m, and returns everything that a platform would
// refuse, in the order in which it happens: its handshake, what it says it is,
// its start, a round of calls to each part that it offers, and its end. If all
// of that is well, the checks of Conform follow. What the program keeps goes
// below dir. An error means that the examination is not complete.
func Examine(ctx context.Context, path string, m *manifest.Manifest, dir string) ([]Finding, error) {
	e := &exam{path: path, output: &tail{}}
	e.subject = newSubject(m, Program(path, examined()), e.output, dir)
	e.run(ctx)
	e.cleanUp()
	e.permissions()
	if len(e.found) == 0 && ctx.Err() == nil {
		if err := e.conform(ctx); err != nil {
			return e.found, err
		}
	}
	return e.found, ctx.Err()
}

// examined launches with the patience of a platform.
func examined() Option { return func(o *options) { o.handshake = firstWord } }

// exam is one examination.
type exam struct {
	*subject

	path   string
	output *tail
	found  []Finding
}

func (e *exam) add(code, format string, args ...any) {
	e.found = append(e.found, Finding{Code: code, Message: fmt.Sprintf(format, args...)})
}

// run stops at the first step after which nothing else can be known.
func (e *exam) run(ctx context.Context) {
	i, err := e.subject.run(unstarted())
	if err != nil {
		e.launchFailed(ctx, err)
		return
	}
	e.identity(ctx, i)
	if !e.begins(ctx, i) {
		return
	}
	e.capabilities(i)
	if err := e.enable(ctx, i); err != nil {
		e.add("enable", "It cannot be enabled for a biller: %v.%s", err, e.lastWords())
		return
	}
	if err := e.healthy(ctx, i); err != nil {
		e.add("health", "%v; answer the health check of gRPC for the service \"plugin\".", err)
	}
	if !e.exercise(ctx, i) {
		return
	}
	disable := func(ctx context.Context) error { return i.Disable(ctx, contoso) }
	purge := func(ctx context.Context) error { return i.Purge(ctx, contoso) }
	if err := errors.Join(e.inTime(ctx, "Disable", disable), e.inTime(ctx, "Purge", purge)); err != nil {
		e.add("disable", "It cannot give up a biller: %v. Make Disable and Purge succeed whenever they are called.", err)
	}
	if err := i.Stop(); err != nil {
		e.add("end", "It does not end as it should: %v. Return from main when the host ends the connection, and end whatever the program has started.", err)
	}
}

func (e *exam) identity(ctx context.Context, i *Instance) {
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	d, err := i.Client.Describe(ctx)
	switch m := e.manifest; {
	case err != nil:
		e.add("describe", "It does not say what it is: %v. Answer Describe before Start.%s", err, e.lastWords())
	case d.ID != m.ID || d.Version != m.Version:
		e.add("identity", "It says it is %s %s, the manifest says %s %s; make them agree.", d.ID, d.Version, m.ID, m.Version)
	}
}

// begins starts the add-on. If it fails without a database that the manifest
// does not ask for, and does not with one, that is the mistake.
func (e *exam) begins(ctx context.Context, i *Instance) bool {
	err := i.begin(ctx)
	if err == nil {
		return true
	}
	e.cleanUp()
	words := e.lastWords()
	if !e.manifest.HasPermission("database") && e.startsWithDatabase() {
		e.add("permission", "It starts only with a database, and the manifest does not name the permission database; "+
			"add it to permissions with a reason, or do without. (It said: %s)", apperr.MessageOf(err))
		return false
	}
	if apperr.CodeOf(err) == apperr.Internal { // its text stayed in the process: it is in the log
		e.add("start", "It does not start.%s", words)
		return false
	}
	e.add("start", "It does not start: %s%s", apperr.MessageOf(err), words)
	return false
}

func (e *exam) startsWithDatabase() bool {
	file := e.dir + "/undeclared.db"
	i, err := e.subject.run(WithDatabase(sdk.Database{Driver: "sqlite", DSN: file, DirectDSN: file}))
	if err != nil {
		return false
	}
	// How it ends is not the question.
	_ = i.Stop()
	return true
}

func (e *exam) capabilities(i *Instance) {
	for _, name := range i.Capabilities {
		if !e.manifest.HasCapability(name) {
			e.add("capabilities", "It offers %q, which capabilities in the manifest does not list; list it, or do not offer it.", name)
		}
	}
	for _, name := range e.manifest.Capabilities {
		if !slices.Contains(i.Capabilities, name) {
			e.add("capabilities", "The manifest lists the capability %q, which it does not offer; return that part from Start, or do not list it.", name)
		}
	}
}

// permissions reports what the program asked for without saying so.
func (e *exam) permissions() {
	for _, name := range e.host.Refused() {
		e.add("permission", "It asks the host for %s, which the manifest does not name; "+
			"add it to permissions with a reason, or do without.", name)
	}
}

// conform runs the checks of Conform, which start the program anew each time.
func (e *exam) conform(ctx context.Context) error {
	for _, c := range checks() {
		dir, err := os.MkdirTemp(e.dir, "check-")
		if err := errors.Join(err, ctx.Err()); err != nil {
			return err
		}
		s := newSubject(e.manifest, Program(e.path), io.Discard, dir)
		err = c.run(ctx, s)
		s.cleanUp()
		if err != nil && !errors.Is(err, errNotApplicable) {
			e.add("conformance", "The check %q of what every add-on owes its platform fails: %v.", c.name, err)
		}
	}
	return nil
}

// lastWords is what the program printed last, for the end of a message.
func (e *exam) lastWords() string {
	if text := e.output.String(); text != "" {
		return "\nIt printed last:\n" + text
	}
	return "\nIt printed nothing."
}

// tail keeps the end of what is written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

const longestTail = 2 << 10

// Write never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, b...)
	t.b = t.b[max(0, len(t.b)-longestTail):]
	return len(b), nil
}

// String is the last lines, each indented by two spaces.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	const most = 12
	lines := strings.Split(string(bytes.TrimSpace(bytes.ToValidUTF8(t.b, []byte("?")))), "\n")
	lines = lines[max(0, len(lines)-most):]
	if len(lines) == 1 && lines[0] == "" {
		return ""
	}
	return "  " + strings.Join(lines, "\n  ")
}
