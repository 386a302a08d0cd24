package hosttest_test

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/addon"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/host/supervisor"
)

// misbehaviours are what add-ons do wrong, all of them.
const misbehaviours = `prints before the handshake; wrong cookie; wrong protocol version; never answers Start; ` +
	`stops itself (SIGSTOP); crashes at start; crashes at the 3rd request; crashes every minute; ` +
	`leaves grandchildren with open pipes; floods stdout and stderr; JSON with wrong types; answers 2 GB; ` +
	`bad headers; bad cookies; status 99; script in a fragment; leaks file descriptors; ` +
	`asks for undeclared permissions; uses an expired token; calls host services in a tight loop; panics in a handler`

// wrong is one of them.
type wrong struct {
	name string
	// start is what the version says, for what goes wrong before the first page.
	start string
	// lives is true if the process lives through it.
	lives bool
	// do does it and checks that the state or the answer is clear.
	do func(*scene)
}

func wrongs() []wrong {
	return []wrong{
		{"prints before the handshake", "prints", false, doesNotStart("Hello, I am starting.")},
		{"wrong cookie", "cookie", false, doesNotStart("addon run rascal")},
		{"wrong protocol version", "protocol", false, doesNotStart("Plugin version: 99")},
		{"never answers Start", "hangs", false, doesNotStart("The request was given up.|The answer took too long.")},
		{"stops itself (SIGSTOP)", "", false, stopsItself},
		{"crashes at start", "crashes", false, doesNotStart("cannot find my config")},
		{"crashes at the 3rd request", "", false, crashesAtTheThird},
		{"crashes every minute", "", false, crashesEveryMinute},
		{"leaves grandchildren with open pipes", "", false, leavesAGrandchild},
		{"floods stdout and stderr", "", true, floods},
		{"JSON with wrong types", "", true, logsWrongTypes},
		{"answers 2 GB", "", true, answersGigabytes},
		{"answers 2 GB", "", false, answersFromMemory},
		{"bad headers", "", true, sendsBadHeaders},
		{"bad cookies", "", true, sendsBadCookies},
		{"status 99", "", true, sendsStatuses},
		{"script in a fragment", "", true, sendsScript},
		{"leaks file descriptors", "", true, leaksFiles},
		{"asks for undeclared permissions", "", true, says("/rascal/northwind/customers", "<p>permission_denied: ")},
		{"uses an expired token", "", true, usesAnExpiredToken},
		{"calls host services in a tight loop", "", true, loops},
		{"panics in a handler", "", true, panics},
	}
}

// TestMisbehavingAddons lets a real process do everything that add-ons do wrong,
// beside one that does not and before another biller. Each has to show all four
// things; see scene.
func TestMisbehavingAddons(t *testing.T) {
	var names []string
	for _, w := range wrongs() {
		names = append(names, w.name)
	}
	if diff := cmp.Diff(strings.Split(misbehaviours, "; "), slices.Compact(names)); diff != "" {
		t.Fatalf("what add-ons do wrong, and what is tested:\n%s", diff)
	}
	for _, w := range wrongs() {
		t.Run(w.name, func(t *testing.T) {
			s := newScene(t, w.start)
			if w.start == "" {
				s.rascalServes()
			}
			s.play(w.lives, w.do)
		})
	}
}

// down checks that a page says the add-on does not answer, and to try again.
func (s *scene) down(got hosttest.Answer, err error) {
	s.t.Helper()
	ok := err == nil && slices.Contains([]int{502, 503, 504}, got.Status) && strings.Contains(got.Body, "The portal is not available") &&
		strings.Contains(got.Body, "Try again") && strings.Contains(got.Body, "R-") && (got.Status != 503 || got.Header.Get("Retry-After") != "")
	s.clear(ok, "answer: %d %v %v %.300s", got.Status, got.Header, err, got.Body)
}

func doesNotStart(message string) func(*scene) {
	return func(s *scene) {
		var status string
		s.Until("its state says why", func() bool {
			a := s.rascal()
			if a.Error == "" || a.State != supervisor.BackingOff && a.State != supervisor.Broken && a.State != supervisor.Starting {
				return false
			}
			status = a.Error + a.Report
			return slices.ContainsFunc(strings.Split(message, "|"), func(m string) bool { return strings.Contains(status, m) })
		})
		s.clear(status != "", "no state")
		s.down(s.Try(http.MethodGet, "/rascal/northwind/", ""))
		got := s.Get("/admin/addons/rascal/")
		s.clear(got.Status == 503 && strings.Contains(got.Body, "Rascal does not answer"), "staff page: %d %.300s", got.Status, got.Body)
	}
}

