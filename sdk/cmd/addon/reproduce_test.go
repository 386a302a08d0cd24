package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestPackIsReproducible packs the same content twice, as processes of their own
// and in different seconds: the folders were filled in opposite order, with other
// times and modes, below other paths, under another umask and time zone.
func TestPackIsReproducible(t *testing.T) {
	t.Parallel()
	tool := mustMake(t, buildTool)
	content := [][2]string{
		{"README.md", "# Hello\n"}, {"program", "a program"}, {"other", "another program"}, {"static/b.css", "body{}"},
		{"static/a/z.js", ""}, {"static/a/B.svg", "<svg/>"}, {"static/ä.txt", "umlaut"}, {"static/a.css", "a{}"},
	}
	first := packOnce(t, tool, content, folderKind{umask: "022", zone: "UTC", mode: 0o644, at: time.Unix(1, 0)})
	second := time.Now().Unix()
	eventually(t, "another second", func() bool { return time.Now().Unix() > second+1 })
	slices.Reverse(content)
	again := packOnce(t, tool, content, folderKind{umask: "077", zone: "Asia/Tokyo", mode: 0o700, at: time.Now(), inside: true})
	if !bytes.Equal(first, again) {
		t.Errorf("%d and %d bytes that differ", len(first), len(again))
	}
}

// folderKind is how a folder came about and how it is packed.
type folderKind struct {
	umask, zone string
	mode        os.FileMode
	at          time.Time
	inside      bool // by relative paths from within
}

func packOnce(t *testing.T, tool string, content [][2]string, kind folderKind) []byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "hello-world")
	mustExecute(t, "init", dir)
	if err := os.Remove(dir + "/README.md"); err != nil {
		t.Fatal(err)
	}
	for _, f := range content {
		file := mustWrite(t, filepath.Join(dir, f[0]), f[1])
		if err := os.Chmod(file, kind.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, kind.at, kind.at); err != nil {
			t.Fatal(err)
		}
	}
	below, out := dir+"/", filepath.Join(t.TempDir(), "out", "x.addon")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "umask "+kind.umask+` && exec "$0" "$@"`, tool, "pack", "--out", out)
	if kind.inside {
		cmd.Dir, below = dir, ""
	}
	args := []string{
		"--manifest", below + "manifest.yaml", "--static", below + "static", "--include", below + "README.md",
		"--binary", "linux/amd64=" + below + "program", "--binary", "linux/arm64=" + below + "other",
	}
	cmd.Args = append(cmd.Args, args...)
	cmd.Env = append(os.Environ(), "TZ="+kind.zone)
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the package has %v, %v", fmt.Sprint(info.Mode()), err)
	}
	return data
}
