package dbtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// ErrNotInstalled means this machine has no PostgreSQL server programs.
var ErrNotInstalled = errors.New("PostgreSQL is not installed (apt-get install postgresql, or put its pg_config on PATH)")

// EnvDSN names the environment variable with the address of a running server's
// administrator. Tests use that server in place of one of their own; it must ask
// other roles for a password.
const EnvDSN = "TEST_POSTGRES_DSN"

// Server is a throw-away PostgreSQL server on a private socket. It keeps nothing
// safe from a crash, and stops when this process ends, however it ends.
type Server struct {
	admin    sqldb.Config
	lifeline io.Closer
	guard    *exec.Cmd
}

// The guard runs the server until its standard input, held open by the test process, ends.
const guardScript = `
bin=$1; dir=$2
"$bin/postgres" -D "$dir/data" -k "$dir" \
	-c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
	-c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 \
	-c max_connections=600 -c shared_buffers=64MB -c timezone=UTC </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$dir"
`

// Only the administrator needs no password, so that tests see roles as production does.
const accessRules = `
local all postgres trust
local all all scram-sha-256
`

// Start starts a server, which takes about a second, or adopts the one that
// TEST_POSTGRES_DSN names. It fails with ErrNotInstalled where there is none to start.
func Start(ctx context.Context) (*Server, error) {
	if dsn := os.Getenv(EnvDSN); dsn != "" {
		admin, err := sqldb.Parse(dsn)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", EnvDSN, err)
		}
		return &Server{admin: admin}, nil
	}
	bin, err := binDir(ctx)
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := initData(ctx, bin, owner)
	if err != nil {
		return nil, err
	}
	s, err := startGuard(bin, dir, owner)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := s.await(ctx); err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log")) // without a log the error itself must do
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, log), s.Stop())
	}
	return s, nil
}

// DSN returns the administrator's address, fit for TEST_POSTGRES_DSN.
func (s *Server) DSN() string { return s.admin.DSN }

// Stop stops the server and removes its files. A server adopted from
// TEST_POSTGRES_DSN goes on.
func (s *Server) Stop() error {
	if s.guard == nil {
		return nil
	}
	if err := s.lifeline.Close(); err != nil {
		return err
	}
	return s.guard.Wait()
}

func binDir(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output()
	bin := strings.TrimSpace(string(out))
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
		if len(found) == 0 {
			return "", ErrNotInstalled
		}
		bin = found[len(found)-1]
	}
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
			return "", ErrNotInstalled
		}
	}
	return bin, nil
}

// unprivileged returns the user to run the server as, nil for the current one:
// PostgreSQL refuses root.
func unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, err
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody")
}

func initData(ctx context.Context, bin string, owner *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp("", "pg") // a socket's path must stay short
	if err != nil {
		return "", err
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", errors.Join(err, os.RemoveAll(dir))
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", filepath.Join(dir, "data"),
		"-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner}
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("initdb: %w\n%s", err, out), os.RemoveAll(dir))
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte(accessRules), 0o600); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

func startGuard(bin, dir string, owner *syscall.Credential) (*Server, error) {
	admin, err := sqldb.Parse("host=" + dir + " user=postgres dbname=postgres sslmode=disable")
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the guard has its own
	guard := exec.Command("/bin/sh", "-c", guardScript, "guard", bin, dir)
	guard.Dir = dir
	guard.Stdout, guard.Stderr = log, log
	// A group of its own, so that Ctrl-C reaches the tests first.
	guard.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true}
	lifeline, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	return &Server{admin: admin, lifeline: lifeline, guard: guard}, nil
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		db, err := sqldb.Open(ctx, s.admin)
		if err == nil {
			return db.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not start: %w", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
