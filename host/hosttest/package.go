package hosttest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// hello builds the program and the package of the add-on hello once for all tests
// of a process.
var hello = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(helloDir(), "packages")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	if err := build(helloProgram(), "github.com/billing-addons/customer-portal/host/hosttest/hello"); err != nil {
		return "", err
	}
	return dir, write(filepath.Join(dir, "package"+pack.Extension), helloProgram(), helloManifest())
})

// rascal builds the program of the add-on rascal once for all tests of a process.
var rascal = sync.OnceValues(func() (string, error) {
	if err := os.MkdirAll(helloDir(), 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	program := filepath.Join(helloDir(), "rascal")
	return program, build(program, "github.com/billing-addons/customer-portal/host/hosttest/rascal")
})

// MustRascal returns a folder with the packages of hello and of rascal, an add-on
// that does what its version says at its start ("prints", "cookie", "protocol",
// "hangs", "crashes", or nothing if start is empty) and what its pages are named
// after later.
func MustRascal(tb testing.TB, start string) string {
	tb.Helper()
	hello := MustHello(tb)
	program, err := rascal()
	must(tb, err)
	text, err := os.ReadFile(filepath.Join(here(), "rascal", manifest.FileName))
	must(tb, err)
	changed := string(text)
	if start != "" {
		changed = strings.Replace(changed, "version: 1.0.0", "version: 1.0.0-"+start, 1)
	}
	made, err := variantOf(program, tb.TempDir(), changed)
	must(tb, err)
	dir := tb.TempDir()
	must(tb, replace(made, filepath.Join(dir, "rascal"+pack.Extension)))
	must(tb, replace(filepath.Join(hello, "package"+pack.Extension), filepath.Join(dir, "hello"+pack.Extension)))
	return dir
}

func helloDir() string { return filepath.Join(os.TempDir(), fmt.Sprintf("hosttest-%d", os.Getpid())) }

func helloProgram() string { return filepath.Join(helloDir(), "program") }

func helloManifest() string { return filepath.Join(here(), "hello", manifest.FileName) }

// Clean removes what MustHello made. Call it at the end of TestMain.
func Clean() {
	// A folder that stays behind among the temporary ones harms nobody.
	_ = os.RemoveAll(helloDir())
}

// MustHello returns a folder with the package of hello.
func MustHello(tb testing.TB) string {
	tb.Helper()
	dir, err := hello()
	must(tb, err)
	return dir
}

// MustVersions returns a folder for the packages of several versions of hello, and
// a function that adds one: change, pairs of old and new text, changes its
// manifest. Versions that end in "-broken" fail at their first page; the public
// page "version" tells which one answers, and "crash" ends the process.
func MustVersions(tb testing.TB) (dir string, add func(version string, change ...string)) {
	tb.Helper()
	MustHello(tb)
	dir, err := os.MkdirTemp(helloDir(), "versions")
	must(tb, err)
	return dir, func(version string, change ...string) {
		tb.Helper()
		text, err := os.ReadFile(helloManifest())
		must(tb, err)
		changed := strings.NewReplacer(append(change, "version: 1.0.0", "version: "+version)...).Replace(string(text))
		made, err := variant(tb.TempDir(), changed)
		must(tb, err)
		must(tb, replace(made, filepath.Join(dir, "hello-"+version+pack.Extension)))
	}
}

// variant returns the package of hello with another manifest. Each is made once:
// that takes seconds under the race detector.
func variant(temp, text string) (string, error) { return variantOf(helloProgram(), temp, text) }

func variantOf(program, temp, text string) (string, error) {
	made := filepath.Join(helloDir(), fmt.Sprintf("%x", sha256.Sum256([]byte(text)))+pack.Extension)
	if _, err := os.Stat(made); err == nil {
		return made, nil
	}
	file := filepath.Join(temp, manifest.FileName)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return "", fmt.Errorf("write manifest: %w", err)
	}
	return made, write(made, program, file)
}

// replace makes a package appear under another name.
func replace(made, name string) error {
	if err := os.RemoveAll(name); err != nil {
		return fmt.Errorf("remove package: %w", err)
	}
	if err := os.Link(made, name); err != nil {
		return fmt.Errorf("place package: %w", err)
	}
	return nil
}

// Pack builds an add-on's program and writes its package into dir, which is made.
func Pack(dir, program, manifestFile string) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	binary := filepath.Join(dir, "program")
	if err := build(binary, program); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(binary)) }()
	return write(filepath.Join(dir, "package"+pack.Extension), binary, manifestFile)
}

func build(binary, program string) error {
	cmd := exec.Command("go", "build", "-ldflags=-s -w", "-o", binary, program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", program, err, out)
	}
	return nil
}

// packer builds the program that makes packages, once for all tests of a process.
var packer = sync.OnceValues(func() (string, error) {
	if err := os.MkdirAll(helloDir(), 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	program := filepath.Join(helloDir(), "packer")
	return program, build(program, "github.com/billing-addons/customer-portal/host/hosttest/packer")
})

// write puts a package into place as a whole. It is not compressed, so that hosts
// unpack it quickly under the race detector.
func write(file, binary, manifestFile string) error {
	program, err := packer()
	if err != nil {
		return err
	}
	out, err := exec.Command(program, file, binary, manifestFile).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pack %s: %w\n%s", manifestFile, err, out)
	}
	return nil
}

func here() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
