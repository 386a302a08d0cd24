package story_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// databases names the two a platform may run on.
var databases = []string{"sqlite", "postgres"}

// platform is a running billhost.
type platform struct {
	tb      testing.TB
	cmd     *exec.Cmd
	env     []string
	URL     string
	SignIn  string
	log     *lockedBuffer
	dataDir string
	market  string // where add-ons come from
}

// lockedBuffer keeps what a process prints, for the report of a failed test.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// mustStart starts billhost in --dev mode on a fresh database of the kind.
func mustStart(tb testing.TB, database string, env ...string) *platform {
	tb.Helper()
	return mustStartFrom(tb, built.market, database, env...)
}

// mustStartFrom is mustStart with another copy of the marketplace, or its address.
func mustStartFrom(tb testing.TB, market, database string, env ...string) *platform {
	tb.Helper()
	p := &platform{tb: tb, market: market, log: &lockedBuffer{}, dataDir: filepath.Join(tb.TempDir(), "d")}
	p.env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + tb.TempDir(),
		"LISTEN_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "DATA_DIR=" + p.dataDir,
	}, env...)
	if database == "postgres" {
		p.env = append(p.env, "DATABASE_URL="+dbtest.Postgres(tb).DSN)
	}
	p.start()
	tb.Cleanup(func() {
		p.stop()
		if tb.Failed() {
			tb.Logf("billhost printed:\n%s", tail(p.log.String(), 8000))
		}
	})
	return p
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

func (p *platform) start() {
	p.tb.Helper()
	p.cmd = exec.Command(built.billhost, "serve", "--dev",
		"--marketplace-url", p.market, "--marketplace-root", filepath.Join(built.market, "metadata", "1.root.json"))
	p.cmd.Env = p.env
	p.cmd.Stderr = p.log
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		p.tb.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.tb.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	p.URL = p.mustLine(lines, "Listening on ")
	p.SignIn = p.mustLine(lines, "Sign in: ")
	go func() {
		// The pipe ends with the process; what it still holds belongs in the log.
		_, _ = io.Copy(p.log, lines)
	}()
}

func (p *platform) mustLine(r *bufio.Reader, prefix string) string {
	p.tb.Helper()
	line, err := r.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		_ = p.cmd.Process.Kill() // the test ends here anyway
		p.tb.Fatalf("billhost printed %q (%v), want a line that begins with %q\n%s", line, err, prefix, p.log)
	}
	return strings.TrimSpace(strings.TrimPrefix(line, prefix))
}

func (p *platform) stop() {
	p.tb.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.tb.Errorf("stop billhost: %v", err)
	}
	timer := time.AfterFunc(time.Minute, func() {
		p.tb.Error("billhost did not stop within a minute")
		_ = p.cmd.Process.Kill() // reported above
	})
	defer timer.Stop()
	if err := p.cmd.Wait(); err != nil {
		p.tb.Errorf("billhost ended with %v", err)
	}
}

// addonPIDs are the processes whose parent is billhost.
func (p *platform) addonPIDs() []int {
	p.tb.Helper()
	children, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		p.tb.Fatal(err)
	}
	var pids []int
	for _, file := range children {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // a thread that has just ended
		}
		for _, f := range strings.Fields(string(data)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				p.tb.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// client is a person's browser without a screen: cookies and forms.
type client struct {
	tb   testing.TB
	http *http.Client
}

func newClient(tb testing.TB) *client {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return &client{tb: tb, http: &http.Client{Jar: jar, Timeout: patience}}
}

// page is an answer that was read whole.
type page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   string
}

func (c *client) get(address string) page {
	c.tb.Helper()
	res, err := c.http.Get(address)
	return c.read(res, err)
}

func (c *client) post(address string, form url.Values) page {
	c.tb.Helper()
	res, err := c.http.PostForm(address, form)
	return c.read(res, err)
}

func (c *client) read(res *http.Response, err error) page {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.tb.Fatal(err)
	}
	return page{URL: res.Request.URL, Status: res.StatusCode, Header: res.Header, Body: string(body)}
}

// signIn uses the one-time link that billhost printed.
func (c *client) signIn(p *platform) {
	c.tb.Helper()
	if got := c.post(p.SignIn, nil); got.Status != http.StatusOK || !strings.HasPrefix(got.URL.Path, "/admin/") {
		c.tb.Fatalf("sign in: status %d at %s\n%s", got.Status, got.URL, tail(got.Body, 2000))
	}
}

// install agrees to the Customer Portal and waits until its page answers.
func (c *client) install(p *platform) {
	c.tb.Helper()
	got := c.get(p.URL + "/admin/marketplace/customer-portal/install")
	form := mustForm(c.tb, got, "Agree and install")
	c.post(got.URL.ResolveReference(form.action).String(), form.values)
	c.eventually("the add-on's page answers", func() bool {
		return c.get(p.URL+"/admin/addons/customer-portal/").Status == http.StatusOK
	})
}

// eventually waits for a condition as long as patience lasts.
func (c *client) eventually(what string, ok func() bool) {
	c.tb.Helper()
	deadline := time.Now().Add(patience)
	for !ok() {
		if time.Now().After(deadline) {
			c.tb.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// form is a form of a page, ready to be sent.
type form struct {
	action *url.URL
	values url.Values
}

// mustForm finds the form that holds the button with this text.
func mustForm(tb testing.TB, p page, button string) form {
	tb.Helper()
	doc, err := html.Parse(strings.NewReader(p.Body))
	if err != nil {
		tb.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode || n.Data != "form" || !hasButton(n, button) {
			continue
		}
		action, err := url.Parse(attr(n, "action"))
		if err != nil {
			tb.Fatal(err)
		}
		f := form{action: action, values: url.Values{}}
		for c := range n.Descendants() {
			if c.Type == html.ElementNode && c.Data == "input" && attr(c, "name") != "" && attr(c, "type") != "submit" {
				f.values.Set(attr(c, "name"), attr(c, "value"))
			}
		}
		return f
	}
	tb.Fatalf("%s (status %d) has no form with the button %q:\n%s", p.URL, p.Status, button, tail(p.Body, 4000))
	return form{}
}

func hasButton(n *html.Node, text string) bool {
	for c := range n.Descendants() {
		if c.Type == html.ElementNode && c.Data == "button" && strings.TrimSpace(textOf(c)) == text {
			return true
		}
	}
	return false
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// mustStaffLink asks the command line for one more one-time link.
func mustStaffLink(tb testing.TB, p *platform) string {
	tb.Helper()
	out := p.mustRun("staff", "add", "--biller", "northwind",
		"--email", fmt.Sprintf("staff%d@northwind.example", time.Now().UnixNano()), "--name", "Test Owner", "--role", "owner")
	u := firstURL.FindString(out)
	if u == "" {
		tb.Fatalf("staff add printed no link:\n%s", out)
	}
	return u
}
