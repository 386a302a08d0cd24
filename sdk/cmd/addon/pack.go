package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// packCmd makes the archive of one version.
type packCmd struct {
	Manifest string            `default:"manifest.yaml" help:"The manifest; an icon it names is taken from beside it."`
	Binary   map[string]string `required:"" mapsep:"none" placeholder:"OS/ARCH=FILE" help:"A program and its platform, such as linux/amd64=dist/addon; may be repeated."`
	Static   []string          `sep:"none" placeholder:"DIR" help:"A folder whose files the host serves; may be repeated."`
	Include  []string          `sep:"none" placeholder:"FILE" help:"A document such as README.md, CHANGELOG.md or LICENSE; may be repeated."`
	Out      string            `short:"o" placeholder:"FILE" help:"The package to write; default <id>-<version>.addon."`
}

// Run writes the archive beside its final name and renames it, so that a
// half-written package is never found under it.
func (c *packCmd) Run(con *console) error {
	m, err := loadManifest(c.Manifest)
	if err != nil {
		return err
	}
	files, err := c.files(m)
	if err != nil {
		return err
	}
	out := c.Out
	if out == "" {
		out = m.ID + "-" + m.Version + pack.Extension
	}
	if !strings.HasSuffix(out, pack.Extension) {
		return fmt.Errorf("--out %s must end in %s", out, pack.Extension)
	}
	if err := writePackage(out, pack.Source{Files: files}); err != nil {
		return err
	}
	return c.report(con, m, out, len(files))
}

// files maps paths in the package to files on disk.
func (c *packCmd) files(m *manifest.Manifest) (map[string]string, error) {
	files := fileSet{manifest.FileName: c.Manifest}
	for platform, file := range c.Binary {
		if !m.SupportsPlatform(platform) {
			return nil, fmt.Errorf("--binary %s=%s: the manifest lists %s; add %s to platforms or leave it out",
				platform, file, strings.Join(m.Platforms, ", "), platform)
		}
		files[pack.BinaryPath(platform)] = file
	}
	for _, dir := range c.Static {
		if err := files.addStatic(dir); err != nil {
			return nil, err
		}
	}
	for _, file := range c.Include {
		if err := files.add(filepath.Base(file), file); err != nil {
			return nil, err
		}
	}
	if icon := m.IconFile(); icon != "" && files[icon] == "" {
		files[icon] = filepath.Join(filepath.Dir(c.Manifest), filepath.FromSlash(icon))
	}
	return files, nil
}

// fileSet maps paths in a package to files on disk.
type fileSet map[string]string

func (s fileSet) add(name, file string) error {
	if other, taken := s[name]; taken {
		return fmt.Errorf("%s would come from both %s and %s; leave one out", name, other, file)
	}
	s[name] = file
	return nil
}

func (s fileSet) addStatic(dir string) error {
	info, err := os.Stat(dir)
	if err != nil || !info.IsDir() {
		return fmt.Errorf("--static %s is not a folder", dir)
	}
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || (d.IsDir() && file != dir) || file == dir {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is a link or device; a package holds only regular files", file)
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return s.add(path.Join("static", filepath.ToSlash(rel)), file)
	})
}

func writePackage(out string, src pack.Source) (err error) {
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(out), ".pack-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(temp.Name()))
		}
	}()
	w := bufio.NewWriterSize(temp, 1<<20)
	if err := pack.Write(w, src); err != nil {
		return errors.Join(err, temp.Close())
	}
	if err := errors.Join(w.Flush(), temp.Chmod(0o644), temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", out, err)
	}
	return os.Rename(temp.Name(), out)
}

func (c *packCmd) report(con *console, m *manifest.Manifest, out string, count int) error {
	sum, err := pack.Digest(out)
	if err != nil {
		return err
	}
	info, err := os.Stat(out)
	if err != nil {
		return err
	}
	var has, lacks []string
	for _, p := range m.Platforms {
		if _, ok := c.Binary[p]; ok {
			has = append(has, p)
		} else {
			lacks = append(lacks, p)
		}
	}
	slices.Sort(has)
	if err := con.printf("Packed %s %s for %s: %s, %d files, %.1f MiB\nSHA-256 %s\n",
		m.Name, m.Version, strings.Join(has, ", "), out, count, float64(info.Size())/(1<<20), sum); err != nil {
		return err
	}
	if len(lacks) == 0 {
		return nil
	}
	return con.printf("It will not start on %s, which the manifest lists.\n", strings.Join(lacks, ", "))
}
