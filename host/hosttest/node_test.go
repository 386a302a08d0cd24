package hosttest_test

import (
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/host"
	"github.com/billing-addons/customer-portal/host/hosttest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// mustNodePackage packs the example in Node, with what npm installs for it: its
// program is a script.
func mustNodePackage(tb *testing.T) string {
	tb.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("CI") == "true" {
				tb.Fatal(err)
			}
			tb.Skipf("needs Node with npm: %v", err)
		}
	}
	sdk, temp := filepath.Join("..", "..", "sdk"), tb.TempDir()
	source := filepath.Join(sdk, "example", "node-hello")
	files := map[string]string{
		"manifest.yaml": filepath.Join(source, "manifest.yaml"),
		pack.BinaryPath(runtime.GOOS + "/" + runtime.GOARCH): filepath.Join(temp, "addon"),
	}
	mustDo(tb, os.WriteFile(files[pack.BinaryPath(runtime.GOOS+"/"+runtime.GOARCH)], []byte("#!/bin/sh\nexec node example/node-hello/main.js\n"), 0o700))
	installed := filepath.Join(temp, "installed")
	mustDo(tb, os.Mkdir(installed, 0o700))
	for _, name := range []string{"package.json", "package-lock.json"} {
		data, err := os.ReadFile(filepath.Join(source, name))
		mustDo(tb, err)
		mustDo(tb, os.WriteFile(filepath.Join(installed, name), data, 0o600))
	}
	npm := exec.CommandContext(tb.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline")
	npm.Dir = installed
	if out, err := npm.CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatalf("npm ci: %v\n%s", err, out)
		}
		tb.Skipf("needs what npm installs: %v\n%s", err, out)
	}
	for _, part := range []struct{ from, to string }{
		{installed, "example/node-hello"}, {filepath.Join(source, "proto"), "example/node-hello/proto"}, {filepath.Join(sdk, "proto"), "proto"},
	} {
		err := filepath.WalkDir(part.from, func(file string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			rel, err := filepath.Rel(part.from, file)
			files[part.to+"/"+filepath.ToSlash(rel)] = file
			return err
		})
		mustDo(tb, err)
	}
	for _, name := range []string{"main.js", "goplugin.js"} {
		files["example/node-hello/"+name] = filepath.Join(source, name)
	}
	dir := tb.TempDir()
	out, err := os.Create(filepath.Join(dir, "node-hello"+pack.Extension))
	mustDo(tb, err)
	mustDo(tb, pack.Write(out, pack.Source{Files: files}))
	mustDo(tb, out.Close())
	return dir
}

// TestNodeFromTheMarketplace installs an add-on whose program is a script and lets
// it greet.
func TestNodeFromTheMarketplace(t *testing.T) {
	t.Parallel()
	dir := mustNodePackage(t)
	h := hosttest.MustHost(t, func(c *host.Config, _ *hosttest.Platform) { c.Packages = dir })
	if got := h.Get("/admin/marketplace"); got.Status != http.StatusOK || !strings.Contains(got.Body, "Hello from Node") {
		t.Fatalf("marketplace: %d %.500s", got.Status, got.Body)
	}
	h.MustInstall("node-hello")
	if got := h.Get("/node-hello/northwind/"); got.Status != http.StatusOK || !strings.Contains(got.Body, "northwind Pool Service") {
		t.Errorf("page: %d %.500s", got.Status, got.Body)
	}
}
