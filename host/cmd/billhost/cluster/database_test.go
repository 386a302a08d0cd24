package cluster_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// TestListenersComeBack ends the connections that listen, and then the way to make
// new ones: hosts go on converging.
func TestListenersComeBack(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	server := dbtest.MustMortal(t)
	db := dbtest.MustOpen(t, server.Config)
	c := newCluster(t, server.Config, dir)
	c.prepare()
	way := mustForward(t, strings.Split(strings.Split(server.Config.DSN, "@")[1], "/")[0])
	direct := "DATABASE_DIRECT_URL=postgres://postgres@" + way.address + "/postgres?sslmode=disable"
	nodes := []*node{c.serve(direct), c.serve(direct)}
	listeners := func() []int {
		var pids []int
		if err := db.R.Select(&pids, `SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%host_host%' ORDER BY pid`); err != nil {
			t.Fatal(err)
		}
		return pids
	}
	hosttest.Until(t, "both listen", func() bool { return len(listeners()) == 2 })
	before := listeners()
	for _, pid := range before {
		if _, err := db.W.Exec(`SELECT pg_terminate_backend($1)`, pid); err != nil {
			t.Fatal(err)
		}
	}
	hosttest.Until(t, "both listen anew", func() bool {
		now := listeners()
		return len(now) == 2 && !cmp.Equal(now, before)
	})
	c.must("addon", "install", "--biller", "northwind", "hello")
	hosttest.Until(t, "both serve", func() bool { return serves(nodes, "1.0.0") })
	way.close()
	hosttest.Until(t, "nobody listens", func() bool { return len(listeners()) == 0 })
	add("1.1.0")
	c.must("addon", "upgrade", "hello")
	hosttest.Until(t, "both serve 1.1.0", func() bool { return serves(nodes, "1.1.0") })
}

// forward passes connections on to a server until it is closed, and with it all
// that it passed on.
type forward struct {
	address string
	close   func()
}

func mustForward(t *testing.T, to string) forward {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	open := []io.Closer{l}
	keep := func(c io.Closer) {
		mu.Lock()
		defer mu.Unlock()
		open = append(open, c)
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close() // there is nobody to pass on to
				continue
			}
			keep(in)
			keep(out)
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				go func() {
					_, _ = io.Copy(pair[0], pair[1]) // ends with either
					_, _ = pair[0].Close(), pair[1].Close()
				}()
			}
		}
	}()
	end := func() {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			_ = c.Close() // twice for some
		}
	}
	t.Cleanup(end)
	return forward{l.Addr().String(), end}
}

// TestManyStartOnAnEmptyDatabase starts three billhosts in development at once,
// and then an add-on that migrates its own schema in all of them.
func TestManyStartOnAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustNotices(t, dir)
	at := dbtest.Postgres(t)
	db := dbtest.MustOpen(t, at)
	c := newCluster(t, at, dir)
	var nodes []*node
	for range 3 {
		nodes = append(nodes, c.begin([]string{"serve", "--dev"}, "BASE_URL=", "PORTAL_BASE_URL=", "SMTP_URL="))
	}
	for _, n := range nodes {
		n.await()
	}
	c.must("addon", "install", "--biller", "northwind", "notice-board")
	for _, n := range nodes {
		hosttest.Until(t, n.name+" serves", func() bool {
			a, err := n.ask("/notices/northwind/")
			return err == nil && a.status == http.StatusOK
		})
	}
	if got := c.must("biller", "list"); got != "harbor\tHarbor Electric\nnorthwind\tNorthwind Pool Service\n" {
		t.Errorf("billers: %s", got)
	}
	var tables []string
	if err := db.R.Select(&tables, `
		SELECT table_schema || '.' || table_name
		FROM information_schema.tables
		WHERE table_name LIKE '%\_schema_version'
		ORDER BY 1`); err != nil || len(tables) < 4 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		var doubled int
		err := db.R.Get(&doubled, `SELECT COUNT(*) - COUNT(DISTINCT version_id) FROM `+table)
		if err != nil || doubled != 0 {
			t.Errorf("%s: %d applied twice, %v", table, doubled, err)
		}
	}
	for _, n := range nodes {
		if strings.Contains(n.text(), "level=ERROR") {
			t.Errorf("%s logged an error", n.name)
		}
	}
}

