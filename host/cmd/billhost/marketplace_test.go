package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

// mustPackage writes a package of the add-on hello.
func mustPackage(tb testing.TB, version, program string) string {
	tb.Helper()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	text := "id: hello\nname: Hello there\nversion: " + version + `
summary: Says hello.
publisher: Acme
icon: people
host: ">=1.0.0 <2.0.0"
capabilities: [invite]
platforms: [` + platform + "]\n"
	path := filepath.Join(tb.TempDir(), "hello.addon")
	file, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	err = pack.Write(file, pack.Source{Dir: fstest.MapFS{
		"manifest.yaml":           {Data: []byte(text)},
		pack.BinaryPath(platform): {Data: []byte(program), Mode: 0o755},
	}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := file.Close(); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestMarketplaceCommands(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	do := func(args ...string) string {
		return mustRun(t, append([]string{"--data-dir", data, "marketplace"}, args...)...).stdout
	}
	wants := func(got string, texts ...string) {
		t.Helper()
		for _, text := range texts {
			if !strings.Contains(got, text) {
				t.Errorf("printed %q, want %q in it", got, text)
			}
		}
	}
	root := filepath.Join(data, "marketplace", "metadata", "1.root.json")
	wants(do("init", "--threshold", "root=2", "--number", "root=3"), "Made a marketplace in "+filepath.Join(data, "marketplace"), "MARKETPLACE_ROOT="+root)
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: %v, %v", info.Mode(), err)
	}
	if keys, err := filepath.Glob(filepath.Join(data, "marketplace-keys", "root-*.pem")); err != nil || len(keys) != 3 {
		t.Errorf("keys = %v, %v", keys, err)
	}
	file := mustPackage(t, "1.0.0", "x")
	wants(do("publish", file), "Published hello 1.0.0\n")
	wants(do("publish", file), "hello 1.0.0 is published already\n")
	other := mustPackage(t, "1.0.0", "y")
	r := run(t, "--data-dir", data, "marketplace", "publish", other)
	if r.err == nil || !strings.Contains(r.err.Error(), "hello 1.0.0 is published with other content") {
		t.Errorf("publish other content: %v", r.err)
	}
	wants(do("publish", "--replace", other), "Published hello 1.0.0\n")
	wants(do("publish", mustPackage(t, "2.0.0", "x")), "Published hello 2.0.0\n")
	wants(do("withdraw", "hello", "1.0.0"), "Withdrew hello 1.0.0\n")
	wants(do("rotate-key", "targets"), "The role targets has new keys\n")
	wants(do("refresh"), "root", "targets", "snapshot", "timestamp", "valid until 20")
	wants(do("verify"), "Everything is as it was signed.\n", "valid until 20")
	wants(do("list"), "hello\t2.0.0\toffered\t", "hello\t1.0.0\twithdrawn\t")
	var list []listed
	if err := json.Unmarshal([]byte(do("list", "--json")), &list); err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 || list[0].State != "offered" || len(list[0].Digest) != 64 || list[0].Size == 0 || list[1].Version != "1.0.0" || list[1].State != "withdrawn" {
		t.Errorf("list = %+v", list)
	}
}

func TestMarketplaceElsewhere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := []string{"--data-dir", filepath.Join(dir, "data"), "--dir", filepath.Join(dir, "m"), "--keys", filepath.Join(dir, "k")}
	for _, args := range [][]string{{"init"}, {"publish", mustPackage(t, "1.0.0", "x")}, {"verify"}} {
		mustRun(t, append(append([]string{"marketplace"}, args...), at...)...)
	}
	if _, err := os.Stat(filepath.Join(dir, "m", "metadata", "timestamp.json")); err != nil {
		t.Error(err)
	}
}

// TestServeFromAMarketplace offers staff what a signed marketplace offers, in a
// folder and behind a web server, and says why when it is not what was signed.
func TestServeFromAMarketplace(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	mustRun(t, "--data-dir", data, "marketplace", "init")
	mustRun(t, "--data-dir", data, "marketplace", "publish", mustPackage(t, "1.0.0", "x"))
	dir := filepath.Join(data, "marketplace")
	site := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(site.Close)
	root := []string{"--marketplace-root", filepath.Join(dir, "metadata", "1.root.json")}
	for _, url := range []string{dir, site.URL} {
		host := t.TempDir()
		up := mustServe(t, append(root, "--data-dir", host, "--marketplace-url", url)...)
		page := mustGet(t, mustSignIn(t, up.link), up.base+"/admin/marketplace")
		if !strings.Contains(page, "Hello there") {
			t.Errorf("%s: the marketplace does not offer it:\n%s", url, page)
		}
		if kept, err := filepath.Glob(filepath.Join(host, "host", "marketplace", "*", "trusted.json")); err != nil || len(kept) != 1 {
			t.Errorf("kept = %v, %v", kept, err)
		}
	}
	other := t.TempDir()
	mustRun(t, "--data-dir", other, "marketplace", "init")
	r := run(t, "serve", "--dev", "--listen-addr", "127.0.0.1:0", "--data-dir", other, "--marketplace-url", dir,
		"--marketplace-root", filepath.Join(other, "marketplace", "metadata", "1.root.json"))
	if want := "The marketplace is refused: timestamp.json is not signed by enough of the keys this host trusts.: " + dir; r.err == nil || !strings.Contains(r.err.Error(), want) {
		t.Errorf("another marketplace's root: %v, want %q", r.err, want)
	}
}

func TestMarketplaceSettings(t *testing.T) {
	t.Parallel()
	live := []string{"--smtp-url", "smtp://m", "--base-url", "https://a.example", "--portal-base-url", "https://b.example"}
	for want, args := range map[string][]string{
		"MARKETPLACE_URL and MARKETPLACE_ROOT belong together; set both or none":             {"--dev", "--marketplace-url", "x"},
		"MARKETPLACE_URL and PACKAGES_DIR are both set; keep one":                            {"--dev", "--marketplace-url", "x", "--marketplace-root", "y", "--packages", t.TempDir()},
		"MARKETPLACE_URL must be a folder or begin with https:// outside --dev":              append([]string{"--marketplace-url", "http://x", "--marketplace-root", "y"}, live...),
		"MARKETPLACE_URL and MARKETPLACE_ROOT: read the marketplace's root: open /nowhere: ": {"--dev", "--listen-addr", "127.0.0.1:0", "--marketplace-url", "x", "--marketplace-root", "/nowhere"},
	} {
		r := run(t, append([]string{"serve", "--data-dir", t.TempDir()}, args...)...)
		if r.err == nil || !strings.Contains(r.err.Error(), want) {
			t.Errorf("error %v, want %q", r.err, want)
		}
	}
	r := run(t, "--data-dir", t.TempDir(), "marketplace", "list")
	if r.err == nil || !strings.Contains(r.err.Error(), "billhost marketplace init makes one") {
		t.Errorf("no marketplace: %v", r.err)
	}
	if r := run(t, "marketplace", "rotate-key", "boss"); r.err == nil || !strings.Contains(r.err.Error(), "must be one of") {
		t.Errorf("no role: %v", r.err)
	}
}
