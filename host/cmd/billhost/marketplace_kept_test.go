package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommandsUseTheMarketplaceOfThePlatform tells only the platform where add-ons
// come from.
func TestCommandsUseTheMarketplaceOfThePlatform(t *testing.T) {
	t.Parallel()
	work := t.TempDir()
	mustRun(t, "--data-dir", work, "marketplace", "init")
	mustRun(t, "--data-dir", work, "marketplace", "publish", mustPackage(t, "1.0.0", "x"))
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	market, err := filepath.Rel(here, filepath.Join(work, "marketplace"))
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(t.TempDir(), "data")
	root := filepath.Join(market, "metadata", "1.root.json")
	up := mustServe(t, "--data-dir", data, "--marketplace-url", market, "--marketplace-root", root)
	approve := []string{"addon", "approve", "hello", "--data-dir", data}
	for range 2 {
		if r := mustRun(t, approve...); r.stdout != "Billers may install hello\n" || r.stderr != "" {
			t.Errorf("approve: %q, %q", r.stdout, r.stderr)
		}
		if err := up.stop(); err != nil { // what is on offer is known when nothing serves, too
			t.Fatal(err)
		}
	}
	if r := run(t, append(approve, "--packages", t.TempDir())...); r.err == nil || !strings.Contains(r.err.Error(), "does not offer hello") {
		t.Errorf("a command that was told: %v", r.err)
	}
	packages := t.TempDir()
	if err := os.Rename(mustPackage(t, "1.0.0", "x"), filepath.Join(packages, "hello.addon")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		from []string
		want string
	}{{[]string{"--packages", packages}, ""}, {nil, "MARKETPLACE_URL is not set, neither here nor for the platform that serves"}} {
		if err := mustServe(t, append(tt.from, "--data-dir", data)...).stop(); err != nil {
			t.Fatal(err)
		}
		r := run(t, approve...)
		if (r.err == nil) != (tt.want == "") || r.err != nil && !strings.Contains(r.err.Error(), tt.want) {
			t.Errorf("after %v: %v", tt.from, r.err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, "addons-from.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := run(t, approve...); r.err == nil || !strings.Contains(r.err.Error(), "recall marketplace: read "+data) {
		t.Errorf("a broken file: %v", r.err)
	}
}

func TestHelpShowsWhatACommandTakesFirst(t *testing.T) {
	t.Parallel()
	upgrade := mustRun(t, "addon", "upgrade", "--help").stdout
	if strings.Contains(upgrade, "--smtp-url") || !strings.Contains(upgrade, "--data-dir") || !strings.Contains(upgrade, "billhost serve --help") ||
		strings.Index(upgrade, "--wait") > strings.Index(upgrade, "--data-dir") {
		t.Errorf("addon upgrade --help:\n%s", upgrade)
	}
	if serve := mustRun(t, "serve", "--help").stdout; !strings.Contains(serve, "--smtp-url") {
		t.Errorf("serve --help:\n%s", serve)
	}
}

func TestNoIconIsNoPage(t *testing.T) {
	t.Parallel()
	up := mustServe(t, "--data-dir", t.TempDir())
	res, err := http.Get(up.base + "/favicon.ico")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent || res.Header.Get("Cache-Control") == "" {
		t.Errorf("/favicon.ico: %s, %v", res.Status, res.Header)
	}
}
