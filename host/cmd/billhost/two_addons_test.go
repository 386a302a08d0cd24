package main

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// mustPublished builds the portal and the notice board, packs them with the
// author's tool and publishes both in a new signed marketplace.
func mustPublished(tb testing.TB) (dir, root string) {
	tb.Helper()
	work := tb.TempDir()
	do := func(name string, args ...string) {
		tb.Helper()
		cmd := exec.CommandContext(tb.Context(), name, args...)
		cmd.Dir = filepath.Join("..", "..", "..")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	mustRun(tb, "--data-dir", work, "marketplace", "init")
	do("go", "build", "-o", filepath.Join(work, "addon"), "./sdk/cmd/addon")
	for name, from := range map[string][2]string{
		"customer-portal": {"./plugin", "manifest.yaml"}, "notice-board": {"./sdk/example/notices", "sdk/example/notices/manifest.yaml"},
	} {
		program, packed := filepath.Join(work, name), filepath.Join(work, name+".addon")
		do("go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, from[0])
		do(filepath.Join(work, "addon"), "pack", "--manifest", from[1], "--binary", runtime.GOOS+"/"+runtime.GOARCH+"="+program,
			"--static", "sdk/web/look", "--out", packed)
		mustRun(tb, "--data-dir", work, "marketplace", "publish", packed)
	}
	dir = filepath.Join(work, "marketplace")
	return dir, filepath.Join(dir, "metadata", "1.root.json")
}

// status returns the status of a page.
func status(tb testing.TB, c *http.Client, url string) int {
	tb.Helper()
	res, err := c.Get(url)
	if err != nil {
		tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		tb.Fatal(err)
	}
	return res.StatusCode
}

// awaitStatus waits until a page has a status.
func awaitStatus(tb testing.TB, c *http.Client, url string, want int) {
	tb.Helper()
	last := 0
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if last = status(tb, c, url); last == want {
			return
		}
	}
	tb.Fatalf("%s: %d, want %d", url, last, want)
}

// TestTwoAddonsSideBySide offers the portal and the notice board in one signed
// marketplace; staff install both, both answer, and when one is removed the other
// stays. A first visit of the portal is measured on the way.
func TestTwoAddonsSideBySide(t *testing.T) {
	t.Parallel()
	dir, root := mustPublished(t)
	up := mustServe(t, "--data-dir", t.TempDir(), "--marketplace-url", dir, "--marketplace-root", root)
	staff := mustSignIn(t, up.link)
	market := mustGet(t, staff, up.base+"/admin/marketplace")
	for _, name := range []string{"Customer Portal", "Notice Board"} {
		if !strings.Contains(market, name) {
			t.Errorf("the marketplace does not offer %s:\n%s", name, market)
		}
	}
	portal, board := up.base+"/portal/northwind/sign-in", up.base+"/notices/northwind/"
	for _, id := range []string{"customer-portal", "notice-board"} {
		mustAgree(t, staff, up.base+"/admin/marketplace/"+id)
	}
	visitor := &http.Client{}
	awaitStatus(t, visitor, portal, http.StatusOK)
	awaitStatus(t, visitor, board, http.StatusOK)
	for id, word := range map[string]string{"customer-portal": "Customer Portal", "notice-board": "notice"} {
		if page := mustGet(t, staff, up.base+"/admin/addons/"+id+"/"); !strings.Contains(page, word) {
			t.Errorf("staff page of %s:\n%s", id, page)
		}
	}
	checkFirstVisit(t, portal)
	checkFirstVisit(t, board)

	res, err := staff.PostForm(up.base+"/admin/marketplace/notice-board/remove", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("remove: %s, %v", res.Status, err)
	}
	awaitStatus(t, visitor, board, http.StatusServiceUnavailable)
	if got := status(t, visitor, portal); got != http.StatusOK {
		t.Errorf("the portal, beside an add-on that was removed: %d", got)
	}
	if got := status(t, visitor, up.base+"/healthz"); got != http.StatusOK {
		t.Errorf("health: %d", got)
	}
}

var versionField = regexp.MustCompile(`name="version" value="([^"]+)"`)

// mustAgree installs what the page of an add-on asks consent for.
func mustAgree(tb testing.TB, staff *http.Client, page string) {
	tb.Helper()
	m := versionField.FindStringSubmatch(mustGet(tb, staff, page+"/install"))
	if m == nil {
		tb.Fatalf("no version on %s", page)
	}
	res, err := staff.PostForm(page+"/install", url.Values{"version": {m[1]}})
	if err != nil {
		tb.Fatal(err)
	}
	if err := res.Body.Close(); err != nil || res.StatusCode >= 400 {
		tb.Fatalf("install %s: %s, %v", page, res.Status, err)
	}
}

var sources = regexp.MustCompile(`(?:src|href)="([^"]+\.(?:css|js|png|svg|ico|woff2|webp|jpg))"`)

// checkFirstVisit counts what a browser without a cache loads: at most 4 requests
// and 30 KB, and no script.
func checkFirstVisit(tb testing.TB, page string) {
	tb.Helper()
	at, err := url.Parse(page)
	if err != nil {
		tb.Fatal(err)
	}
	body, bytes := load(tb, page)
	requests := 1
	seen := map[string]bool{}
	for _, m := range sources.FindAllStringSubmatch(body, -1) {
		ref, err := at.Parse(m[1])
		if err != nil || ref.Host != at.Host {
			tb.Errorf("%s loads %s, %v", page, m[1], err)
			continue
		}
		if seen[ref.String()] {
			continue
		}
		seen[ref.String()] = true
		_, n := load(tb, ref.String())
		requests, bytes = requests+1, bytes+n
	}
	tb.Logf("first visit of %s: %d requests, %d bytes", at.Path, requests, bytes)
	if requests > 4 || bytes > 30<<10 || len(seen) == 0 || strings.Contains(body, "<script") {
		tb.Errorf("first visit of %s: %d requests, %d bytes, script: %t", at.Path, requests, bytes, strings.Contains(body, "<script"))
	}
}

// load returns the text of what a browser asks for, and the bytes that travel.
func load(tb testing.TB, url string) (text string, travelled int) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, url, nil)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip, deflate, br, zstd") // then nothing is unpacked here
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }() // read whole below
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s, %v", url, res.Status, err)
	}
	plain := raw
	if res.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(strings.NewReader(string(raw)))
		if err != nil {
			tb.Fatal(err)
		}
		if plain, err = io.ReadAll(z); err != nil {
			tb.Fatal(err)
		}
	} else if kind := res.Header.Get("Content-Type"); strings.Contains(kind, "css") || strings.Contains(kind, "javascript") {
		tb.Errorf("%s comes uncompressed", url)
	}
	return string(plain), len(raw) + len(fmt.Sprint(res.Header))
}
