package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// builder makes the program of an author's folder.
type builder struct {
	dir   string // of package main
	debug bool   // for a debugger: nothing of the author's is optimised away
}

// errBuild carries what the compiler said.
type errBuild struct{ output string }

func (e *errBuild) Error() string { return e.output }

// build compiles the program to file. An *errBuild is the author's mistake.
func (b *builder) build(ctx context.Context, file string) error {
	args := []string{"build", "-o", file}
	if b.debug {
		args = append(args, "-gcflags=./...=-N -l")
	}
	out, err := b.goTool(ctx, append(args, ".")...).CombinedOutput()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return errors.New("there is no go command; install Go from https://go.dev/dl")
	case err != nil && len(bytes.TrimSpace(out)) == 0:
		return &errBuild{err.Error()}
	case err != nil:
		return &errBuild{string(bytes.TrimSpace(out))}
	}
	return nil
}

func (b *builder) goTool(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.dir
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// sources are the folders and other files that the program is made of, as far
// as its author can change them: packages of the main module and of modules that
// are replaced by folders. Sources that do not compile give what is known.
func (b *builder) sources(ctx context.Context) (dirs, files []string) {
	const format = `{{if and (not .Standard) .Module}}{{if or .Module.Main (and .Module.Replace (not .Module.Replace.Version))}}` +
		`{{.Dir}}{{range .EmbedFiles}}{{"\n"}}+{{$.Dir}}/{{.}}{{end}}{{end}}{{end}}`
	var out bytes.Buffer
	list := b.goTool(ctx, "list", "-e", "-deps", "-f", format, ".")
	list.Stdout = &out
	// What it cannot list, go build will complain about.
	_ = list.Run()
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSpace(line)
		if file, ok := strings.CutPrefix(line, "+"); ok {
			files = append(files, filepath.Clean(file))
			line = filepath.Dir(file)
		}
		if line != "" && !slices.Contains(dirs, line) {
			dirs = append(dirs, line)
		}
	}
	mod, err := b.goTool(ctx, "env", "GOMOD").Output()
	if name := strings.TrimSpace(string(mod)); err == nil && filepath.Base(name) == "go.mod" {
		dirs = append(dirs, filepath.Dir(name))
	}
	return dirs, files
}
