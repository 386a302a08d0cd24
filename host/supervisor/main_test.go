package supervisor_test

import (
	"context"
	"fmt"
	"os"
	"testing"
)

// runHost is a host for TestAddonDiesWithItsHost.
func runHost(dir string) {
	tb := &mainTB{}
	if fault := os.Getenv(faultEnv); fault != "" {
		runInterrupted(tb, dir, fault)
	}
	w := mustWorldIn(tb, dir, "")
	w.mustEnsure(tb)
	fmt.Println(w.status().PID)
	select {}
}

// mainTB lets helpers run outside a test.
type mainTB struct{ testing.TB }

func (mainTB) Helper()                  {}
func (mainTB) Cleanup(func())           {}
func (mainTB) Name() string             { return "host" }
func (mainTB) Context() context.Context { return context.Background() }
func (mainTB) Fatal(args ...any)        { fmt.Fprintln(os.Stderr, args...); os.Exit(1) }
func (mainTB) Fatalf(f string, args ...any) {
	fmt.Fprintf(os.Stderr, f+"\n", args...)
	os.Exit(1)
}
