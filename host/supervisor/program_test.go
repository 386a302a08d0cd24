package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

const platform = runtime.GOOS + "/" + runtime.GOARCH

// mustProgram lays a program into a package.
func mustProgram(tb testing.TB, content []byte) *pack.Package {
	tb.Helper()
	dir, sum := tb.TempDir(), sha256.Sum256(content)
	name := pack.BinaryPath(platform)
	must(tb, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
	must(tb, os.WriteFile(filepath.Join(dir, name), content, 0o755))
	return &pack.Package{Dir: dir, Files: []pack.File{{Path: name, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Mode: "0555"}}}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// TestWriterAfterHashing changes the file, in place, after it was hashed and before
// it is executed: what was hashed runs.
func TestWriterAfterHashing(t *testing.T) {
	t.Parallel()
	echo, err := os.ReadFile("/bin/echo")
	must(t, err)
	pkg := mustProgram(t, echo)
	p, err := openProgram(pkg, platform)
	must(t, err)
	defer func() { must(t, p.close()) }()
	file, err := os.OpenFile(pkg.Path(pack.BinaryPath(platform)), os.O_WRONLY, 0)
	must(t, err)
	_, err = file.WriteAt(make([]byte, len(echo)), 0)
	must(t, err)
	must(t, file.Close())

	if _, err := p.file.WriteAt([]byte("x"), 0); err == nil {
		t.Error("what was hashed can be written")
	}
	if err := p.file.Truncate(0); err == nil {
		t.Error("what was hashed can be cut off")
	}
	if again, err := os.OpenFile(p.path, os.O_WRONLY, 0); err == nil {
		if _, err := again.WriteAt([]byte("x"), 0); err == nil {
			t.Error("what was hashed can be written by its name")
		}
		must(t, again.Close())
	}
	out, err := (&exec.Cmd{Path: p.path, Args: []string{"echo", "sound"}}).Output()
	if err != nil || string(out) != "sound\n" {
		t.Errorf("ran %q, %v", out, err)
	}
	if _, err := openProgram(pkg, platform); !apperr.Is(err, apperr.Invalid) || !strings.Contains(err.Error(), "has changed since it was packed") {
		t.Errorf("the changed file: %v", err)
	}
}

func TestWhatIsNoProgram(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"", "x"} {
		if _, err := openProgram(mustProgram(t, []byte(content)), platform); !apperr.Is(err, apperr.Invalid) {
			t.Errorf("%q: %v", content, err)
		}
	}
	script := mustProgram(t, []byte("#!/bin/sh\necho x\n"))
	p, err := openProgram(script, platform)
	if err != nil || p.file != nil || p.path != script.Path(pack.BinaryPath(platform)) {
		t.Errorf("script: %+v, %v", p, err)
	}
	must(t, os.WriteFile(p.path, []byte("#!/bin/sh\necho y\n"), 0o755))
	if _, err := openProgram(script, platform); !apperr.Is(err, apperr.Invalid) {
		t.Errorf("changed script: %v", err)
	}
}

// BenchmarkOpenProgram hashes and copies a program as large as the portal's.
func BenchmarkOpenProgram(b *testing.B) {
	pkg := mustProgram(b, []byte("\x7fELF"+strings.Repeat("0123456789abcdef", 34<<20/16)))
	for b.Loop() {
		p, err := openProgram(pkg, platform)
		must(b, err)
		must(b, p.close())
	}
}
