// Package story drives the product as people do: the built programs as real
// processes, a real browser, a real SMTP server and both databases.
package story_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// shots is where screenshots of every page go; empty takes none.
var shots = flag.String("shots", "", "folder for a screenshot of every page the story opens, at 390 and 1280 px, light and dark")

// programs are the binaries under test, built once.
type programs struct {
	billhost string
	addon    string // the tool
	// market is a signed marketplace that offers the Customer Portal.
	market string
	root   string
}

var built programs

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "story")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if built, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	stopBrowser()
	return code
}

// build makes billhost and the packed add-on the way `make run` does.
func build(dir string) (programs, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return programs{}, fmt.Errorf("find the module: %w", err)
	}
	p := programs{
		billhost: filepath.Join(dir, "billhost"),
		addon:    filepath.Join(dir, "addon"),
		market:   filepath.Join(dir, "marketplace"),
		root:     strings.TrimSpace(string(out)),
	}
	portal, packed := filepath.Join(dir, "customer-portal"), filepath.Join(dir, "customer-portal.addon")
	signing := []string{"--dir", p.market, "--keys", filepath.Join(dir, "keys"), "--data-dir", dir}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	steps := [][]string{
		{"go", "build", "-o", p.billhost, "./host/cmd/billhost"},
		{"go", "build", "-o", p.addon, "./sdk/cmd/addon"},
		{"go", "build", "-trimpath", "-o", portal, "./plugin"},
		{p.addon, "pack", "--manifest", "manifest.yaml", "--binary", runtime.GOOS + "/" + runtime.GOARCH + "=" + portal,
			"--static", "sdk/web/look", "--include", "plugin/README.md", "--include", "CHANGELOG.md", "--include", "LICENSE",
			"--out", packed},
		append([]string{p.billhost, "marketplace", "init"}, signing...),
		append([]string{p.billhost, "marketplace", "publish", packed}, signing...),
	}
	for _, step := range steps {
		cmd := exec.CommandContext(ctx, step[0], step[1:]...)
		cmd.Dir = p.root
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return programs{}, fmt.Errorf("%s: %w\n%s", strings.Join(step, " "), err, out)
		}
	}
	return p, nil
}
