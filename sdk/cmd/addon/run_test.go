package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const helloFolder = "../../example/hello"

// output is a bytes.Buffer that somebody can wait for.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// waitFor returns what the pattern's group matched in the output.
func (o *output) waitFor(t *testing.T, pattern string, ended <-chan error) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(2 * time.Minute); ; {
		if m := re.FindStringSubmatch(o.String()); m != nil {
			return m[1]
		}
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("ended early: %v\n%s", err, o)
		case <-deadline:
			t.Fatalf("never printed %s:\n%s", pattern, o)
		}
	}
}

// mustShow runs the command line, gets the public page and interrupts.
func mustShow(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out output
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, &out, &out) }()
	page := out.waitFor(t, `Public pages\s+(http://127\.0\.0\.1:\d+/hello/northwind/)\n`, ended)
	index := out.waitFor(t, `Mails sent, and this list\s+(http://\S+)\n`, ended)
	if body := mustGet(t, index); !strings.Contains(body, page) {
		t.Errorf("the index does not link %s: %s", page, body)
	}
	body := mustGet(t, page)
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("run: %v", err)
	}
	return body
}

func mustGet(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %s %v", url, res.Status, body, err)
	}
	return string(body)
}

func TestRunShowsTheAddonsPages(t *testing.T) {
	t.Parallel()
	program := mustMake(t, buildHello)
	const want = "<h1>Hello, Northwind Utilities</h1>"
	body := mustShow(t, "run", program, "--manifest", helloFolder+"/manifest.yaml", "--listen", "127.0.0.1:0")
	if !strings.Contains(body, want) {
		t.Errorf("program's page %s", body)
	}
	archive := filepath.Join(t.TempDir(), "hello.addon")
	mustProcess(t, "pack", "--manifest", helloFolder+"/manifest.yaml", "-o", archive,
		"--binary", runtime.GOOS+"/"+runtime.GOARCH+"="+program)
	if body := mustShow(t, "run", archive, "--listen", "127.0.0.1:0"); !strings.Contains(body, want) {
		t.Errorf("package's page %s", body)
	}
}

func TestRunRefuses(t *testing.T) {
	t.Parallel()
	program := mustMake(t, buildHello)
	manifest, err := os.ReadFile(helloFolder + "/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	other := mustWrite(t, filepath.Join(t.TempDir(), "manifest.yaml"), strings.Replace(string(manifest), "1.0.0", "1.0.1", 1))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"another version":  {[]string{program, "--manifest", other}, "the program says it is hello 1.0.0, the manifest says hello 1.0.1"},
		"the open network": {[]string{program, "--listen", "0.0.0.0:0"}, "open to other machines"},
		"no manifest":      {[]string{program, "--manifest", "nowhere.yaml"}, "does not exist"},
		"no add-on":        {[]string{"/bin/true", "--manifest", helloFolder + "/manifest.yaml"}, "start /bin/true"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := c.args
			if !strings.Contains(strings.Join(args, " "), "--listen") {
				args = append(args, "--listen", "127.0.0.1:0")
			}
			var out output
			err := run(t.Context(), append([]string{"run"}, args...), &out, &out)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadableLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l := newLogLines(&out)
	for _, piece := range []string{
		`{"@timestamp":"2026-01-02T12:30:05.000001Z","@level":"warn","@mess`,
		`age":"low on ink","pages":3}` + "\nplain\n", `{"@message":7}` + "\n", "unfinished",
	} {
		if _, err := l.Write([]byte(piece)); err != nil {
			t.Fatal(err)
		}
	}
	want := "12:30:05 WARN  low on ink pages=3\nplain\n{\"@message\":7}\n"
	if out.String() != want {
		t.Errorf("got %q, want %q", &out, want)
	}
}
