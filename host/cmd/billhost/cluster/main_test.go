// Package cluster runs several billhosts as real processes on one PostgreSQL.
package cluster_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/pack"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// billhost is the program under test, built once.
var billhost string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "cluster")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	defer hosttest.Clean()
	billhost = filepath.Join(dir, "billhost")
	cmd := exec.Command("go", "build", "-o", billhost, "github.com/billing-addons/customer-portal/host/cmd/billhost")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build billhost: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// notices packs the notice board, an add-on with a database, once.
var notices = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(filepath.Dir(billhost), "notices")
	if err := hosttest.Pack(dir, "github.com/billing-addons/customer-portal/sdk/example/notices", "../../../../sdk/example/notices/manifest.yaml"); err != nil {
		return "", err
	}
	return filepath.Join(dir, "package"+pack.Extension), nil
})

// mustNotices places the notice board among the packages on offer.
func mustNotices(t *testing.T, dir string) {
	t.Helper()
	file, err := notices()
	if err == nil {
		err = os.Link(file, filepath.Join(dir, "notices"+pack.Extension))
	}
	if err != nil {
		t.Fatal(err)
	}
}

const (
	staffHost  = "staff.example"
	portalHost = "portal.example"
)

// cluster is one database and the billhosts on it.
type cluster struct {
	t   *testing.T
	env []string
	dir string
	n   int
}

// newCluster prepares an empty database; nothing runs yet.
func newCluster(t *testing.T, db sqldb.Config, packages string) *cluster {
	t.Helper()
	dir, err := os.MkdirTemp("", "c") // sockets need a short path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // one that stays among the temporary ones harms nobody
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // documented never to fail
	file := filepath.Join(dir, "secret")
	if err := os.WriteFile(file, []byte(hex.EncodeToString(secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	return &cluster{t: t, dir: dir, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SECRET_FILE=" + file, "DATABASE_URL=" + db.DSN, "PACKAGES_DIR=" + packages,
		"LISTEN_ADDR=127.0.0.1:0", "METRICS_ADDR=127.0.0.1:0", "SMTP_URL=smtp://127.0.0.1:1",
		"BASE_URL=https://" + staffHost, "PORTAL_BASE_URL=https://" + portalHost,
	}}
}

// with returns the environment with changes, the last of which count.
func (c *cluster) with(env ...string) []string {
	return append(append([]string{}, c.env...), env...)
}

// try runs a command of the operator.
func (c *cluster) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, billhost, args...)
	cmd.Env = c.with("DATA_DIR=" + filepath.Join(c.dir, "operator"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		return string(out), fmt.Errorf("%v: %w\n%s", args, err, out)
	}
	return string(out), nil
}

// must is try for a command that succeeds.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return out
}

// prepare migrates the database and adds a biller.
func (c *cluster) prepare() {
	c.t.Helper()
	c.must("migrate")
	c.must("biller", "add", "--name", "Northwind", "--slug", "northwind")
}

// node is one running billhost.
type node struct {
	c       *cluster
	name    string
	env     []string
	cmd     *exec.Cmd
	address string
	ended   chan struct{}

	mu  sync.Mutex
	log strings.Builder
}

// begin starts a billhost and does not wait for it.
func (c *cluster) begin(args []string, env ...string) *node {
	c.t.Helper()
	c.n++
	n := &node{c: c, name: fmt.Sprint("host", c.n)}
	n.env = c.with(append(env, "DATA_DIR="+filepath.Join(c.dir, n.name))...)
	n.launch(args...)
	c.t.Cleanup(func() {
		n.stop()
		if c.t.Failed() {
			text := n.text()
			c.t.Logf("%s said:\n%s", n.name, text[max(0, len(text)-6000):])
		}
	})
	return n
}

// serve starts a billhost and returns when it listens.
func (c *cluster) serve(env ...string) *node {
	c.t.Helper()
	n := c.begin([]string{"serve"}, env...)
	n.await()
	return n
}

func (n *node) launch(args ...string) {
	n.c.t.Helper()
	n.cmd, n.ended = exec.Command(billhost, args...), make(chan struct{})
	n.cmd.Env = n.env
	stderr, err := n.cmd.StderrPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		n.c.t.Fatal(err)
	}
	ended := n.ended
	go func() {
		defer close(ended)
		n.read(stderr)
		_ = n.cmd.Wait() // tests look at the log
	}()
}

func (n *node) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		n.mu.Lock()
		n.log.WriteString(lines.Text() + "\n")
		var line struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "listening" {
			n.address = line.Address
		}
		if _, after, ok := strings.Cut(lines.Text(), "msg=listening address="); ok {
			n.address, _, _ = strings.Cut(after, " ")
		}
		n.mu.Unlock()
	}
}

func (n *node) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.log.String()
}

func (n *node) where() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.address
}

func (n *node) await() {
	n.c.t.Helper()
	hosttest.Until(n.c.t, n.name+" listens", func() bool {
		select {
		case <-n.ended:
			n.c.t.Fatalf("%s ended:\n%s", n.name, n.text())
		default:
		}
		return n.where() != ""
	})
}

// kill ends the process without a word.
func (n *node) kill() {
	n.c.t.Helper()
	if err := n.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		n.c.t.Fatal(err)
	}
	<-n.ended
}

// again starts a killed node in its old folder.
func (n *node) again() {
	n.c.t.Helper()
	n.mu.Lock()
	n.address = ""
	n.mu.Unlock()
	n.launch("serve")
	n.await()
}

func (n *node) stop() {
	n.c.t.Helper()
	select {
	case <-n.ended:
		return
	default:
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM) // it may just have ended
	select {
	case <-n.ended:
	case <-time.After(time.Minute):
		n.c.t.Errorf("%s does not end", n.name)
		_ = n.cmd.Process.Kill() // reported
	}
}

// answer is an HTTP answer that was read.
type answer struct {
	status int
	header http.Header
	body   string
	took   time.Duration
}

var client = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
}

// ask gets a page of the customers' host name; paths of staff go to theirs.
func (n *node) ask(path string, header ...string) (answer, error) {
	return n.do(http.MethodGet, path, header...)
}

func (n *node) do(method, path string, header ...string) (answer, error) {
	r, err := http.NewRequest(method, "http://"+n.where()+path, nil)
	if err != nil {
		return answer{}, err
	}
	r.Host = portalHost
	if strings.HasPrefix(path, "/admin") || strings.HasPrefix(path, "/sign-in") {
		r.Host = staffHost
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	start := time.Now()
	res, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body), time.Since(start)}, errors.Join(err, res.Body.Close())
}

// serves tells whether all nodes answer with a version of hello.
func serves(nodes []*node, version string) bool {
	for _, n := range nodes {
		if a, err := n.ask("/hello/northwind/version"); err != nil || a.status != 200 || a.body != "<p>"+version+"</p>" {
			return false
		}
	}
	return true
}
