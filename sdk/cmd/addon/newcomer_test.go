package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestNewcomer follows the README of a new add-on to the letter, with the tool
// as a process.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	dir := mustModule(t)
	readme, err := os.ReadFile(dir + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	var commands []string
	for _, block := range regexp.MustCompile(`(?m)(^ {4}.*\n)+`).FindAllString(string(readme), -1) {
		commands = append(commands, strings.ReplaceAll(block, "\n    ", "\n"))
	}
	if len(commands) != 3 || !strings.Contains(commands[0], "go mod init example.com/hello-world\ngo mod tidy\n") || !strings.Contains(commands[1], "addon run --dev") {
		t.Fatalf("README.md has %q", commands)
	}
	bin := filepath.Dir(mustMake(t, buildTool))
	sh := exec.CommandContext(t.Context(), "sh", "-e")
	sh.Dir, sh.Stdin = dir, strings.NewReader(commands[2])
	sh.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, want := range []string{
		". is valid.\n",
		"Packed Hello World 0.1.0 for linux/amd64, linux/arm64: hello-world-0.1.0.addon, 4 files",
		"hello-world-0.1.0.addon is valid.\n",
		"Note: linux/" + foreignArch() + ": only the program's format was checked",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %s", want, out)
		}
	}
	s := mustRunTool(t, filepath.Join(dir, "hello-world-0.1.0.addon"))
	if status, body := get(t, s.sees(t, `Staff page: Hello World\s+(http://\S+)\n`)); status != 200 || !strings.Contains(body, "Hello, Dana") || !strings.HasPrefix(body, "<!doctype html>") || !strings.Contains(body, `/portal.css">`) {
		t.Errorf("status %d: %s", status, body)
	}
	s.mustEnd(t)
}
