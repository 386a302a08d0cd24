package dbtest_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/billing-addons/customer-portal/sdk/sqldb"
	"github.com/billing-addons/customer-portal/sdk/sqldb/dbtest"
)

func notes() []sqldb.Migrations {
	up := &fstest.MapFile{Data: []byte("-- +goose Up\nCREATE TABLE notes (text TEXT);\n")}
	return []sqldb.Migrations{{Name: "notes", Program: 1, Files: fstest.MapFS{"sqlite/1_notes.sql": up, "postgres/1_notes.sql": up}}}
}

func TestEachTestHasItsOwnDatabase(t *testing.T) {
	t.Parallel()
	for range 3 {
		dbtest.Run(t, notes(), func(t *testing.T, db *sqldb.DB) {
			if _, err := db.W.Exec(`INSERT INTO notes (text) VALUES ($1)`, "x"); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := db.R.Get(&n, `SELECT COUNT(*) FROM notes`); err != nil || n != 1 {
				t.Errorf("%d rows, %v; want the one of this test", n, err)
			}
		})
	}
}

const crashEnv = "DBTEST_CRASH"

// A test binary that dies takes its server and the server's files with it.
func TestServerDiesWithItsProcess(t *testing.T) {
	if os.Getenv(crashEnv) != "" {
		cfg := dbtest.Postgres(t)
		dbtest.MustOpen(t, cfg)
		os.Stdout.WriteString("DSN " + cfg.DSN + "\n")
		if err := crash(); err != nil {
			t.Fatal(err)
		}
	}
	t.Parallel()
	dbtest.MustServer(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestServerDiesWithItsProcess$")
	cmd.Env = append(os.Environ(), crashEnv+"=1", dbtest.EnvDSN+"=")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Fatalf("the process survived its crash:\n%s", out)
	}
	_, dsn, ok := strings.Cut(string(out), "DSN host='")
	dir, _, _ := strings.Cut(dsn, "'")
	if !ok {
		t.Fatalf("no address in the output:\n%s", out)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server's folder %s is still there", dir)
		}
	}
}

func crash() error {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		return err
	}
	if err := self.Kill(); err != nil {
		return err
	}
	select {}
}

func TestTestpg(t *testing.T) {
	t.Parallel()
	dbtest.MustServer(t)
	bin := t.TempDir() + "/testpg"
	if out, err := exec.Command("go", "build", "-o", bin, "./testpg").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tests := []struct {
		name string
		args []string
		code int
		out  string
	}{
		{"passes the address and the code on", []string{"--", "sh", "-c", "echo $TEST_POSTGRES_DSN; exit 3"}, 3, "host="},
		{"succeeds", []string{"true"}, 0, ""},
		{"no such command", []string{"--", "/no/such/program"}, 1, "no such file"},
		{"no command", []string{"--"}, 2, "usage"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(bin, tt.args...)
			cmd.Env = append(os.Environ(), dbtest.EnvDSN+"=")
			out, _ := cmd.CombinedOutput() // the code is checked below
			if got := cmd.ProcessState.ExitCode(); got != tt.code || !strings.Contains(string(out), tt.out) {
				t.Errorf("exit code %d, want %d; output %q, want %q in it", got, tt.code, out, tt.out)
			}
		})
	}
}