// TestDatabaseAway kills the server while two billhosts and an add-on with tables
// serve, and starts it again.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	dir, add := hosttest.MustVersions(t)
	add("1.0.0")
	mustNotices(t, dir)
	server := dbtest.MustMortal(t)
	c := newCluster(t, server.Config, dir)
	c.prepare()
	nodes := []*node{c.serve(), c.serve()}
	c.must("addon", "install", "--biller", "northwind", "notice-board")
	c.must("addon", "install", "--biller", "northwind", "hello")
	session := mustSession(t, c, nodes[0])
	pages := []string{"/notices/northwind/", "/hello/northwind/", "/admin/", "/admin/customers", "/admin/marketplace", "/admin/addons/notice-board/", "/hello/northwind/biller"}
	all := func(ok func(path string, a answer) bool) bool {
		for _, n := range nodes {
			for _, path := range pages {
				a, err := n.ask(path, "Cookie", session)
				if err != nil {
					t.Fatalf("%s %s: %v", n.name, path, err)
				}
				if !ok(path, a) {
					return false
				}
			}
		}
		return true
	}
	fine := func(_ string, a answer) bool { return a.status == http.StatusOK }
	hosttest.Until(t, "all pages are there", func() bool { return all(fine) })
	starts := func() (n int) {
		for _, node := range nodes {
			n += strings.Count(node.text(), "add-on is healthy")
		}
		return n
	}
	before := starts()

	server.Kill()
	for until := time.Now().Add(8 * time.Second); time.Now().Before(until); {
		all(func(path string, a answer) bool {
			wantAway(t, path, a)
			return true
		})
		for _, n := range nodes {
			health, err := n.ask("/healthz")
			ready, err2 := n.ask("/readyz")
			if err != nil || err2 != nil || health.status != http.StatusOK || ready.status != http.StatusServiceUnavailable {
				t.Fatalf("healthz %d, readyz %d, %v, %v", health.status, ready.status, err, err2)
			}
		}
	}
	if _, err := c.try("serve"); err == nil || !strings.Contains(err.Error(), "The database cannot be reached") || !strings.Contains(err.Error(), "127.0.0.1:") {
		t.Errorf("a start without a database: %v", err)
	}
	server.Start()
	start := time.Now()
	hosttest.Until(t, "all pages are back", func() bool { return all(fine) })
	if took := time.Since(start); took > time.Minute {
		t.Errorf("it took %s", took)
	}
	hosttest.Until(t, "all are ready", func() bool {
		for _, n := range nodes {
			if a, err := n.ask("/readyz"); err != nil || a.status != http.StatusOK {
				return false
			}
		}
		return true
	})
	if after := starts(); after != before {
		t.Errorf("add-ons were started %d times more", after-before)
	}
}

// wantAway checks a page while the database is away: it says so, with the number
// that stands in the log.
func wantAway(t *testing.T, path string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" || !strings.Contains(a.body, "<h1") || a.took > 30*time.Second {
		t.Errorf("%s: %d after %s, Retry-After %q: %.300s", path, a.status, a.took, a.header.Get("Retry-After"), a.body)
	}
	if id := a.header.Get("X-Request-Id"); id == "" || !strings.Contains(a.body, id) {
		t.Errorf("%s: the page does not show the request's number %q", path, id)
	}
}

// mustSession signs an owner in and returns the cookie.
func mustSession(t *testing.T, c *cluster, n *node) string {
	t.Helper()
	out := c.must("staff", "add", "--biller", "northwind", "--email", "o@northwind.example", "--role", "owner")
	_, token, ok := strings.Cut(strings.TrimSpace(out), "/sign-in/")
	if !ok {
		t.Fatal(out)
	}
	a, err := n.do(http.MethodPost, "/sign-in/"+token)
	if err != nil || a.status != http.StatusSeeOther {
		t.Fatal(a.status, a.body, err)
	}
	cookie, _, _ := strings.Cut(a.header.Get("Set-Cookie"), ";")
	return cookie
}
