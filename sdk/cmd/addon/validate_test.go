package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	buildSpoilt = sync.OnceValues(func() (string, error) { return buildOnce("testdata/spoilt") })
	buildHello  = sync.OnceValues(func() (string, error) { return buildOnce(helloFolder) })
	// buildTool makes the tool itself, for what a process of its own does, and for
	// large packages, which take the race detector half a minute each.
	buildTool = sync.OnceValues(func() (string, error) { return buildOnce(".") })
)

// buildsFolder is where the programs of all tests of this process are.
func buildsFolder() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("addon-test-%d", os.Getpid()))
}

// buildOnce returns the program of a folder.
func buildOnce(dir string) (string, error) {
	file := filepath.Join(buildsFolder(), filepath.Base(filepath.Join("/tool", dir)), "addon")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", file, ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", dir, err, out)
	}
	return file, nil
}

// mustMake returns a program of build, made once for all tests.
func mustMake(t *testing.T, build func() (string, error)) string {
	t.Helper()
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// mustRead returns the content of a program that build makes.
func mustRead(t *testing.T, build func() (string, error)) []byte {
	t.Helper()
	data, err := os.ReadFile(mustMake(t, build))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// mustForeign returns a program that says it is for the other processor.
func mustForeign(t *testing.T) []byte {
	t.Helper()
	program := bytes.Clone(mustRead(t, buildSpoilt))
	machine := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[foreignArch()]
	binary.LittleEndian.PutUint16(program[18:], uint16(machine)) // e_machine
	return program
}

// asProcess runs one command line of the tool in a process of its own and returns
// what it printed and its exit code.
func asProcess(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), mustMake(t, buildTool), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// mustProcess is asProcess for a command line that must succeed.
func mustProcess(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := asProcess(t, args...)
	if code != 0 || errs != "" {
		t.Fatalf("addon %s: exit code %d, %s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

func foreignArch() string {
	if runtime.GOARCH == "arm64" {
		return "amd64"
	}
	return "arm64"
}

// mustSpoil writes a program for this machine that misbehaves as mode says.
func mustSpoil(t *testing.T, file, mode string) string {
	t.Helper()
	mustWrite(t, file, string(mustRead(t, buildSpoilt))+"MODE="+mode)
	if err := os.Chmod(file, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// mustEdit replaces text in a file, all of the pairs of old and new at once: who
// watches the file sees it whole, before or after.
func mustEdit(t *testing.T, file string, pairs ...string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	for pair := range slices.Chunk(pairs, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s has no %q", file, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	if err := os.Rename(mustWrite(t, filepath.Join(t.TempDir(), "edited"), text), file); err != nil {
		t.Fatal(err)
	}
}

// validated runs addon validate --json and returns what it says.
func validated(t *testing.T, args ...string) (report, int) {
	t.Helper()
	out, err := execute(t, append([]string{"validate", "--json"}, args...)...)
	code, said := 0, ""
	if err != nil {
		code, said = exitCode(err), err.Error()
	}
	return mustReport(t, out, said, code), code
}

// validatedAsProcess is validated in a process of its own.
func validatedAsProcess(t *testing.T, args ...string) (report, int) {
	t.Helper()
	out, said, code := asProcess(t, append([]string{"validate", "--json"}, args...)...)
	return mustReport(t, out, said, code), code
}

// mustReport reads the JSON, beside which nothing may be said.
func mustReport(t *testing.T, out, said string, code int) report {
	t.Helper()
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Valid != (code == 0) || r.Valid != (len(r.Problems) == 0) {
		t.Errorf("valid %v with %d problems and exit code %d", r.Valid, len(r.Problems), code)
	}
	if said != "" {
		t.Errorf("said beside the JSON: %s", said)
	}
	return r
}

func TestValidateRunsTheProgram(t *testing.T) {
	t.Parallel()
	for mode, c := range map[string]struct {
		old, text string            // in the manifest
		want      map[string]string // code: part of its message
	}{
		"":         {},
		"exits":    {want: map[string]string{"exits": "ends (exit status 2) before the handshake.\nIt printed last:\n  reading the configuration\n  panic: no configuration"}},
		"prints":   {want: map[string]string{"prints_first": `prints "Hello from main!" before the handshake`}},
		"cookie":   {want: map[string]string{"cookie": "does not know the cookie that hosts set, BILLING_ADDON"}},
		"protocol": {want: map[string]string{"protocol": "for protocol 1 and wire version 7; platforms speak 1 and 1"}},
		"netrpc":   {want: map[string]string{"protocol": "does not name grpc"}},
		"silent":   {want: map[string]string{"silent": "says nothing for 10s"}},
		"version":  {want: map[string]string{"identity": "says it is hello-world 0.2.0, the manifest says hello-world 0.1.0; make them agree"}},
		"refuses":  {want: map[string]string{"start": "does not start: The moon is not full."}},
		"fails":    {want: map[string]string{"start": "a secret reason"}},
		"database": {want: map[string]string{"permission": "the manifest does not name the permission database"}},
		"offers": {want: map[string]string{
			"capabilities": `offers "events", which capabilities in the manifest does not list`,
			"page":         "GET / of northwind (staff)",
		}},
		"mails":     {"[pages]", "[pages, events]", map[string]string{"permission": "asks the host for mail:send, which the manifest does not name"}},
		"quiet":     {want: map[string]string{"permission": "asks the host for invoices:read, which the manifest does not name; add it to permissions with a reason"}},
		"customers": {"permissions: []", "permissions: [{name: customers:read, reason: To list your customers.}]", nil},
		"page":      {want: map[string]string{"page": "GET / of northwind (staff): status 500"}},
		"dies":      {want: map[string]string{"exits": "ended (exit status 2) while its pages and parts were called.\nIt printed last:\n  panic: giving up"}},
		"child":     {want: map[string]string{"end": "left processes behind"}},
	} {
		t.Run("mode "+mode, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "hello-world")
			mustExecute(t, "init", dir)
			mustSpoil(t, dir+"/dist/addon", mode)
			if c.old != "" {
				mustEdit(t, dir+"/manifest.yaml", c.old, c.text)
			}
			got, code := validated(t, dir)
			if code != min(len(c.want), 1) {
				t.Errorf("exit code %d", code)
			}
			for _, p := range got.Problems {
				want, ok := c.want[p.Code]
				if !ok || !strings.Contains(p.Message, want) && p.Code != "page" && p.Code != "capabilities" || p.Platform != ownPlatform {
					t.Errorf("got %+v", p)
				}
			}
			for code, want := range c.want {
				if !strings.Contains((&got).String(), strings.ReplaceAll(want, "\n", "\n    ")) {
					t.Errorf("no %s %q in %s", code, want, &got)
				}
			}
		})
	}
}

func TestValidateFormats(t *testing.T) {
	t.Parallel()
	foreign, own := mustForeign(t), mustRead(t, buildSpoilt)
	for name, c := range map[string]struct{ platform, program, want string }{
		"other arch":    {ownPlatform, string(foreign), "It is a program for linux/" + foreignArch() + ", not for " + ownPlatform + ". Build it with GOOS=linux GOARCH=" + runtime.GOARCH + " go build."},
		"a script":      {ownPlatform, "#!/bin/sh\n", "it is a script, and platforms start only programs"},
		"text":          {ownPlatform, "hello hello", "it is not in a format that any system runs"},
		"empty":         {ownPlatform, "", "the file is empty"},
		"cut off":       {ownPlatform, string(own[:40]), "it begins like a program and is damaged"},
		"windows":       {ownPlatform, "MZ" + strings.Repeat("\x00", 100), "it begins like a program for windows and is damaged"},
		"not there":     {ownPlatform, "-", "There is no file"},
		"own as other":  {"linux/" + foreignArch(), string(own), "It is a program for " + ownPlatform + ", not for linux/" + foreignArch()},
		"unsaid system": {"darwin/arm64", string(own), "add darwin/arm64 to platforms or leave the program out"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "hello-world")
			mustExecute(t, "init", dir)
			file := dir + "/program"
			if c.program != "-" {
				mustWrite(t, file, c.program)
			}
			got, code := validated(t, dir, "--binary", c.platform+"="+file)
			if code != exitMistakes || !strings.Contains((&got).String(), c.want) {
				t.Errorf("exit code %d, %s", code, &got)
			}
		})
	}
}

// TestValidateTellsAllInOneGo: mistakes of the manifest do not hide those of the
// programs, and the other way round.
func TestValidateTellsAllInOneGo(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	mustSpoil(t, dir+"/dist/addon", "version")
	mustWrite(t, dir+"/dist/linux_"+foreignArch()+"/addon", "#!/bin/sh\n")
	mustEdit(t, dir+"/manifest.yaml", "icon: puzzle", "icon: p.gif")
	got, _ := validated(t, dir)
	var codes []string
	for _, p := range got.Problems {
		codes = append(codes, p.Code)
	}
	if diff := cmp.Diff([]string{"manifest", "format", "identity"}, codes); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, &got)
	}
	if p := got.Problems[0]; p.File != dir+"/manifest.yaml" || p.Line == 0 || p.Field != "icon" {
		t.Errorf("got %+v", p)
	}
	// A program is not compared with what could not be read.
	mustEdit(t, dir+"/manifest.yaml", "permissions: []", "permission: []")
	got, _ = validated(t, dir)
	if text := (&got).String(); strings.Contains(text, "0.2.0") || !strings.Contains(text, "the program was not started; mend the manifest first (unknown key") {
		t.Errorf("got %s", text)
	}
}

func TestValidatePackage(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	program := mustSpoil(t, dir+"/dist/addon", "quiet")
	other := "linux/" + foreignArch()
	args := []string{"pack", "--manifest", dir + "/manifest.yaml", "--binary", ownPlatform + "=" + program, "--out", dir + "/x.addon"}
	mustProcess(t, args...)
	got, _ := validatedAsProcess(t, dir+"/x.addon")
	for _, want := range []string{
		other + ": The manifest lists " + other + ", and there is no program for it. Build one with GOOS=linux GOARCH=" + foreignArch(),
		ownPlatform + ": It asks the host for invoices:read, which the manifest does not name",
	} {
		if !strings.Contains((&got).String(), want) {
			t.Errorf("no %q in %s", want, &got)
		}
	}
	mustSpoil(t, program, "")
	mustProcess(t, append(args, "--binary", other+"="+mustWrite(t, dir+"/other", string(mustForeign(t))))...)
	got, code := validatedAsProcess(t, dir+"/x.addon")
	if want := []string{other + ": only the program's format was checked; this machine is " + ownPlatform + "."}; code != 0 || cmp.Diff(want, got.Notes) != "" {
		t.Errorf("exit code %d, %s", code, &got)
	}
	if out := mustProcess(t, "validate", dir+"/x.addon"); !strings.Contains(out, "Note: "+other) {
		t.Errorf("got %s", out)
	}
	got, code = validatedAsProcess(t, dir+"/x.addon", "--static")
	if code != 0 || len(got.Notes) != 2 || !strings.Contains(got.Notes[0], "as --static asks") {
		t.Errorf("exit code %d, %s", code, &got)
	}
}

// TestValidateExitCodes runs the tool as a process.
func TestValidateExitCodes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	broken := mustWrite(t, t.TempDir()+"/manifest.yaml", "id: x\n")
	for _, c := range []struct {
		path   string
		code   int
		stderr string
	}{
		{dir, 0, ""},
		{broken, 1, "addon: " + broken + " has"},
		{dir + "/none", 2, "does not exist"},
		{"--fast", 2, "addon --help"},
	} {
		if _, stderr, code := asProcess(t, "validate", c.path); code != c.code || !strings.Contains(stderr, c.stderr) {
			t.Errorf("%s: exit code %d, %s", c.path, code, stderr)
		}
	}
}
