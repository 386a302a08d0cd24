package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// mustModule makes a new add-on and its Go module, as README.md says.
func mustModule(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	for _, args := range [][]string{
		{"mod", "init", "example.com/hello-world"},
		{"mod", "edit", "-replace", "github.com/billing-addons/customer-portal=" + root},
		{"mod", "tidy"},
	} {
		mustGo(t, dir, args...)
	}
	return dir
}

func mustGo(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
}

// session is an addon run that goes on in the background.
type session struct {
	*output

	ended chan error
	stop  context.CancelFunc
}

func mustRun(t *testing.T, args ...string) *session {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &session{&output{}, make(chan error, 1), cancel}
	go func() { s.ended <- run(ctx, append([]string{"run", "--listen", "127.0.0.1:0"}, args...), s, s) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s)
		}
	})
	return s
}

// mustRunTool is mustRun in a process of its own.
func mustRunTool(t *testing.T, args ...string) *session {
	t.Helper()
	s := &session{output: &output{}, ended: make(chan error, 1)}
	cmd := exec.Command(mustMake(t, buildTool), append([]string{"run", "--listen", "127.0.0.1:0"}, args...)...)
	cmd.Stdout, cmd.Stderr = s, s
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It may have ended already, which mustEnd tells.
	s.stop = func() { _ = cmd.Process.Signal(os.Interrupt) }
	go func() { s.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		if t.Failed() {
			t.Log(s)
		}
	})
	return s
}

// sees waits for the pattern and returns its group.
func (s *session) sees(t *testing.T, pattern string) string {
	t.Helper()
	return s.waitFor(t, pattern, s.ended)
}

