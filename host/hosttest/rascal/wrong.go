package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// rascal answers pages that need the platform or something to remember.
type rascal struct {
	host     sdk.Host
	requests atomic.Int64
	ended    atomic.Int64
	poured   atomic.Int64
	held     atomic.Int64
	released chan struct{}

	mu     sync.Mutex
	kept   context.Context
	leaked []*os.File
}

func say(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// A write fails only when the host has gone.
	_, _ = fmt.Fprintf(w, format, args...)
}

func (*rascal) greet(w http.ResponseWriter, r *http.Request) {
	say(w, "<p>process %d serves %s</p>", os.Getpid(), sdk.CallFrom(r.Context()).BillerID)
}

func stop(w http.ResponseWriter, r *http.Request) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGSTOP); err != nil {
		say(w, "%s", err)
		return
	}
	<-r.Context().Done() // threads stop a moment later
}

func (r *rascal) third(w http.ResponseWriter, req *http.Request) {
	if r.requests.Add(1) == 3 {
		crash(w, req)
	}
	say(w, "<p>not yet</p>")
}

func crash(http.ResponseWriter, *http.Request) {
	fmt.Fprintln(stderr(), "told to crash")
	os.Exit(7)
}

// child starts a process that keeps the pipes open, and says its id.
func child(w http.ResponseWriter, _ *http.Request) {
	c := exec.Command("/bin/sleep", "1000")
	c.Stdout, c.Stderr = os.NewFile(1, "stdout"), stderr()
	if err := c.Start(); err != nil {
		say(w, "%s", err)
		return
	}
	say(w, "child %d", c.Process.Pid)
}

func flood(w http.ResponseWriter, _ *http.Request) {
	// A busy machine takes longer than an answer may take to begin.
	say(w, "<p>begun</p>")
	if err := http.NewResponseController(w).Flush(); err != nil {
		return
	}
	line := strings.Repeat("y", 4000)
	for i := range 4_000 {
		fmt.Fprintln(stderr(), i, line)
		fmt.Println(i, line)
	}
	say(w, "<p>flooded</p>")
}

func wrongTypes(w http.ResponseWriter, _ *http.Request) {
	for _, line := range []string{
		`{"@level":"info","@message":42}`, `{"@level":7,"@message":"x","@timestamp":[]}`, `{"@message":{"@message":{}}}`, `[]`, `null`, `{`,
		`{"@level":"info","@message":"x","level":null,"time":{},"msg":[],"addon":"another"}`, "\x00\xff\x1b[2J",
	} {
		fmt.Fprintln(stderr(), line)
	}
	say(w, "<p>logged</p>")
}

// gigabytes answers with 2 GB.
func gigabytes(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	part := make([]byte, 1<<20)
	for range 2048 {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// memory takes 2 GB before it answers.
func memory(w http.ResponseWriter, _ *http.Request) {
	whole := make([]byte, 2<<30)
	for i := 0; i < len(whole); i += 4096 {
		whole[i] = 1
	}
	// A write fails only when the host has gone.
	_, _ = w.Write(whole)
}

func headers(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h["Content-Security-Policy"] = []string{"default-src *"}
	h["Strict-Transport-Security"] = []string{"max-age=0"}
	h["Clear-Site-Data"] = []string{`"*"`}
	h["Refresh"] = []string{"0;url=//evil.example"}
	h["Access-Control-Allow-Origin"] = []string{"*"}
	h["Connection"] = []string{"close"}
	h["Transfer-Encoding"] = []string{"chunked"}
	h["X-Accel-Redirect"] = []string{"/etc/passwd"}
	h["bad name\r\nEvil"] = []string{"1"}
	h["Etag"] = []string{"a\r\nEvil: 1"}
	h["Content-Language"] = []string{strings.Repeat("x", 100_000)}
	say(w, "<p>headers</p>")
}

func cookies(w http.ResponseWriter, _ *http.Request) {
	for _, line := range []string{
		"billhost-session=stolen; Path=/", "__Host-x=1; Domain=example.com", "a b=1", "x=1\r\nEvil: 1", "big=" + strings.Repeat("x", 5000),
		"own=1; Domain=.example.com; Path=/admin; SameSite=None",
	} {
		w.Header().Add("Set-Cookie", line)
	}
	say(w, "<p>cookies</p>")
}

func status(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.URL.RawQuery)
	if err != nil {
		code = 99
	}
	w.WriteHeader(code)
}

func script(w http.ResponseWriter, _ *http.Request) {
	say(w, `<p onclick="alert(1)">kept</p><script>alert(1)</script><style>*{}</style><iframe src="//evil.example"></iframe>`+
		`<form method=post action="/sign-out"><input name=a></form><a href="javascript:alert(1)">a</a><base href="//evil.example"><meta http-equiv=refresh content=0>`)
}

// files opens files until there are no more to be had.
func (r *rascal) files(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := 0; ; n++ {
		f, err := os.Open("/dev/null")
		if err != nil {
			say(w, "<p>%d files: %s</p>", n, err)
			return
		}
		r.leaked = append(r.leaked, f)
	}
}

// ask calls the platform.
func (r *rascal) ask(ctx context.Context) string {
	if err := r.host.Audit.Write(ctx, sdk.AuditEvent{Action: "rascal.asks"}); err != nil {
		return string(apperr.CodeOf(err)) + ": " + apperr.MessageOf(err)
	}
	return "answered"
}

// customers needs customers:read, which the manifest does not name.
func (r *rascal) customers(w http.ResponseWriter, req *http.Request) {
	_, err := r.host.Customers.Customer(req.Context(), "1")
	say(w, "<p>%s: %s</p>", apperr.CodeOf(err), apperr.MessageOf(err))
}

// keep remembers the request with its token, expired uses it.
func (r *rascal) keep(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = context.WithoutCancel(req.Context())
	say(w, "<p>%s</p>", r.ask(req.Context()))
}

func (r *rascal) expired(w http.ResponseWriter, _ *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	say(w, "<p>%s</p>", r.ask(r.kept))
}

// loop calls the platform without rest until it is refused.
func (r *rascal) loop(w http.ResponseWriter, req *http.Request) {
	end := time.Now().Add(time.Minute)
	for n := 0; time.Now().Before(end); n++ {
		if got := r.ask(req.Context()); got != "answered" {
			say(w, "<p>%d calls, then %s</p>", n, got)
			return
		}
	}
	say(w, "<p>never refused</p>")
}

func burst(_ http.ResponseWriter, r *http.Request) { panic("on " + r.URL.Path) }
