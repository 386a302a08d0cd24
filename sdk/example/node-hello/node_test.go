// Package nodehello_test checks the add-on in Node from outside, as a process.
package nodehello_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sdktest"
	"github.com/billing-addons/customer-portal/sdk/wire"
)

// mustProgram installs what the add-on needs and returns a program that runs it.
func mustProgram(tb testing.TB) string {
	tb.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = exec.LookPath("npm")
	}
	switch {
	case err != nil && os.Getenv("CI") != "true":
		tb.Skipf("Node with npm is not installed: %v", err)
	case err != nil:
		tb.Fatal(err)
	}
	mustInstall(tb)
	main, err := filepath.Abs("main.js")
	if err != nil {
		tb.Fatal(err)
	}
	program := filepath.Join(tb.TempDir(), "node-hello")
	if err := os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\nexec '%s' '%s'\n", node, main), 0o700); err != nil {
		tb.Fatal(err)
	}
	return program
}

// mustInstall runs npm ci unless what the lock file says is there.
func mustInstall(tb testing.TB) {
	tb.Helper()
	lock, err := os.Stat("package-lock.json")
	if err != nil {
		tb.Fatal(err)
	}
	done, err := os.Stat(filepath.Join("node_modules", ".package-lock.json"))
	if err == nil && !done.ModTime().Before(lock.ModTime()) {
		return
	}
	cmd := exec.CommandContext(tb.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("npm ci: %v\n%s", err, out)
	}
}

func TestNodeAddon(t *testing.T) {
	t.Parallel()
	program := mustProgram(t)
	t.Run("greets", func(t *testing.T) { greets(t, program) })
	t.Run("conforms", func(t *testing.T) {
		sdktest.Conform(t, sdktest.Manifest(t, manifest.FileName), sdktest.Program(program))
	})
}

// greets calls the page over mutual TLS; the page calls the host back.
func greets(t *testing.T, program string) {
	host := sdktest.NewHost()
	host.AddBiller(sdk.Biller{ID: "b2", Name: "Smith & Sons <Ltd>"})
	i := sdktest.Process(t, program, sdktest.WithHost(host))
	i.Enable(sdktest.Northwind, "b2")
	tests := []struct {
		biller, method, path, want string
		status                     int
	}{
		{sdktest.Northwind, http.MethodGet, "/", "<h1>Hello, Northwind Utilities</h1>", http.StatusOK},
		{"b2", http.MethodGet, "/?a=b", "<h1>Hello, Smith &#38; Sons &#60;Ltd&#62;</h1>", http.StatusOK},
		{"b2", http.MethodPost, "/", "only be read", http.StatusMethodNotAllowed},
		{"b2", http.MethodGet, "/nothing", "no such page", http.StatusNotFound},
		{"unknown", http.MethodGet, "/", "does not answer", http.StatusServiceUnavailable},
	}
	for _, tt := range tests {
		res := i.Do(wire.Public, i.PublicCall(tt.biller), httptest.NewRequest(tt.method, tt.path, nil))
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != tt.status || !strings.Contains(string(body), tt.want) {
			t.Errorf("%s %s of %s: %d %s %v", tt.method, tt.path, tt.biller, res.StatusCode, body, err)
		}
	}
}