// mustEnd interrupts and waits for the end.
func (s *session) mustEnd(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Errorf("run: %v", err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(time.Minute); !ok(); {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func alive(pid string) bool {
	n, err := strconv.Atoi(pid)
	return err == nil && syscall.Kill(n, 0) == nil
}

// get returns the page's status and text; an error is an answer, too.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// hammer asks for a page until the returned function is called, which tells how
// many answers there were. Each must have status 200.
func hammer(t *testing.T, url string) func() int64 {
	t.Helper()
	var (
		wg     sync.WaitGroup
		done   atomic.Bool
		asked  atomic.Int64
		failed sync.Once
	)
	for range 2 {
		wg.Go(func() {
			for !done.Load() {
				if status, body := get(t, url); status != http.StatusOK {
					failed.Do(func() { t.Errorf("status %d: %s", status, body) })
				}
				asked.Add(1)
			}
		})
	}
	return func() int64 {
		done.Store(true)
		wg.Wait()
		return asked.Load()
	}
}

// TestDevServesWhatIsSaved changes the sources of an add-on twice and breaks
// them in three ways, while somebody looks at its page all the time.
func TestDevServesWhatIsSaved(t *testing.T) {
	t.Parallel()
	dir := mustModule(t)
	main := filepath.Join(dir, "main.go")
	s := mustRun(t, "--dev", dir)
	page := s.sees(t, `Staff page: Hello World\s+(http://\S+)\n`)
	index := s.sees(t, `Mails sent, and this list\s+(http://\S+)\n`)
	first := s.sees(t, `build 1, process (\d+)`)
	shows := func(texts ...string) {
		t.Helper()
		status, body := get(t, page)
		for _, text := range texts {
			if status != http.StatusOK || !strings.Contains(body, text) {
				t.Errorf("status %d, no %q in %s", status, text, body)
			}
		}
		if len(texts) == 1 && strings.Contains(body, "addon-fault") {
			t.Errorf("a fault in %s", body)
		}
	}
	shows("Hello, Dana")
	asked := hammer(t, page)

	mustEdit(t, main, "Hello, ", "Good day, ")
	second := s.sees(t, `build 2 serves now \(process (\d+)`)
	shows("Good day, Dana")
	eventually(t, "end of the first process", func() bool { return !alive(first) })

	mustEdit(t, main, "return sdk.Parts{Staff: staff}, nil", "return sdk.Parts{Staff: stuff}, nil")
	s.sees(t, `(?s)The build failed:\n(.*undefined: stuff)`)
	shows("Good day, Dana", "The build failed", "undefined: stuff", "last version that works")
	if _, body := get(t, index); !strings.Contains(body, "undefined: stuff") {
		t.Errorf("index %s", body)
	}

	mustEdit(t, main, "return sdk.Parts{Staff: stuff}, nil", `return sdk.Parts{}, http.ErrNotSupported`)
	s.sees(t, `(?s)(The new version does not start:\n.*feature not supported)`)
	shows("Good day, Dana", "The new version does not start")

	mustEdit(t, main, `return sdk.Parts{}, http.ErrNotSupported`, "return sdk.Parts{Staff: staff}, nil")
	s.sees(t, `(the program is still the same)`)
	shows("Good day, Dana")

	mustEdit(t, dir+"/manifest.yaml", "version: 0.1.0", "version: one")
	s.sees(t, `(The manifest has mistakes:\n.*\n.*"one" is not a version)`)
	shows("Good day, Dana", "The manifest has mistakes")
	mustEdit(t, dir+"/manifest.yaml", "version: one", "version: 0.2.0")
	s.sees(t, `(the program says it is hello-world 0\.1\.0, the manifest says hello-world 0\.2\.0)`)

	mustEdit(t, main, `Version: "0.1.0"`, `Version: "0.2.0"`, "Good day, ", "Good evening, ")
	third := s.sees(t, `Hello World 0\.2\.0: build \d+ serves now \(process (\d+)`)
	shows("Good evening, Dana")
	eventually(t, "end of the second process", func() bool { return !alive(second) })
	if n := asked(); n < 10 {
		t.Errorf("only %d requests", n)
	}
	s.mustEnd(t)
	if alive(third) {
		t.Error("the last process is still there")
	}
}

// TestDevBeginsWithAMistake: the first build fails, a later version is killed,
// and each time saving is enough.
func TestDevBeginsWithAMistake(t *testing.T) {
	t.Parallel()
	dir := mustModule(t)
	main := filepath.Join(dir, "main.go")
	mustEdit(t, main, "func main() {", "func main() { oops")
	data := t.TempDir()
	s := mustRun(t, "--dev", "--data", data, dir)
	s.sees(t, `(?s)(The build failed:.*oops)`)
	mustEdit(t, main, "func main() { oops", "func main() {")
	pid := s.sees(t, `build 2, process (\d+)`)
	page := s.sees(t, `Staff page: Hello World\s+(http://\S+)\n`)
	n, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(n, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.sees(t, `(The add-on has ended by itself)`)
	if status, body := get(t, page); status != http.StatusServiceUnavailable || !strings.Contains(body, "The add-on has ended") {
		t.Errorf("status %d: %s", status, body)
	}
	// A new file in a new folder counts, too.
	mustWrite(t, dir+"/words/words.go", "package words\n\nconst Hello = \"Welcome, \"\n")
	s.sees(t, `(build 3, process \d+)`)
	mustEdit(t, main, `"html/template"`, "\"html/template\"\n\n\t\"example.com/hello-world/words\"", "`<title>", "words.Hello + `<title>")
	s.sees(t, `(build 4 serves now)`)
	mustEdit(t, dir+"/words/words.go", "Welcome", "Bienvenue")
	s.sees(t, `(build 5 serves now)`)
	if _, body := get(t, page); !strings.Contains(body, "Bienvenue, ") {
		t.Errorf("got %s", body)
	}
	s.mustEnd(t)
}

// TestDebuggerMayHoldTheAddon stops the process, as a breakpoint does, for
// longer than any limit that a platform has for one that does not answer.
func TestDebuggerMayHoldTheAddon(t *testing.T) {
	t.Parallel()
	s := mustRun(t, mustMake(t, buildHello), "--manifest", helloFolder+"/manifest.yaml", "--debug")
	pid, err := strconv.Atoi(s.sees(t, `(?m)^  dlv attach (\d+)$`))
	if err != nil {
		t.Fatal(err)
	}
	page := s.sees(t, `Public pages\s+(http://\S+)\n`)
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		body   string
	}
	answered := make(chan answer, 1)
	go func() {
		status, body := get(t, page)
		answered <- answer{status, body}
	}()
	select {
	case a := <-answered:
		t.Fatalf("a stopped process answers: %+v", a)
	case <-time.After(18 * time.Second): // keepalive gives up after 15
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if a := <-answered; a.status != http.StatusOK || !strings.Contains(a.body, "Hello, Northwind") {
		t.Errorf("got %+v", a)
	}
	s.mustEnd(t)
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	file := mustWrite(t, t.TempDir()+"/program", "")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--dev", "--listen", "127.0.0.1:0", file}, "--dev takes the folder of the add-on's package main"},
		{[]string{"run"}, "use --dev in the folder of its sources"},
	} {
		if _, err := execute(t, c.args...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c.args, err)
		}
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
