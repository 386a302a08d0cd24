// Package peers measures the add-on boundary against other hosts of plugins and
// against no boundary at all. Each figure is a ratio of two things measured in
// one run, in turns; see docs/proof.md.
package peers_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/hosttest"
)

const (
	// rounds is how often the sides take turns; the median counts.
	rounds = 7
	// tick is the unit of times in /proc/*/stat.
	tick = 10 * time.Millisecond
)

func TestMain(m *testing.M) {
	if order := os.Getenv("PEERS_VISIT"); order != "" {
		if err := visit(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	hosttest.Clean()
	os.Exit(code)
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// sample is what one side took in one round.
type sample struct {
	Count    int
	Took     time.Duration
	P50, P99 time.Duration
	CPU      time.Duration // of all processes that serve, for one request
}

func (s sample) perSecond() float64 { return float64(s.Count) / s.Took.Seconds() }

// summarize sorts times.
func summarize(times []time.Duration, took time.Duration) sample {
	slices.Sort(times)
	return sample{Count: len(times), Took: took, P50: times[len(times)/2], P99: times[len(times)*99/100]}
}

// repeat runs f count times on some goroutines and times each.
func repeat(clients, count int, f func() error) (sample, error) {
	times := make([]time.Duration, count)
	var next atomic.Int64
	var wg sync.WaitGroup
	errs := make(chan error, clients)
	begin := time.Now()
	for range clients {
		wg.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= count {
					return
				}
				at := time.Now()
				if err := f(); err != nil {
					errs <- err
					return
				}
				times[n] = time.Since(at)
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	select {
	case err := <-errs:
		return sample{}, err
	default:
		return summarize(times, took), nil
	}
}

// order is what a process that visits pages is told.
type order struct {
	URL, Cookie    string
	Want           string // a text on the page
	Clients, Count int
}

// visit is the other process: people with browsers, whose CPU is not the host's.
func visit(text string) error {
	var o order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: o.Clients}}
	s, err := repeat(o.Clients, o.Count, func() error {
		r, err := http.NewRequest(http.MethodGet, o.URL, nil)
		if err != nil {
			return err
		}
		r.Header.Set("Cookie", o.Cookie)
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), o.Want) {
			return fmt.Errorf("%s: %s %w\n%s", o.URL, res.Status, err, body)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(s)
}

// mustVisit lets another process ask for a page and counts the CPU of this one and
// of the add-on, if there is one.
func mustVisit(tb testing.TB, o order, addon int) sample {
	tb.Helper()
	text, err := json.Marshal(o)
	must(tb, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PEERS_VISIT="+string(text))
	cmd.Stderr = os.Stderr
	before := cpu(tb, addon)
	out, err := cmd.Output()
	must(tb, err)
	used := cpu(tb, addon) - before
	var s sample
	must(tb, json.Unmarshal(out, &s))
	s.CPU = used / time.Duration(s.Count)
	return s
}

// cpu is the time that this process and another one have used.
func cpu(tb testing.TB, other int) time.Duration {
	tb.Helper()
	var self syscall.Rusage
	must(tb, syscall.Getrusage(syscall.RUSAGE_SELF, &self))
	used := time.Duration(self.Utime.Nano() + self.Stime.Nano())
	if other == 0 {
		return used
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", other))
	must(tb, err)
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] { // user and system time
		n, err := strconv.Atoi(f)
		must(tb, err)
		used += time.Duration(n) * tick
	}
	return used
}

// median of what f says about each sample.
func median[T int | float64 | time.Duration](of []sample, f func(sample) T) T {
	all := make([]T, len(of))
	for i, s := range of {
		all[i] = f(s)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// ratio is the median of the ratios of neighbours: what changes on the machine
// from round to round concerns both.
func ratio[T int | float64 | time.Duration](a, b []sample, f func(sample) T) float64 {
	all := make([]float64, len(a))
	for i := range a {
		all[i] = float64(f(a[i])) / float64(f(b[i]))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// load is the machine's, for the report.
func load(tb testing.TB) string {
	tb.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	must(tb, err)
	return strings.Fields(string(text))[0]
}

// mustBuild builds a program the way add-ons are released.
func mustBuild(tb testing.TB, pkg string) string {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", pkg, err, out)
	}
	return file
}

func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}
