package dbtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// Mortal is a PostgreSQL server of one test, which the test may kill, freeze and
// start again. It keeps what was committed, as a real one does. It listens on a
// port of this machine.
type Mortal struct {
	// Config is the administrator's, in an empty database.
	Config sqldb.Config

	tb       testing.TB
	commands io.WriteCloser
	done     *bufio.Reader
}

// It does what it is told on standard input, says when it has, and ends the server
// when that ends.
const mortalScript = `
bin=$1; dir=$2; port=$3
begin() {
	"$bin/postgres" -D "$dir/data" -k "$dir" -p "$port" -c listen_addresses=127.0.0.1 \
		-c fsync=off -c full_page_writes=off -c max_connections=200 -c shared_buffers=32MB -c timezone=UTC </dev/null >&2 &
	server=$!
}
begin
while read -r command; do
	case $command in
	start) begin ;;
	*) kill -"$command" $server; [ "$command" != QUIT ] || wait $server ;;
	esac
	echo done
done
kill -CONT $server; kill -QUIT $server
wait $server
rm -rf "$dir"
`

// MustMortal starts a server that ends with the test. Where PostgreSQL is not
// installed it skips the test, or fails it if CI is "true".
func MustMortal(tb testing.TB) *Mortal {
	tb.Helper()
	m, err := startMortal(tb)
	switch {
	case errors.Is(err, ErrNotInstalled) && os.Getenv("CI") != "true":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	return m
}

func startMortal(tb testing.TB) (*Mortal, error) {
	bin, err := binDir(tb.Context())
	if err != nil {
		return nil, err
	}
	owner, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir, err := initData(tb.Context(), bin, owner)
	if err != nil {
		return nil, err
	}
	const rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
	if err := os.WriteFile(filepath.Join(dir, "data", "pg_hba.conf"), []byte(rules), 0o600); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", mortalScript, "mortal", bin, dir, port)
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: owner, Setpgid: true}
	m := &Mortal{tb: tb}
	if m.commands, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	said, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	m.done = bufio.NewReader(said)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	tb.Cleanup(func() { _ = errors.Join(m.commands.Close(), cmd.Wait()) }) // a folder left in the temporary one hurts no test
	if m.Config, err = sqldb.Parse("postgres://postgres@127.0.0.1:" + port + "/postgres?sslmode=disable"); err != nil {
		return nil, err
	}
	return m, m.await()
}

// freePort is below those that systems give to whoever asks for any: nobody gets it
// by chance while the server is not there yet, or killed.
func freePort() (port string, err error) {
	for range 100 {
		port = strconv.Itoa(10_000 + rand.IntN(20_000))
		var l net.Listener
		if l, err = net.Listen("tcp", "127.0.0.1:"+port); err == nil {
			return port, l.Close()
		}
	}
	return "", err
}

// Kill ends the server at once, without a word to its clients, and returns when
// none of its processes answers any more.
func (m *Mortal) Kill() { m.tell("QUIT") }

// Freeze stops the server's postmaster: who connects gets no answer until Thaw.
func (m *Mortal) Freeze() { m.tell("STOP") }

// Thaw lets a frozen server go on.
func (m *Mortal) Thaw() { m.tell("CONT") }

// Start starts a server that was killed, and returns when it answers.
func (m *Mortal) Start() {
	m.tb.Helper()
	m.tell("start")
	if err := m.await(); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *Mortal) tell(command string) {
	m.tb.Helper()
	if _, err := fmt.Fprintln(m.commands, command); err != nil {
		m.tb.Fatal(err)
	}
	if _, err := m.done.ReadString('\n'); err != nil {
		m.tb.Fatal(err)
	}
}

func (m *Mortal) await() error {
	ctx, cancel := context.WithTimeout(m.tb.Context(), time.Minute)
	defer cancel()
	return (&Server{admin: m.Config}).await(ctx)
}
