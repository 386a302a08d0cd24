package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

const hostEnv = "SUPERVISOR_TEST_HOST"

// TestMain runs the tests, or this same binary as an add-on or as a host. An
// add-on's environment is empty, so the file "mode" of its package says how it
// behaves.
func TestMain(m *testing.M) {
	shake := wire.Handshake()
	switch {
	case os.Getenv(shake.MagicCookieKey) == shake.MagicCookieValue:
		mode, err := os.ReadFile("mode")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		runAddon(string(mode))
	case os.Getenv(greedyHostEnv) != "":
		runGreedyHost(os.Getenv(greedyHostEnv))
	case os.Getenv(escapeHostEnv) != "":
		runEscapeHost(os.Getenv(escapeHostEnv))
	case os.Getenv(hostEnv) != "":
		runHost(os.Getenv(hostEnv))
	default:
		os.Exit(m.Run())
	}
}

func runAddon(mode string) {
	if strings.HasPrefix(mode, "notes its process") {
		if err := note("process " + strconv.Itoa(os.Getpid())); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	a := sdk.Addon{ID: "test-addon", Version: "1.0.0"}
	parts := sdk.Parts{Invite: behaviour{}}
	misbehaveAtStart(mode)
	switch mode {
	case "neighbour":
		a.ID = mode
	case "prints first":
		fmt.Println("Hello, I am starting.")
	case "hangs":
		signal.Ignore(syscall.SIGTERM)
		select {}
	case "lies":
		a.Version = "9.9.9"
	case "lies slowly":
		a.Version = "9.9.9"
		for !told("go on") {
			time.Sleep(time.Millisecond)
		}
	case "offers nothing":
		parts = sdk.Parts{}
	case "dies at once":
		fmt.Fprintln(os.Stderr, "cannot find my config")
		os.Exit(4)
	}
	a.Start = func(_ context.Context, env sdk.Env) (sdk.Parts, error) {
		if mode == "start hangs" {
			select {}
		}
		if strings.HasSuffix(mode, "start fails") {
			return sdk.Parts{}, errors.New("the schema is too new")
		}
		if mode == "checks its environment" && (len(env.Key) != 32 || env.Database.DSN != "file") {
			return sdk.Parts{}, fmt.Errorf("environment is %+v", env)
		}
		parts.Billers = billers{env.Host}
		return parts, nil
	}
	serve.Main(a)
}

// behaviour is an Inviter whose Link does what the test says.
type behaviour struct{ sdk.Inviter }

func (behaviour) Link(ctx context.Context, what string) (string, error) {
	switch what {
	case "environment":
		return strings.Join(os.Environ(), "\n"), nil
	case "crash":
		fmt.Fprintln(os.NewFile(2, "stderr"), "my last words")
		os.Exit(7)
	case "panic":
		go panic("on the loose")
		select {}
	case "bad log line":
		fmt.Fprintln(os.Stderr, `{"@level":"info","@message":42}`)
		fmt.Fprintln(os.Stderr, `{"@level":7,"@message":"x","@timestamp":[]}`)
		fmt.Fprintln(os.Stderr, `{"@level":"error","@message":"a good one","n":1,"addon":"another"}`)
		fmt.Fprintln(os.Stderr, strings.Repeat("x", 300_000))
		fmt.Println("a print")
	case "grandchild":
		child := exec.Command("/bin/sleep", "1000")
		child.Stderr = os.NewFile(2, "stderr")
		if err := child.Start(); err != nil {
			return "", err
		}
		return strconv.Itoa(child.Process.Pid), nil
	case "endless":
		if err := note(what); err != nil {
			return "", err
		}
		<-ctx.Done()
	case "slow", "large":
		if err := note(what); err != nil {
			return "", err
		}
		select {
		case <-time.After(300 * time.Millisecond):
		case <-ctx.Done():
		}
		if what == "large" {
			return strings.Repeat("x", wire.MaxMessage-100), ctx.Err()
		}
	default:
		return misbehave(what)
	}
	return "done", ctx.Err()
}

// billers remembers in a file who may use the add-on.
type billers struct{ host sdk.Host }

func (b billers) Enable(ctx context.Context) error {
	found, err := b.host.Billers.Biller(ctx)
	if err != nil {
		return err
	}
	return note("enable " + sdk.CallFrom(ctx).BillerID + " " + found.Name)
}

func (b billers) Disable(ctx context.Context) error {
	return note("disable " + sdk.CallFrom(ctx).BillerID)
}

func (b billers) Purge(ctx context.Context) error { return nil }

// told tells whether a file with this name is beside the package's folder.
func told(word string) bool {
	dir, err := os.Getwd()
	if err != nil {
		return false
	}
	_, err = os.Stat(dir + "." + word)
	return err == nil
}

// note appends to a file beside the package's folder.
func note(line string) error {
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(dir+".notes", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, line); err != nil {
		return err
	}
	return f.Close()
}
