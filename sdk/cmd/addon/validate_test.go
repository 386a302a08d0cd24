package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	spoiltFolder, _ = filepath.Abs("testdata/spoilt")
	buildSpoilt     = sync.OnceValues(func() ([]byte, error) { return buildOnce(spoiltFolder, runtime.GOARCH) })
	buildForeign    = sync.OnceValues(func() ([]byte, error) { return buildOnce(spoiltFolder, foreignArch()) })
)

// buildOnce returns the program of a folder.
func buildOnce(dir, arch string) ([]byte, error) {
	temp, err := os.MkdirTemp("", "addon-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", temp+"/addon", ".")
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch), os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return os.ReadFile(temp + "/addon")
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
	program, err := buildSpoilt()
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, file, string(program)+"MODE="+mode)
	if err := os.Chmod(file, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// mustEdit replaces text in a file.
func mustEdit(t *testing.T, file, old, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	mustWrite(t, file, strings.ReplaceAll(string(data), old, text))
}

// validated runs addon validate --json and returns what it says.
func validated(t *testing.T, args ...string) (report, int) {
	t.Helper()
	out, err := execute(t, append([]string{"validate", "--json"}, args...)...)
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Valid != (err == nil) || r.Valid != (len(r.Problems) == 0) {
		t.Errorf("valid %v with %d problems and error %v", r.Valid, len(r.Problems), err)
	}
	if err == nil {
		return r, 0
	}
	if err.Error() != "" {
		t.Errorf("said beside the JSON: %v", err)
	}
	return r, exitCode(err)
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
	foreign, err := buildForeign()
	if err != nil {
		t.Fatal(err)
	}
	own, err := buildSpoilt()
	if err != nil {
		t.Fatal(err)
	}
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
	foreign, err := buildForeign()
	if err != nil {
		t.Fatal(err)
	}
	other := "linux/" + foreignArch()
	args := []string{"pack", "--manifest", dir + "/manifest.yaml", "--binary", ownPlatform + "=" + program, "--out", dir + "/x.addon"}
	mustExecute(t, args...)
	got, _ := validated(t, dir+"/x.addon")
	for _, want := range []string{
		other + ": The manifest lists " + other + ", and there is no program for it. Build one with GOOS=linux GOARCH=" + foreignArch(),
		ownPlatform + ": It asks the host for invoices:read, which the manifest does not name",
	} {
		if !strings.Contains((&got).String(), want) {
			t.Errorf("no %q in %s", want, &got)
		}
	}
	mustSpoil(t, program, "")
	mustExecute(t, append(args, "--binary", other+"="+mustWrite(t, dir+"/other", string(foreign)))...)
	got, code := validated(t, dir+"/x.addon")
	if want := []string{other + ": only the program's format was checked; this machine is " + ownPlatform + "."}; code != 0 || cmp.Diff(want, got.Notes) != "" {
		t.Errorf("exit code %d, %s", code, &got)
	}
	if out := mustExecute(t, "validate", dir+"/x.addon"); !strings.Contains(out, "Note: "+other) {
		t.Errorf("got %s", out)
	}
	got, code = validated(t, dir+"/x.addon", "--static")
	if code != 0 || len(got.Notes) != 2 || !strings.Contains(got.Notes[0], "as --static asks") {
		t.Errorf("exit code %d, %s", code, &got)
	}
}

// TestValidateExitCodes runs the tool as a process.
func TestValidateExitCodes(t *testing.T) {
	t.Parallel()
	tool := filepath.Join(t.TempDir(), "addon")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
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
		cmd := exec.CommandContext(t.Context(), tool, "validate", c.path)
		var stderr strings.Builder
		cmd.Stderr = &stderr
		// The exit code is what matters.
		_ = cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.code || !strings.Contains(stderr.String(), c.stderr) {
			t.Errorf("%s: exit code %d, %s", c.path, code, &stderr)
		}
	}
}
