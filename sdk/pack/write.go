package pack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Source says what goes into an archive. It must hold manifest.yaml; files.json
// is made by Write, and one in Dir is left out.
type Source struct {
	// Dir is a folder in the package's layout, taken whole; may be nil.
	Dir fs.FS
	// Files maps paths in the package to files on disk, in addition to Dir. A
	// path that Dir has too is taken from here.
	Files map[string]string
}

// Write writes the archive. Invalid if the manifest has mistakes, if a name, a
// size or the layout is not allowed, or if a link or device is among the files.
func Write(w io.Writer, src Source) error {
	inputs, err := src.inputs()
	if err != nil {
		return err
	}
	files := make([]File, 0, len(inputs))
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		f, err := inputs[name].describe(name)
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	if err := checkSource(inputs, files); err != nil {
		return err
	}
	return writeArchive(w, inputs, files)
}

// input is one file to be packed.
type input struct {
	dir  fs.FS
	name string
	disk string
}

func (in input) open() (fs.File, error) {
	if in.disk != "" {
		return os.Open(in.disk)
	}
	return in.dir.Open(in.name)
}

func (in input) describe(name string) (File, error) {
	if err := checkName(name); err != nil {
		return File{}, err
	}
	f, err := in.open()
	if errors.Is(err, fs.ErrNotExist) {
		return File{}, apperr.Wrap(apperr.Invalid, fmt.Sprintf("%s is missing: there is no file %s.", name, in.where()), err)
	}
	if err != nil {
		return File{}, fmt.Errorf("open %s: %w", name, err)
	}
	defer shut(f)
	info, err := f.Stat()
	if err != nil {
		return File{}, fmt.Errorf("stat %s: %w", name, err)
	}
	if !info.Mode().IsRegular() {
		return File{}, refuse("%s is not a regular file.", in.where())
	}
	sum, n, err := digest(f)
	if err != nil {
		return File{}, fmt.Errorf("read %s: %w", name, err)
	}
	return File{Path: name, SHA256: sum, Size: n, Mode: modeFor(name)}, nil
}

func (in input) where() string {
	if in.disk != "" {
		return in.disk
	}
	return in.name
}

func (src Source) inputs() (map[string]input, error) {
	inputs := map[string]input{}
	if src.Dir != nil {
		err := fs.WalkDir(src.Dir, ".", func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return fmt.Errorf("list %s: %w", name, err)
			case d.IsDir() || name == ListName:
				return nil
			case !d.Type().IsRegular():
				return refuse("%s is a link or device; a package holds only regular files.", name)
			}
			inputs[name] = input{dir: src.Dir, name: name}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	for name, disk := range src.Files {
		inputs[name] = input{disk: disk}
	}
	return inputs, nil
}

// checkSource refuses what a reader would refuse, before a byte is written.
func checkSource(inputs map[string]input, files []File) error {
	if err := checkList(files, Limits{}.withDefaults()); err != nil {
		return err
	}
	f, err := inputs[manifest.FileName].open()
	if err != nil {
		return fmt.Errorf("open manifest: %w", err)
	}
	defer shut(f)
	data, err := io.ReadAll(io.LimitReader(f, manifest.MaxSize+1))
	if err != nil {
		return fmt.Errorf("read manifest: %w", err)
	}
	m, err := manifest.Parse(inputs[manifest.FileName].where(), data)
	if err != nil {
		return err
	}
	return checkLayout(m, files)
}

func writeArchive(w io.Writer, inputs map[string]input, files []File) error {
	gz := gzip.NewWriter(w)
	tw := tar.NewWriter(gz)
	list, err := writeList(files)
	if err != nil {
		return err
	}
	if err := writeFile(tw, listEntry(list), bytes.NewReader(list)); err != nil {
		return err
	}
	for _, f := range files {
		if err := copyInput(tw, f, inputs[f.Path]); err != nil {
			return err
		}
	}
	if err := tw.Close(); err != nil {
		return fmt.Errorf("finish archive: %w", err)
	}
	if err := gz.Close(); err != nil {
		return fmt.Errorf("finish compression: %w", err)
	}
	return nil
}

func listEntry(list []byte) File {
	sum := sha256.Sum256(list)
	return File{Path: ListName, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(list)), Mode: modeOther}
}

func copyInput(tw *tar.Writer, f File, in input) error {
	r, err := in.open()
	if err != nil {
		return fmt.Errorf("open %s: %w", f.Path, err)
	}
	defer shut(r)
	return writeFile(tw, f, r)
}

// writeFile adds one file, refusing one that changed since it was hashed.
func writeFile(tw *tar.Writer, f File, r io.Reader) error {
	header := &tar.Header{
		Typeflag: tar.TypeReg, Name: f.Path, Size: f.Size, Mode: int64(f.perm()), Format: tar.FormatUSTAR,
	}
	if len(f.Path) > 100 || strings.ContainsFunc(f.Path, func(r rune) bool { return r > unicode.MaxASCII }) {
		header.Format = tar.FormatPAX
	}
	if err := tw.WriteHeader(header); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	sum, _, err := digest(io.TeeReader(r, tw))
	if err != nil && !errors.Is(err, tar.ErrWriteTooLong) {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	if err != nil || sum != f.SHA256 {
		return refuse("%s changed while it was packed; pack again.", f.Path)
	}
	return nil
}
