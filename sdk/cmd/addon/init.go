package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/billing-addons/customer-portal/sdk/manifest"
)

//go:embed templates/*.tmpl
var templates embed.FS

// initCmd starts a new add-on.
type initCmd struct {
	Dir       string `arg:"" help:"The folder to make; its name becomes the add-on's id."`
	ID        string `help:"The add-on's id, if not the folder's name."`
	Name      string `help:"The name people read; default made from the id."`
	Publisher string `default:"Example Company" help:"Who answers for the add-on."`
}

// Run writes the files of a small working add-on. It never overwrites a file.
func (c *initCmd) Run(con *console) error {
	if err := c.fill(); err != nil {
		return err
	}
	files, err := c.render()
	if err != nil {
		return err
	}
	if _, err := manifest.Parse(manifest.FileName, files[manifest.FileName]); err != nil {
		return fmt.Errorf("choose --id, --name or --publisher anew: %w", err)
	}
	for name := range files {
		if _, err := os.Lstat(filepath.Join(c.Dir, name)); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s exists already; choose an empty folder", filepath.Join(c.Dir, name))
		}
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(c.Dir, name), data, 0o644); err != nil {
			return err
		}
	}
	return con.printf(`%s is in %s. Next:
  cd %s
  go mod init example.com/%s
  go mod edit -replace github.com/billing-addons/customer-portal=PATH
  go mod tidy
  addon run --dev
PATH is a checkout of that module; leave the line out once it is published. The
command addon must be on your PATH: make build puts it into bin of the checkout.
README.md says how to check it and pack it.
`, c.Name, c.Dir, c.Dir, c.ID)
}

// fill makes the id and the name from the folder's name.
func (c *initCmd) fill() error {
	if c.ID == "" {
		abs, err := filepath.Abs(c.Dir)
		if err != nil {
			return err
		}
		c.ID = filepath.Base(abs)
	}
	if c.Name == "" {
		words := strings.FieldsFunc(c.ID, func(r rune) bool { return r == '-' })
		for i, w := range words {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
		c.Name = strings.Join(words, " ")
	}
	return nil
}

// render returns the files by name.
func (c *initCmd) render() (map[string][]byte, error) {
	set, err := template.New("").Funcs(template.FuncMap{"quote": strconv.Quote}).ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	files := map[string][]byte{}
	for _, name := range []string{manifest.FileName, "main.go", "README.md"} {
		var b bytes.Buffer
		if err := set.ExecuteTemplate(&b, name+".tmpl", c); err != nil {
			return nil, fmt.Errorf("fill in %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	return files, nil
}