// anotherServes checks that one process has ended and another serves.
func (s *scene) anotherServes(before int) {
	s.t.Helper()
	s.Until("another process serves", func() bool { return s.rascalServes() != before })
	s.Until("the process is gone", func() bool { return syscall.Kill(before, 0) != nil })
	if a := s.rascal(); a.State != supervisor.Healthy && a.State != supervisor.Degraded || a.Failures == 0 {
		s.clear(false, "state %s, %d failures", a.State, a.Failures)
	}
}

func stopsItself(s *scene) {
	before := s.rascalServes()
	s.down(s.Try(http.MethodGet, "/rascal/northwind/stop", ""))
	s.anotherServes(before)
}

func crashesAtTheThird(s *scene) {
	before := s.rascalServes()
	for range 2 {
		if got := s.Get("/rascal/northwind/third"); got.Status != 200 {
			s.t.Errorf("%d", got.Status)
		}
	}
	s.down(s.Try(http.MethodGet, "/rascal/northwind/third", ""))
	s.anotherServes(before)
	s.clear(strings.Contains(s.rascal().Report, "told to crash"), "report %q", s.rascal().Report)
}

func crashesEveryMinute(s *scene) {
	for range 5 {
		s.rascalServes()
		s.down(s.Try(http.MethodGet, "/rascal/northwind/crash", ""))
		s.clock.advance(time.Minute)
	}
	s.Until("it is broken", func() bool { return s.rascal().State == supervisor.Broken })
	a := s.rascal()
	s.clear(a.RetryAt.IsZero() && strings.Contains(a.Report, "told to crash"), "status %+v", a)
	s.down(s.Try(http.MethodGet, "/rascal/northwind/", ""))
	mustDo(s.t, s.Retry(s.t.Context(), hosttest.Dana(), "rascal"))
	s.rascalServes()
}

func leavesAGrandchild(s *scene) {
	before := s.rascalServes()
	child := number(s.t, `child (\d+)`, s.Get("/rascal/northwind/child").Body)
	s.down(s.Try(http.MethodGet, "/rascal/northwind/crash", ""))
	s.anotherServes(before)
	s.Until("the grandchild is gone", func() bool { return syscall.Kill(child, 0) != nil })
}

func floods(s *scene) {
	before, begun := len(s.log.String()), time.Now()
	says("/rascal/northwind/flood", "<p>flooded</p>")(s)
	s.Until("the log says what was dropped", func() bool { return strings.Contains(s.log.String(), "add-on log lines dropped") })
	// The host takes 1 MiB a second.
	took := time.Since(begun)
	if n := len(s.log.String()) - before; n > (6+2*int(took.Seconds()))<<20 {
		s.t.Errorf("32 MB of output make %d bytes of log in %s", n, took)
	}
}

func logsWrongTypes(s *scene) {
	says("/rascal/northwind/json", "<p>logged</p>")(s)
	s.Until("the log has the lines", func() bool { return strings.Contains(s.log.String(), `@message\":42`) })
	if text := s.log.String(); strings.Contains(text, "\x1b[2J") || strings.Contains(text, " addon=another") {
		s.t.Error("the log takes control sequences, or another add-on's name")
	}
}

func answersGigabytes(s *scene) {
	runtime.GC()
	before := heap()
	res, err := http.Get(s.URL + "/rascal/northwind/gigabytes")
	mustDo(s.t, err)
	n, err := io.Copy(io.Discard, res.Body)
	err = errors.Join(err, res.Body.Close())
	s.clear(err == nil && n == 2<<30 && res.StatusCode == 200, "%s, %d bytes, %v", res.Status, n, err)
	if grown := heap() - before; grown > 96<<20 {
		s.t.Errorf("the host took %d MiB from the system", grown>>20)
	}
	_, err = s.Invite(hosttest.Dana(), "rascal").Link(s.t.Context(), "7")
	s.clear(err != nil, "an answer of 64 MB in one message is taken")
}

func answersFromMemory(s *scene) {
	before := s.rascalServes()
	s.down(s.Try(http.MethodGet, "/rascal/northwind/memory", ""))
	s.anotherServes(before)
	s.clear(strings.Contains(s.rascal().Report, "out of memory"), "report %.300q", s.rascal().Report)
}

