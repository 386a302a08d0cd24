package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// result is what a command printed and returned.
type result struct {
	stdout, stderr string
	err            error
}

// run does one command line to its end.
func run(tb testing.TB, args ...string) result {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	p := Program{Args: args, Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr}
	ctx, cancel := context.WithTimeout(tb.Context(), 5*time.Minute) // a server that starts against expectation ends
	defer cancel()
	err := p.Run(ctx)
	return result{stdout.String(), stderr.String(), err}
}

// mustRun is run for a command that succeeds.
func mustRun(tb testing.TB, args ...string) result {
	tb.Helper()
	r := run(tb, args...)
	if r.err != nil {
		tb.Fatalf("%v: %v\n%s", args, r.err, r.stderr)
	}
	return r
}

// locked is a buffer that several goroutines write to.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// running is a served platform.
type running struct {
	base, link string
	stop       func() error
	log        *locked
}

// mustServe starts the platform in development and waits for its two lines.
func mustServe(tb testing.TB, args ...string) running {
	tb.Helper()
	read, write := io.Pipe()
	stderr := &locked{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	p := Program{Args: append([]string{"serve", "--dev", "--listen-addr", "127.0.0.1:0"}, args...), Stdout: write, Stderr: stderr}
	go func() {
		err := p.Run(ctx)
		_ = write.Close() // a pipe's close never fails
		done <- err
	}()
	lines := bufio.NewScanner(read)
	var got []string
	for len(got) < 2 && lines.Scan() {
		got = append(got, lines.Text())
	}
	if len(got) < 2 {
		cancel()
		tb.Fatalf("no two lines: %q, %v\n%s", got, <-done, stderr.String())
	}
	stop := sync.OnceValue(func() error { cancel(); return <-done })
	tb.Cleanup(func() {
		if err := stop(); err != nil {
			tb.Errorf("stop: %v", err)
		}
	})
	base, ok := strings.CutPrefix(got[0], "Listening on ")
	link, ok2 := strings.CutPrefix(got[1], "Sign in: ")
	if !ok || !ok2 || !strings.HasPrefix(link, base+"/sign-in/") {
		tb.Fatalf("lines %q", got)
	}
	return running{base, link, stop, stderr}
}

// mustGet returns the body of a page.
func mustGet(tb testing.TB, c *http.Client, url string) string {
	tb.Helper()
	return body(tb, func() (*http.Response, error) { return c.Get(url) })
}

func body(tb testing.TB, do func() (*http.Response, error)) string {
	tb.Helper()
	res, err := do()
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s %v\n%s", res.Request.URL, res.Status, err, b)
	}
	return string(b)
}

// mustSignIn follows a one-time link to its end.
func mustSignIn(tb testing.TB, link string) *http.Client {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	if page := mustGet(tb, c, link); !strings.Contains(page, ">Sign in</button>") {
		tb.Fatalf("no button in\n%s", page)
	}
	overview := body(tb, func() (*http.Response, error) { return c.Post(link, "application/x-www-form-urlencoded", nil) })
	if !strings.Contains(overview, "<h1>Overview</h1>") {
		tb.Fatalf("not signed in:\n%s", overview)
	}
	return c
}

// places are the two kinds of database, as arguments.
func places(tb testing.TB) map[string][]string {
	tb.Helper()
	return map[string][]string{
		"sqlite":   {"--data-dir", tb.TempDir()},
		"postgres": {"--data-dir", tb.TempDir(), "--database-url", dbtest.Postgres(tb).DSN},
	}
}

func TestServe(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			up := mustServe(t, place...)
			c := mustSignIn(t, up.link)
			list := mustGet(t, c, up.base+"/admin/customers")
			if strings.Contains(list, "No email") || strings.Count(list, "<tr ") != 51 || strings.Contains(list, ">$0.00<") {
				t.Errorf("the first page has no 50 customers with addresses and open invoices:\n%s", list)
			}
			for _, search := range []string{"gulf", "crane"} {
				if page := mustGet(t, c, up.base+"/admin/customers?q="+search); strings.Count(page, "<tr ") < 3 {
					t.Errorf("search %s:\n%s", search, page)
				}
			}
			id := regexp.MustCompile(`/admin/customers/([0-9a-f-]{36})`).FindStringSubmatch(list)[1]
			bills := mustGet(t, c, up.base+"/admin/customers/"+id+"?tab=invoices")
			invoice := regexp.MustCompile(`/admin/invoices/[0-9a-f-]{36}`).FindString(bills)
			if page := mustGet(t, c, up.base+invoice); !strings.Contains(page, "Balance due") {
				t.Errorf("invoice:\n%s", page)
			}
			for _, path := range []string{"/", "/admin/reports/customers", "/healthz"} {
				mustGet(t, c, up.base+path)
			}
			if err := up.stop(); err != nil {
				t.Fatalf("stop: %v", err)
			}
			again := mustServe(t, place...)
			mustSignIn(t, again.link)
		})
	}
}

