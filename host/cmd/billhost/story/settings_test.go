package story_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// mustOfferNotices packs the notice board as its README says and returns a copy of
// the marketplace that offers it too.
func mustOfferNotices(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	market, keys := filepath.Join(dir, "marketplace"), filepath.Join(filepath.Dir(built.market), "keys")
	if err := os.CopyFS(market, os.DirFS(built.market)); err != nil {
		tb.Fatal(err)
	}
	program, packed := filepath.Join(dir, "notices"), filepath.Join(dir, "notice-board.addon")
	for _, step := range [][]string{
		{"go", "build", "-trimpath", "-o", program, "."},
		{"go", "run", "../../cmd/addon", "pack", "--binary", runtime.GOOS + "/" + runtime.GOARCH + "=" + program,
			"--static", "../../web/look", "--include", "README.md", "--out", packed},
		{built.billhost, "marketplace", "publish", packed, "--dir", market, "--keys", keys, "--data-dir", dir},
	} {
		cmd := exec.CommandContext(tb.Context(), step[0], step[1:]...)
		cmd.Dir = filepath.Join(built.root, "sdk", "example", "notices")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("%v: %v\n%s", step, err, out)
		}
	}
	return market
}

// retype replaces what a field holds.
func (p *person) retype(id, text string) {
	p.tb.Helper()
	p.do(chromedp.Clear(chromedp.CSS("#"+id)), chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// installed waits until an installation leads to the add-on: its page looks again
// by itself.
func (p *person) installed() {
	p.tb.Helper()
	for deadline := time.Now().Add(patience); strings.HasSuffix(p.location(), "/installing"); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.tb.Fatalf("still installing\n%s", p.text())
		}
	}
}

// Staff set up an installed add-on in a browser, with every kind of control.
func TestSettingsForm(t *testing.T) {
	t.Parallel()
	host := mustStartFrom(t, mustOfferNotices(t), "sqlite")
	p := mustPerson(t, true)
	p.visit(host.SignIn)
	p.press("Sign in")
	p.visit(host.URL + "/admin/marketplace/notice-board/install")
	p.press("Agree and install")
	p.installed()
	p.visit(host.URL + "/admin/marketplace/notice-board")
	p.press("Settings")
	p.heading("Settings of Notice Board")
	p.look("settings")

	p.retype("setting-heading", "News of Northwind")
	p.retype("setting-shown", "many")
	p.retype("setting-feed_token", "short")
	p.do(chromedp.SendKeys(chromedp.CSS("#setting-refused_words"), "free\nfor sale"))
	p.press("Save")
	p.sees("Notices at once must be a whole number.")
	p.look("settings-wrong")

	p.retype("setting-shown", "5")
	p.retype("setting-feed_token", "short")
	p.press("Save")
	p.sees("Use 16 characters or more")
	p.retype("setting-feed_token", "0123456789abcdef")
	p.press("Save")
	p.sees("The settings are saved.")
	p.look("settings-saved")

}