func sendsBadHeaders(s *scene) {
	got := s.Get("/rascal/northwind/headers")
	s.clear(got.Status == 200 && got.Body == "<p>headers</p>", "%d %s", got.Status, got.Body)
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'", "Clear-Site-Data": "", "Refresh": "", "Access-Control-Allow-Origin": "", "X-Accel-Redirect": "",
		"Evil": "", "Etag": "", "Content-Language": "", "Strict-Transport-Security": "", "Connection": "",
	} {
		if v := got.Header.Get(name); !strings.HasPrefix(v, want) || want == "" && v != "" {
			s.t.Errorf("%s = %.100q", name, v)
		}
	}
}

func sendsBadCookies(s *scene) {
	got := s.Get("/rascal/northwind/cookies")
	want := []string{"rascal-northwind-x=1", "rascal-northwind-own=1; Path=/; HttpOnly; SameSite=Lax"}
	for _, c := range got.Header["Set-Cookie"] {
		s.clear(strings.HasPrefix(c, want[0]) || c == want[1], "cookie %.200q", c)
	}
	s.clear(got.Status == 200 && slices.Contains(got.Header["Set-Cookie"], want[1]), "%d, cookies %.300q", got.Status, got.Header["Set-Cookie"])
	s.clear(strings.Contains(s.log.String(), "cookies of an add-on dropped"), "nobody is told")
}

func sendsStatuses(s *scene) {
	for _, status := range []string{"99", "0", "-1", "101", "600", "1000", "99999999999"} {
		s.down(s.Try(http.MethodGet, "/rascal/northwind/status?"+status, ""))
	}
}

func sendsScript(s *scene) {
	check := func(where, got string) {
		s.clear(strings.Contains(got, "<p>kept</p>"), "%s: %s", where, got)
		for _, word := range []string{"<script", "onclick", "javascript:", "<style", "<iframe", "<base", "<meta", "/sign-out", "alert"} {
			if strings.Contains(got, word) {
				s.t.Errorf("%s has %s: %s", where, word, got)
			}
		}
	}
	check("staff page", s.Get("/admin/addons/rascal/").Body)
	tabs, err := s.Slots(s.t.Context(), hosttest.Dana(), addon.SlotCustomerTab)
	mustDo(s.t, err)
	for _, tab := range tabs {
		if tab.AddonID != "rascal" {
			continue
		}
		r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.URL+"/admin/customers/7", nil)
		mustDo(s.t, err)
		fragment, err := s.Draw(r, hosttest.Dana(), tab, nil)
		mustDo(s.t, err)
		check("slot", string(fragment))
		return
	}
	s.t.Errorf("no slot of rascal in %v", tabs)
}

func leaksFiles(s *scene) {
	before := openFiles()
	says("/rascal/northwind/files", "too many open files")(s)
	s.rascalServes()
	if n := openFiles(); n > before+100 {
		s.t.Errorf("the host has %d open files, %d before", n, before)
	}
}

func usesAnExpiredToken(s *scene) {
	says("/rascal/northwind/keep", "<p>answered</p>")(s)
	says("/rascal/northwind/expired", "<p>unauthenticated: ")(s)
	says("/rascal/northwind/keep", "<p>answered</p>")(s)
}

func loops(s *scene) {
	says("/rascal/northwind/loop", "calls, then too_many_requests: ")(s)
	says("/rascal/southgate/keep", "<p>answered</p>")(s)
}

func panics(s *scene) {
	before := s.rascalServes()
	s.down(s.Try(http.MethodGet, "/rascal/northwind/panic", ""))
	s.clear(s.rascalServes() == before, "the process has ended")
	s.Until("the log has the panic", func() bool { return strings.Contains(s.log.String(), "on /panic") })
}

// says checks what a page answers with status 200.
func says(path, want string) func(*scene) {
	return func(s *scene) {
		s.t.Helper()
		got := s.Get(path)
		s.clear(got.Status == 200 && strings.Contains(got.Body, want), "%s: %d %.300s, want %q", path, got.Status, got.Body, want)
	}
}

func number(tb testing.TB, pattern, text string) int {
	tb.Helper()
	m := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if m == nil {
		tb.Fatalf("no %s in %.300s", pattern, text)
	}
	n := 0
	for _, r := range m[1] {
		n = 10*n + int(r-'0')
	}
	return n
}
