package sdktest_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/serve"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// modeEnv says how this test binary misbehaves as an add-on.
const modeEnv = "SDKTEST_MODE"

// TestMain runs the tests, or this same binary as an add-on.
func TestMain(m *testing.M) {
	if mode := os.Getenv(modeEnv); mode != "" {
		runBroken(mode)
		return
	}
	os.Exit(m.Run())
}

// runBroken is the program of the add-on, spoilt as mode says.
func runBroken(mode string) {
	b := broken{}
	cookie := wire.Handshake()
	switch mode {
	case "says nothing":
		if os.Getenv(cookie.MagicCookieKey) == "" {
			os.Exit(1)
		}
	case "waits for a host":
		if os.Getenv(cookie.MagicCookieKey) == "" {
			stuck()
		}
	case "outlives its host":
		if err := os.Unsetenv(wire.LifelineEnv); err != nil {
			os.Exit(1)
		}
	case "prints":
		out, err := syscall.Dup(1)
		if err != nil {
			os.Exit(1)
		}
		stdout := os.NewFile(uintptr(out), "stdout")
		b.hook = func(what string) error { _, err := fmt.Fprintln(stdout, what); return err }
	case "leaves a child":
		b.start = func(sdk.Env) error { return exec.Command("/bin/sleep", "1000").Start() }
	case "fails at the end":
		defer os.Exit(7)
	case "stays":
		defer stuck()
	case "leaves its socket":
		b.close = func() error { os.Exit(0); return nil }
	}
	serve.Main(b.build())
}

func TestKitFindsWhatIsBrokenInAProcess(t *testing.T) {
	t.Parallel()
	tests := []struct{ mode, check, want string }{
		{"says nothing", "explains itself to a person", "says nothing on stderr"},
		{"waits for a host", "explains itself to a person", "does not end within"},
		{"outlives its host", "ends with its host", "takes longer than"},
		{"prints", "prints nothing but the handshake", `prints "enable`},
		{"leaves a child", "ends when it is asked to", "left processes behind"},
		{"fails at the end", "ends when it is asked to", "exit status 7"},
		{"stays", "ends when it is asked to", "did not end by itself"},
		{"leaves its socket", "ends when it is asked to", "left its socket behind"},
	}
	for _, tt := range tests {
		t.Run(tt.mode, func(t *testing.T) {
			t.Parallel()
			err := sdktest.Check(t, tt.check, brokenManifest(t), sdktest.Program(mustWrap(t, tt.mode)))
			wants(t, err, tt.want)
		})
	}
}

// mustWrap makes a program that runs this test binary in a mode.
func mustWrap(tb testing.TB, mode string) string {
	tb.Helper()
	self, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	script := filepath.Join(tb.TempDir(), "addon")
	text := fmt.Sprintf("#!/bin/sh\nGORACE=atexit_sleep_ms=0 %s='%s' exec '%s'\n", modeEnv, mode, self)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		tb.Fatal(err)
	}
	return script
}
