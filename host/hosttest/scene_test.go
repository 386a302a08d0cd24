package hosttest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// budget is how long an answer to somebody else may take while an add-on does
// wrong: generous, because machines that test are busy.
const budget = 10 * time.Second

// The four things that every scene has to show.
const (
	hostUp      = "the host stays up"
	othersServe = "others are answered within their budget"
	nothingLeft = "no process, socket or file is left"
	clearAnswer = "state or answer are clear"
)

// scene is a host with rascal, which does wrong, and hello, both installed by
// northwind and southgate. It counts what was shown.
type scene struct {
	*hosttest.Host
	t     *testing.T
	log   *safeBuffer
	clock *clock
	shown map[string]int
}

// safeBuffer is a log that can be read while it is written.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *safeBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *safeBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// clock runs with the real one, and ahead of it when told.
type clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// newScene starts a host. When it has ended, the scene looks for what is left.
func newScene(t *testing.T, start string) *scene {
	t.Helper()
	s := &scene{t: t, log: &safeBuffer{}, clock: &clock{}, shown: map[string]int{}}
	packages := hosttest.MustRascal(t, start)
	closeIdle()
	files, routines := openFiles(), runtime.NumGoroutine()
	t.Cleanup(func() {
		if t.Failed() {
			text := s.log.String()
			t.Logf("log: %s", text[max(0, len(text)-10_000):])
			return
		}
		for _, what := range []string{hostUp, othersServe, nothingLeft, clearAnswer} {
			if s.shown[what] == 0 {
				t.Errorf("nothing has shown that %s", what)
			}
		}
	})
	s.Host = hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) {
		c.Packages, c.Now = packages, s.clock.now
		c.Log = slog.New(slog.NewTextHandler(s.log, nil))
		c.Times = supervisor.Times{
			Poll: 50 * time.Millisecond, Start: budget, Health: 200 * time.Millisecond, Answer: 3 * time.Second, Kill: time.Second,
			FirstRest: 10 * time.Millisecond, LongestRest: 200 * time.Millisecond,
		}
		dir := c.DataDir
		t.Cleanup(func() { s.seeNothingLeft(dir, files, routines) })
	})
	for _, biller := range []string{"northwind", "southgate"} {
		dana := hosttest.Dana()
		dana.BillerID = biller
		mustDo(t, s.Install(t.Context(), dana, "hello", nil))
		mustDo(t, s.Install(t.Context(), dana, "rascal", nil))
	}
	s.Until("hello serves", func() bool { return s.Get("/hello/southgate/").Status == 200 })
	return s
}

// rascalServes waits until it does, and returns its process.
func (s *scene) rascalServes() int {
	s.t.Helper()
	var pid int
	s.Until("rascal serves", func() bool {
		got := s.Get("/rascal/northwind/")
		m := regexp.MustCompile(`process (\d+) serves`).FindStringSubmatch(got.Body)
		if got.Status != 200 || m == nil {
			return false
		}
		var err error
		pid, err = strconv.Atoi(m[1])
		return err == nil
	})
	return pid
}

// rascal tells how it is.
func (s *scene) rascal() host.Status {
	s.t.Helper()
	list, err := s.Addons(s.t.Context())
	mustDo(s.t, err)
	for _, a := range list {
		if a.Active.AddonID == "rascal" {
			return a
		}
	}
	s.t.Fatalf("no rascal in %+v", list)
	return host.Status{}
}

// clear shows that a state or an answer is clear.
func (s *scene) clear(ok bool, format string, args ...any) {
	s.t.Helper()
	s.shown[clearAnswer]++
	if !ok {
		s.t.Errorf(format, args...)
	}
}

