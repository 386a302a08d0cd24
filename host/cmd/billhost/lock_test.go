package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

// asBillhost makes the test's own binary the program, so that tests have processes.
const asBillhost = "TEST_AS_BILLHOST"

func TestMain(m *testing.M) {
	if os.Getenv(asBillhost) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is billhost as a process of its own.
func program(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asBillhost+"=1")
	return cmd
}

// mustServeAside starts a platform as a process and waits until it serves.
func mustServeAside(tb testing.TB, args ...string) (cmd *exec.Cmd, base string) {
	tb.Helper()
	cmd = program(tb, append([]string{"serve", "--dev", "--listen-addr", "127.0.0.1:0"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill() // it has ended, or shall
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if err != nil {
		_ = cmd.Wait() // stderr says more
		tb.Fatalf("%v\n%s", err, stderr.String())
	}
	if _, err := lines.ReadString('\n'); err != nil {
		tb.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }() // until it ends
	return cmd, strings.TrimSpace(strings.TrimPrefix(line, "Listening on "))
}

// files are all below a folder that are not the databases' own; a platform makes the
// folder for exports after it has begun to serve.
func files(tb testing.TB, dir string) []string {
	tb.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if info, err := d.Info(); err == nil && !strings.Contains(path, ".db") && filepath.Base(path) != "exports" {
			list = append(list, fmt.Sprint(path, info.Mode(), info.Size()))
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestOnePlatformServesFromADataDir(t *testing.T) {
	t.Parallel()
	for name, place := range map[string]func(testing.TB) []string{
		"sqlite":   func(testing.TB) []string { return nil },
		"postgres": func(tb testing.TB) []string { return []string{"--database-url", dbtest.Postgres(tb).DSN} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "data")
			at := append(place(t), "--data-dir", data)
			first, base := mustServeAside(t, at...)
			before := files(t, data)

			out, err := program(t, append([]string{"serve", "--dev", "--listen-addr", "127.0.0.1:0"}, at...)...).CombinedOutput()
			want := fmt.Sprintf("DATA_DIR %s is in use by process %d;", data, first.Process.Pid)
			if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != 1 || !strings.Contains(string(out), want) {
				t.Fatalf("a second platform: %v, %s; want %q", err, out, want)
			}
			if diff := cmp.Diff(before, files(t, data)); diff != "" {
				t.Errorf("the refused platform changed files (-before +after):\n%s", diff)
			}
			link := mustRun(t, append([]string{"staff", "add", "--biller", "harbor", "--email", "o@harbor.example", "--role", "owner"}, at...)...).stdout
			if !strings.HasPrefix(link, "Sign in: "+base+"/sign-in/") {
				t.Errorf("a command beside the platform on %s printed %q", base, link)
			}
			mustRun(t, append([]string{"addon", "status"}, at...)...)

			if err := first.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = first.Wait() // killed
			next, base := mustServeAside(t, at...)
			if origin, err := os.ReadFile(filepath.Join(data, "origin")); err != nil || string(origin) != base+"\n" {
				t.Errorf("origin %q, %v; want %s", origin, err, base)
			}
			if err := next.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := next.Wait(); err != nil {
				t.Errorf("the end: %v", err)
			}
			if _, err := os.Stat(filepath.Join(data, "origin")); err == nil {
				t.Error("the origin stays when the platform has ended")
			}
		})
	}
}

func TestOfManyOneServes(t *testing.T) {
	t.Parallel()
	const racers = 16
	data := t.TempDir()
	locks := make(chan *server, racers)
	refused := make(chan error, racers)
	for range racers {
		go func() {
			s := &server{config: Config{DataDir: data, Dev: true}}
			if err := s.lockData(t.Context()); err != nil {
				refused <- err
				locks <- nil
				return
			}
			locks <- s
		}()
	}
	var won []*server
	for range racers {
		if s := <-locks; s != nil {
			won = append(won, s)
		}
	}
	if len(won) != 1 || len(refused) != racers-1 {
		t.Fatalf("%d hold the lock, %d were refused", len(won), len(refused))
	}
	won[0].close()
	again := &server{config: Config{DataDir: data, Dev: true}}
	if err := again.lockData(t.Context()); err != nil {
		t.Fatalf("after the end: %v", err)
	}
	again.close()
}

func TestNoPlatformNothingWritten(t *testing.T) {
	t.Parallel()
	live := []string{"serve", "--listen-addr", "127.0.0.1:0", "--smtp-url", "smtp://127.0.0.1:25", "--portal-base-url", "https://pay.example"}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"biller", "list"}, "there is no platform in "},
		{[]string{"staff", "add", "--biller", "b", "--email", "a@b.example", "--role", "owner"}, "there is no platform in "},
		{[]string{"addon", "list", "--biller", "b"}, "there is no platform in "},
		{[]string{"addon", "status"}, "there is no platform in "},
		{[]string{"addon", "upgrade", "hello"}, "there is no platform in "},
		{[]string{"audit", "verify"}, "there is no platform in "},
		{live, "BASE_URL is missing"},
		{append(live, "--base-url", "https://staff.example"), "there is no platform in "},
	} {
		dir := filepath.Join(t.TempDir(), "none")
		r := run(t, append(tt.args, "--data-dir", dir)...)
		if r.err == nil || !strings.Contains(r.err.Error(), tt.want) {
			t.Errorf("%v: %v, want %q", tt.args, r.err, tt.want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v made %v", tt.args, files(t, dir))
		}
	}
}

// TestNoSecretBesideForeignBooks opens books whose secret is elsewhere.
func TestNoSecretBesideForeignBooks(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	mustRun(t, "migrate", "--data-dir", data)
	if err := os.Rename(filepath.Join(data, "secret"), filepath.Join(data, "moved")); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"biller", "list"}, {"migrate"}, {"serve", "--dev", "--listen-addr", "127.0.0.1:0"}} {
		if r := run(t, append(args, "--data-dir", data)...); r.err == nil || !strings.Contains(r.err.Error(), "is missing; set SECRET_FILE") {
			t.Errorf("%v: %v", args, r.err)
		}
		if _, err := os.Stat(filepath.Join(data, "secret")); err == nil {
			t.Errorf("%v made another secret", args)
		}
	}
}