func TestStaffLinksLeadToTheRunningPlatform(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	up := mustServe(t, "--data-dir", data)
	add := []string{"staff", "add", "--data-dir", data, "--biller", "harbor", "--email", "o@harbor.example", "--role", "owner"}
	link, ok := strings.CutPrefix(strings.TrimSpace(mustRun(t, add...).stdout), "Sign in: ")
	if !ok || !strings.HasPrefix(link, up.base+"/sign-in/") {
		t.Fatalf("link %q, the platform runs on %s", link, up.base)
	}
	mustSignIn(t, link)
	if r := mustRun(t, append(add, "--base-url", "https://b.example")...); !strings.HasPrefix(r.stdout, "Sign in: https://b.example/") {
		t.Errorf("with BASE_URL: %q", r.stdout)
	}
	if err := up.stop(); err != nil {
		t.Fatal(err)
	}
	if r := mustRun(t, append(add, "--listen-addr", "127.0.0.1:7")...); !strings.HasPrefix(r.stdout, "Sign in: http://127.0.0.1:7/") {
		t.Errorf("stopped: %q", r.stdout)
	}
}

func TestSecretIsPrivateAndKept(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := mustServe(t, place...).stop(); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(place[1], "secret")
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("secret: %v, %v", info, err)
			}
			mustSecret(t, path)
			r := run(t, append([]string{"serve", "--dev", "--listen-addr", "127.0.0.1:0"}, place...)...)
			if r.err == nil || !strings.Contains(r.err.Error(), "the secret is not the one") {
				t.Errorf("with another secret: %v", r.err)
			}
		})
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() }) // after the parallel cases
	data := t.TempDir()
	secret := filepath.Join(data, "given")
	mustSecret(t, secret)
	live := []string{"--base-url", "https://billing.example.com", "--portal-base-url", "https://pay.example.com", "--smtp-url", "smtp://mail.example.com"}
	gone := "postgres://nobody:hunter2@127.0.0.1:1/none?sslmode=disable"
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"nothing":            {nil, "expected one of"},
		"unknown flag":       {[]string{"serve", "--nope"}, "unknown flag --nope"},
		"port in use":        {[]string{"serve", "--dev", "--listen-addr", taken.Addr().String()}, taken.Addr().String() + " is in use; set LISTEN_ADDR"},
		"dev not loopback":   {[]string{"serve", "--dev", "--listen-addr", "0.0.0.0:8080"}, "--dev listens on this machine only"},
		"dev all interfaces": {[]string{"serve", "--dev", "--listen-addr", ":8080"}, "--dev listens on this machine only"},
		"bad address":        {[]string{"serve", "--dev", "--listen-addr", "nonsense"}, "LISTEN_ADDR"},
		"no base":            {[]string{"serve", "--smtp-url", "smtp://m"}, "BASE_URL is missing"},
		"no smtp":            {append([]string{"serve"}, live[:4]...), "SMTP_URL is missing"},
		"no portal":          {[]string{"serve", "--smtp-url", "smtp://m", "--base-url", "https://a.example"}, "PORTAL_BASE_URL is missing"},
		"one host name":      {[]string{"serve", "--smtp-url", "smtp://m", "--base-url", "https://a.example", "--portal-base-url", "https://A.example:444"}, "same host name"},
		"plain http":         {[]string{"serve", "--smtp-url", "smtp://m", "--base-url", "http://a.example"}, "must begin with https://"},
		"no origin":          {[]string{"serve", "--dev", "--base-url", "https://a.example/x"}, "must be an origin"},
		"half of tls":        {append([]string{"serve", "--tls-cert-file", "x"}, live...), "TLS_KEY_FILE"},
		"no secret":          {append([]string{"serve", "--database-url", gone}, live...), "SECRET_FILE is missing"},
		"secret file gone":   {append([]string{"serve", "--listen-addr", "127.0.0.1:0", "--database-url", gone, "--secret-file", "/nowhere"}, live...), "secret /nowhere is missing"},
		"database down":      {append([]string{"serve", "--listen-addr", "127.0.0.1:0", "--database-url", gone, "--secret-file", secret}, live...), "The database cannot be reached"},
		"no packages":        {[]string{"serve", "--dev", "--packages", "/nonexistent"}, "there is no folder /nonexistent"},
		"packages no folder": {[]string{"addon", "list", "--biller", "x", "--packages", secret}, secret + " is no folder"},
		"not a database":     {[]string{"serve", "--dev", "--database-url", "mysql://x"}, "DATABASE_URL must look like"},
		"not migrated":       {append([]string{"serve", "--listen-addr", "127.0.0.1:0", "--data-dir", filepath.Join(data, "new")}, live...), "Run the migrate command first"},
		"bad proxies":        {[]string{"serve", "--dev", "--trusted-proxies", "x"}, "TRUSTED_PROXIES"},
		"import without":     {[]string{"import", "x.csv"}, "--biller"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := tc.args
			if !strings.Contains(strings.Join(args, " "), "--data-dir") && len(args) > 0 {
				args = append(args, "--data-dir", t.TempDir())
			}
			r := run(t, args...)
			if tc.want == "The database cannot be reached" && r.err != nil && !strings.HasPrefix(r.err.Error(), tc.want) {
				t.Errorf("the sentence does not come first: %v", r.err)
			}
			if r.err == nil || !strings.Contains(r.err.Error(), tc.want) || strings.Contains(r.err.Error(), "hunter2") {
				t.Errorf("error %v, want %q", r.err, tc.want)
			}
			if r.stdout != "" {
				t.Errorf("stdout %q", r.stdout)
			}
		})
	}
}

func TestConfigFromEnvironmentAndFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "smtp")
	if err := os.WriteFile(file, []byte("smtp://u:p@mail.example.com\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SMTP_URL_FILE", file)
	t.Setenv("LISTEN_ADDR", "127.0.0.1:7")
	var got Config
	c := Config{ListenAddr: "127.0.0.1:7", SMTPURLFile: file, LogLevel: "debug", BaseURL: "https://b.example/"}
	got, err := c.Validate()
	if err != nil || got.SMTPURL != "smtp://u:p@mail.example.com" || got.BaseURL != "https://b.example" || got.MailFrom != "no-reply@b.example" {
		t.Errorf("config %+v, %v", got, err)
	}
	r := run(t, "serve", "--dev", "--smtp-url", "smtp://other")
	if r.err == nil || !strings.Contains(r.err.Error(), "SMTP_URL and SMTP_URL_FILE are both set") {
		t.Errorf("both: %v", r.err)
	}
}

func TestAdministration(t *testing.T) {
	t.Parallel()
	for name, place := range places(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			with := func(args ...string) []string { return append(args, place...) }
			if name == "postgres" {
				secret := filepath.Join(t.TempDir(), "s")
				mustSecret(t, secret)
				place = append(place, "--secret-file", secret)
			}
			mustRun(t, with("migrate")...)
			mustRun(t, with("migrate")...)
			mustRun(t, with("biller", "add", "--name", "Acme", "--slug", "acme")...)
			if r := run(t, with("biller", "add", "--name", "Acme", "--slug", "acme")...); r.err == nil || !strings.Contains(r.err.Error(), "taken") {
				t.Errorf("second biller: %v", r.err)
			}
			if r := run(t, with("biller", "add", "--name", "X", "--slug", "Portal")...); r.err == nil || !strings.Contains(r.err.Error(), "--slug") {
				t.Errorf("bad slug: %v", r.err)
			}
			for range 2 {
				r := mustRun(t, with("staff", "add", "--biller", "acme", "--email", "o@acme.example", "--name", "Olga", "--role", "owner")...)
				if !strings.HasPrefix(r.stdout, "Sign in: http://127.0.0.1:8080/sign-in/") {
					t.Errorf("staff add printed %q", r.stdout)
				}
			}
			r := mustRun(t, with("staff", "add", "--biller", "acme", "--email", "o@acme.example", "--role", "viewer")...)
			if !strings.HasPrefix(r.stdout, "Sign in: ") || r.stderr != "o@acme.example was on the staff as owner and is viewer now.\n" {
				t.Errorf("other role: %q, %q", r.stdout, r.stderr)
			}
			if r := mustRun(t, with("staff", "add", "--biller", "acme", "--email", "o@acme.example", "--role", "viewer")...); r.stderr != "" {
				t.Errorf("same role: %q", r.stderr)
			}
			mustRun(t, with("staff", "add", "--biller", "acme", "--email", "p@acme.example", "--name", "Pia", "--role", "operator")...)
			if r := mustRun(t, with("staff", "add", "--biller", "acme", "--email", "P@acme.example")...); !strings.HasPrefix(r.stdout, "Sign in: ") || r.stderr != "" {
				t.Errorf("a new link: %q, %q", r.stdout, r.stderr)
			}
			if r := run(t, with("staff", "add", "--biller", "acme", "--email", "q@acme.example")...); r.err == nil || !strings.Contains(r.err.Error(), "give --role") || r.stdout != "" {
				t.Errorf("a new person without role: %v, %q", r.err, r.stdout)
			}
			if r := run(t, with("staff", "add", "--biller", "acme", "--email", "q@acme.example", "--role", "king")...); r.err == nil || !strings.Contains(r.err.Error(), "--role") {
				t.Errorf("no such role: %v", r.err)
			}
			mustRun(t, with("biller", "add", "--name", "Zen & Co", "--slug", "zen")...)
			mustRun(t, with("staff", "add", "--biller", "zen", "--email", "z@zen.example", "--role", "owner")...)
			mustRun(t, with("staff", "disable", "--biller", "acme", "--email", "o@acme.example")...)
			if r := mustRun(t, with("staff", "list", "--biller", "acme")...); r.stdout != "Olga\to@acme.example\tviewer\tdisabled\tnever signed in\nPia\tp@acme.example\toperator\tactive\tnever signed in\n" {
				t.Errorf("staff: %q", r.stdout)
			}
			if r := mustRun(t, with("staff", "list", "--json", "--biller", "zen")...); r.stdout != `[{"name":"z@zen.example","email":"z@zen.example","role":"owner","state":"active"}]`+"\n" {
				t.Errorf("staff as JSON: %q", r.stdout)
			}
			if r := run(t, with("staff", "list", "--biller", "none")...); r.err == nil || !strings.Contains(r.err.Error(), "no such biller") {
				t.Errorf("staff of no biller: %v", r.err)
			}
			if r := mustRun(t, with("biller", "list")...); r.stdout != "acme\tAcme\nzen\tZen & Co\n" {
				t.Errorf("billers: %q", r.stdout)
			}
			if r := mustRun(t, with("biller", "list", "--json")...); r.stdout != `[{"slug":"acme","name":"Acme"},{"slug":"zen","name":"Zen \u0026 Co"}]`+"\n" {
				t.Errorf("billers as JSON: %q", r.stdout)
			}
			if r := mustRun(t, with("addon", "list", "--json", "--biller", "acme")...); r.stdout != "[]\n" {
				t.Errorf("add-ons: %q", r.stdout)
			}
			if r := mustRun(t, with("addon", "status", "--json")...); r.stdout != "[]\n" {
				t.Errorf("versions: %q", r.stdout)
			}
			offers := []string{"--packages", t.TempDir()}
			for _, verb := range []string{"upgrade", "rollback", "retry"} {
				if r := run(t, append(with("addon", verb, "nothing"), offers...)...); r.err == nil || !strings.Contains(r.err.Error(), "does not run this add-on") {
					t.Errorf("%s: %v", verb, r.err)
				}
			}
			install := with("addon", "install", "--biller", "acme", "nothing")
			if r := run(t, append(install, offers...)...); r.err == nil || !strings.Contains(r.err.Error(), "does not offer nothing") {
				t.Errorf("install: %v", r.err)
			}
			for _, args := range [][]string{install, with("addon", "upgrade", "nothing"), with("addon", "approve", "nothing")} {
				if r := run(t, args...); r.err == nil || !strings.Contains(r.err.Error(), "MARKETPLACE_URL is not set") {
					t.Errorf("%v, with nothing on offer: %v", args, r.err)
				}
			}
			if r := run(t, with("staff", "add", "--biller", "none", "--email", "o@acme.example", "--role", "viewer")...); r.err == nil || !strings.Contains(r.err.Error(), "no such biller") {
				t.Errorf("no biller: %v", r.err)
			}
		})
	}
}