// others asks, until done is closed, for the page of another add-on and another
// biller, and for another biller's page of rascal, which has to answer 200 if it
// lives through what it does.
func (s *scene) others(lives bool, done <-chan struct{}) (asked int) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(path string, within time.Duration, statuses ...int) {
		begun := time.Now()
		res, err := client.Get(s.URL + path)
		if err != nil {
			s.t.Errorf("meanwhile %s: %v", path, err)
			return
		}
		mustDo(s.t, res.Body.Close())
		took := time.Since(begun)
		for _, status := range statuses {
			if res.StatusCode == status && took < within {
				return
			}
		}
		s.t.Errorf("meanwhile %s: %s after %s", path, res.Status, took)
	}
	for {
		ask("/hello/southgate/", budget, 200)
		if lives {
			ask("/rascal/southgate/", budget, 200)
		} else {
			ask("/rascal/southgate/", 3*budget, 200, 502, 503, 504)
		}
		asked++
		select {
		case <-done:
			return asked
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// play does something wrong while others are served.
func (s *scene) play(lives bool, do func(*scene)) {
	s.t.Helper()
	done, ended := make(chan struct{}), make(chan int)
	go func() { ended <- s.others(lives, done) }()
	func() {
		defer func() { close(done); s.shown[othersServe] = <-ended }()
		do(s)
	}()
	for path, want := range map[string]int{"/hello/southgate/": 200, "/hello/northwind/biller": 200, "/admin/marketplace": 200, "/admin/addons/hello/": 200} {
		if got := s.Get(path); got.Status != want {
			s.t.Errorf("afterwards %s: %d %.200s", path, got.Status, got.Body)
		}
		s.shown[hostUp]++
	}
	if strings.Contains(s.log.String(), "http: panic serving") {
		s.t.Error("a handler of the host panicked")
	}
}

// seeNothingLeft looks, after the host has ended, for processes, sockets, files,
// descriptors and goroutines.
func (s *scene) seeNothingLeft(dir string, files, routines int) {
	s.shown[nothingLeft]++
	hosttest.Until(s.t, "all processes of the add-ons are gone", func() bool { return len(processesIn(dir)) == 0 })
	hosttest.Until(s.t, "all sockets in "+dir+" are closed", func() bool {
		text, err := os.ReadFile("/proc/net/unix")
		mustDo(s.t, err)
		return !strings.Contains(string(text), dir)
	})
	entries, err := os.ReadDir(dir)
	mustDo(s.t, err)
	for _, e := range entries {
		if name := e.Name(); name != "packages" && name != "addons" && name != "exports" && !strings.HasPrefix(name, "host.db") {
			s.t.Errorf("%s is left", filepath.Join(dir, name))
		}
	}
	if own, err := filepath.Glob(filepath.Join(dir, "addons", "*", "*")); err != nil || len(own) > 0 {
		s.t.Errorf("%v are left by add-ons without a database", own)
	}
	entries, err = os.ReadDir(filepath.Join(dir, "packages"))
	if err != nil || len(entries) != 2 {
		s.t.Errorf("packages = %v, %v", entries, err)
	}
	for _, e := range entries {
		if err := pack.Verify(filepath.Join(dir, "packages", e.Name())); err != nil {
			s.t.Errorf("package %s: %v", e.Name(), err)
		}
	}
	closeIdle()
	hosttest.Until(s.t, fmt.Sprintf("at most %d files are open, not %d", files, openFiles()), func() bool { return openFiles() <= files })
	hosttest.Until(s.t, fmt.Sprintf("at most %d goroutines run, not %d", routines, runtime.NumGoroutine()), func() bool { return runtime.NumGoroutine() <= routines })
}

func closeIdle() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() }

func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}

// processesIn returns the processes whose program or working folder is in dir.
func processesIn(dir string) (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	for _, p := range all {
		for _, link := range []string{"exe", "cwd"} {
			if to, err := os.Readlink(filepath.Join(p, link)); err == nil && strings.HasPrefix(to, dir+"/") {
				if pid, err := strconv.Atoi(filepath.Base(p)); err == nil {
					pids = append(pids, pid)
				}
			}
		}
	}
	return pids
}
