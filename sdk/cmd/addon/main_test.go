package main

import (
	"bytes"
	"fmt"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

func TestMain(m *testing.M) {
	code := m.Run()
	// A folder that stays behind among the temporary ones harms nobody.
	_ = os.RemoveAll(buildsFolder())
	os.Exit(code)
}

// execute runs one command line and returns what it printed.
func execute(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	err := run(t.Context(), args, &out, &errs)
	if errs.Len() > 0 {
		t.Errorf("addon %s wrote to stderr: %s", strings.Join(args, " "), &errs)
	}
	return out.String(), err
}

// mustExecute runs a command line that must succeed.
func mustExecute(t *testing.T, args ...string) string {
	t.Helper()
	out, err := execute(t, args...)
	if err != nil {
		t.Fatalf("addon %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// mustWrite writes a file and the folders it needs.
func mustWrite(t *testing.T, file, data string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// newAddon is the folder addon init makes, with a program and static files.
func newAddon(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	mustSpoil(t, dir+"/dist/addon", "")
	mustWrite(t, dir+"/static/css/app.css", "body{}")
	return dir
}

func TestInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello-world")
	out := mustExecute(t, "init", dir, "--publisher", `Dana's "Shop"`)
	if !strings.Contains(out, "Hello World is in "+dir) || !strings.Contains(out, "go mod init example.com/hello-world") {
		t.Errorf("got %s", out)
	}
	data, err := os.ReadFile(dir + "/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.Parse("manifest.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "hello-world" || m.Name != "Hello World" || m.Publisher != `Dana's "Shop"` {
		t.Errorf("got %s, %s, %s", m.ID, m.Name, m.Publisher)
	}
	if _, err := execute(t, "init", dir); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("a second init: %v", err)
	}
}

func TestInitWritesAProgramThatBuilds(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	file := dir + "/main.go"
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	formatted, err := format.Source(source)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(formatted), string(source)); diff != "" {
		t.Errorf("main.go is not formatted:\n%s", diff)
	}
	if lines := bytes.Count(source, []byte("\n")); lines > 40 {
		t.Errorf("main.go has %d lines; a first program has at most 40", lines)
	}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(t.TempDir(), "addon"), file)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestInitRefusesABadName(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "My Addon")
	_, err := execute(t, "init", dir)
	if err == nil || !strings.Contains(err.Error(), `"My Addon" is not an id`) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder was made all the same")
	}
	mustExecute(t, "init", dir, "--id", "my-addon")
}

func TestValidate(t *testing.T) {
	t.Parallel()
	dir := newAddon(t)
	for _, path := range []string{dir, dir + "/manifest.yaml"} {
		out := mustExecute(t, "validate", path)
		if !strings.Contains(out, "Hello World 0.1.0 by Example Company") || !strings.HasSuffix(out, path+" is valid.\n") {
			t.Errorf("got %s", out)
		}
		if out := mustExecute(t, "validate", "-q", path); out != path+" is valid.\n" {
			t.Errorf("got %s", out)
		}
	}
	broken := mustWrite(t, filepath.Join(t.TempDir(), "manifest.yaml"), "id: hello\nnmae: Hello\n")
	_, err := execute(t, "validate", broken)
	if err == nil || !strings.Contains(err.Error(), broken+`:2:1: unknown key "nmae"; did you mean name?`) {
		t.Errorf("got %v", err)
	}
}

func TestValidateSaysWhatIsNotThere(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for path, want := range map[string]string{
		empty:                               "manifest.yaml does not exist; addon init writes one to start from",
		empty + "/none":                     "none does not exist; give a folder with manifest.yaml, a manifest or an .addon package",
		mustWrite(t, empty+"/x.addon", "x"): "x.addon: The archive ends too early",
	} {
		if _, err := execute(t, "validate", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestPack(t *testing.T) {
	t.Parallel()
	dir := newAddon(t)
	args := []string{"pack", "--manifest", dir + "/manifest.yaml", "--binary", ownPlatform + "=" + dir + "/dist/addon",
		"--static", dir + "/static", "--include", dir + "/README.md"}
	first, second := filepath.Join(t.TempDir(), "new", "one.addon"), filepath.Join(t.TempDir(), "two.addon")
	out := mustProcess(t, append(args, "--out", first)...)
	sum, err := pack.Digest(first)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprintf("%.1f", float64(info.Size())/(1<<20))
	want := "Packed Hello World 0.1.0 for " + ownPlatform + ": " + first + ", 4 files, " + size + " MiB\nSHA-256 " + sum +
		"\nIt will not start on linux/" + foreignArch() + ", which the manifest lists.\n"
	if diff := cmp.Diff(want, out); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	mustProcess(t, append(args, "--out", second)...)
	if again, err := pack.Digest(second); err != nil || again != sum {
		t.Errorf("packing twice gives %s and %s, %v", sum, again, err)
	}
	mustLack(t, first, "linux/"+foreignArch())
	checkUnpacked(t, first)
}

// mustLack validates a package whose only mistake is that it has no program for
// the platform.
func mustLack(t *testing.T, path, platform string) {
	t.Helper()
	r, _ := validatedAsProcess(t, path)
	if len(r.Problems) != 1 || r.Problems[0].Code != "no_program" || r.Problems[0].Platform != platform {
		t.Errorf("got %s", &r)
	}
}

// checkUnpacked unpacks an archive and has the folder validated before and after
// a change.
func checkUnpacked(t *testing.T, archive string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := pack.Unpack(f, t.TempDir(), pack.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range p.Files {
		names = append(names, f.Path)
	}
	if diff := cmp.Diff([]string{"README.md", "bin/linux_" + runtime.GOARCH + "/addon", "manifest.yaml", "static/css/app.css"}, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	mustLack(t, p.Dir, "linux/"+foreignArch())
	mustWrite(t, p.Path("static/extra.js"), "")
	if _, err := execute(t, "validate", p.Dir); err == nil || !strings.Contains(err.Error(), "static/extra.js is not listed") {
		t.Errorf("got %v", err)
	}
}

func TestPackTakesTheIcon(t *testing.T) {
	t.Parallel()
	dir := newAddon(t)
	mustWrite(t, dir+"/dist/addon", "a program")
	data, err := os.ReadFile(dir + "/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, dir+"/manifest.yaml", strings.Replace(string(data), "icon: puzzle", "icon: img/icon.svg", 1))
	out := filepath.Join(t.TempDir(), "x.addon")
	args := []string{"pack", "--manifest", dir + "/manifest.yaml", "--binary", ownPlatform + "=" + dir + "/dist/addon", "--out", out}
	if _, err := execute(t, args...); err == nil || !strings.Contains(err.Error(), "img/icon.svg is missing: there is no file "+dir) {
		t.Errorf("got %v", err)
	}
	mustWrite(t, dir+"/img/icon.svg", "<svg/>")
	mustExecute(t, args...)
}

func TestPackRefuses(t *testing.T) {
	t.Parallel()
	dir := newAddon(t)
	binary := ownPlatform + "=" + dir + "/dist/addon"
	other := mustWrite(t, t.TempDir()+"/css/app.css", "")
	linked := t.TempDir()
	if err := os.Symlink("/etc/passwd", linked+"/passwd"); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no binary":        {nil, "missing flags: --binary"},
		"no such binary":   {[]string{"--binary", ownPlatform + "=" + dir + "/none"}, "bin/linux_" + runtime.GOARCH + "/addon is missing: there is no file " + dir + "/none."},
		"unsaid platform":  {[]string{"--binary", "darwin/arm64=" + dir + "/dist/addon"}, "the manifest lists linux/amd64, linux/arm64; add darwin/arm64"},
		"malformed binary": {[]string{"--binary", dir + "/dist/addon"}, `expected "<key>=<value>"`},
		"no static folder": {[]string{"--binary", binary, "--static", dir + "/none"}, "none is not a folder"},
		"static link":      {[]string{"--binary", binary, "--static", linked}, "passwd is a link or device"},
		"static twice":     {[]string{"--binary", binary, "--static", dir + "/static", "--static", filepath.Dir(filepath.Dir(other))}, "static/css/app.css would come from both"},
		"include twice":    {[]string{"--binary", binary, "--include", dir + "/manifest.yaml"}, "manifest.yaml would come from both"},
		"out":              {[]string{"--binary", binary, "--out", "hello.zip"}, "--out hello.zip must end in .addon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			args := append([]string{"pack", "--manifest", dir + "/manifest.yaml", "--out", out + "/x.addon"}, tc.args...)
			if _, err := execute(t, args...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant %s", err, tc.want)
			}
			if left, err := os.ReadDir(out); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestHelpAndUnknownCommands(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"pack", "--help"}} {
		if out := mustExecute(t, args...); !strings.Contains(out, "Usage: addon") {
			t.Errorf("got %s", out)
		}
	}
	for _, args := range [][]string{{}, {"publish"}, {"validate", "--fast"}} {
		if _, err := execute(t, args...); err == nil || !strings.Contains(err.Error(), "addon --help lists what there is") {
			t.Errorf("addon %v: %v", args, err)
		}
	}
}
