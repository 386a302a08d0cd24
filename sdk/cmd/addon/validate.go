package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// validateCmd checks a manifest, the folder around one, an unpacked package or
// an archive.
type validateCmd struct {
	Path  string `arg:"" optional:"" default:"." help:"A folder with manifest.yaml, a manifest, or an .addon package."`
	Quiet bool   `short:"q" help:"Only say whether it is valid."`
}

// Run prints what the add-on asks for, or returns every mistake.
func (c *validateCmd) Run(con *console) error {
	m, err := c.load()
	if err != nil {
		return err
	}
	if !c.Quiet {
		if err := con.printf("%s\n", m.Explain()); err != nil {
			return err
		}
	}
	return con.printf("%s is valid.\n", c.Path)
}

func (c *validateCmd) load() (*manifest.Manifest, error) {
	info, err := os.Stat(c.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; give a folder with %s, a manifest or an %s package", c.Path, manifest.FileName, pack.Extension)
	}
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return loadFolder(c.Path)
	case strings.HasSuffix(c.Path, pack.Extension):
		return loadPackage(c.Path)
	}
	return loadManifest(c.Path)
}

// loadFolder checks an unpacked package file by file, any other folder by its manifest.
func loadFolder(dir string) (*manifest.Manifest, error) {
	if _, err := os.Stat(filepath.Join(dir, pack.ListName)); err == nil {
		if err := pack.Verify(dir); err != nil {
			return nil, err
		}
	}
	return loadManifest(filepath.Join(dir, manifest.FileName))
}

func loadPackage(file string) (*manifest.Manifest, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	p, err := pack.Read(f, pack.Limits{})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p.Manifest, nil
}

func loadManifest(file string) (*manifest.Manifest, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s does not exist; addon init writes one to start from", file)
	}
	if err != nil {
		return nil, err
	}
	return manifest.Parse(file, data)
}
