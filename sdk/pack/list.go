package pack

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// File is one entry of files.json.
type File struct {
	// Path is relative, with slashes.
	Path string `json:"path"`
	// SHA256 is in lower-case hexadecimal.
	SHA256 string `json:"sha256"`
	// Size is in bytes.
	Size int64 `json:"size"`
	// Mode is "0555" for programs and "0444" for everything else.
	Mode string `json:"mode"`
}

func (f File) perm() fs.FileMode {
	if f.Mode == modeProgram {
		return 0o555
	}
	return 0o444
}

const (
	modeProgram = "0555"
	modeOther   = "0444"
	// listFormat changes when an older reader could misread the list.
	listFormat = 1
	// maxListSize holds 4,096 entries with long names.
	maxListSize = 4 << 20
	maxPath     = 200
)

// Limits bounds what a reader takes. A zero field means its default.
type Limits struct {
	// Files is how many files a package may have; default 4,096.
	Files int
	// File is the size of the largest file in bytes; default 128 MiB.
	File int64
	// Total is the size of all files together in bytes; default 200 MiB.
	Total int64
}

func (l Limits) withDefaults() Limits {
	if l.Files == 0 {
		l.Files = 4096
	}
	if l.File == 0 {
		l.File = 128 << 20
	}
	if l.Total == 0 {
		l.Total = 200 << 20
	}
	return l
}

type fileList struct {
	Format int    `json:"format"`
	Files  []File `json:"files"`
}

func writeList(files []File) ([]byte, error) {
	data, err := json.MarshalIndent(fileList{Format: listFormat, Files: files}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", ListName, err)
	}
	return append(data, '\n'), nil
}

// parseList reads files.json and refuses every name, size and mode that a
// package may not have.
func parseList(data []byte, limits Limits) ([]File, error) {
	var list fileList
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		return nil, apperr.Wrap(apperr.Invalid, ListName+" is not a list of files.", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, refuse("%s has something after the list.", ListName)
	}
	if list.Format != listFormat {
		return nil, refuse("%s has format %d; this program reads format %d.", ListName, list.Format, listFormat)
	}
	if err := checkList(list.Files, limits.withDefaults()); err != nil {
		return nil, err
	}
	return list.Files, nil
}

func checkList(files []File, limits Limits) error {
	if len(files) > limits.Files {
		return refuse("The package has %d files; %d are allowed.", len(files), limits.Files)
	}
	names, total := map[string]bool{}, int64(0)
	for i, f := range files {
		if err := checkFile(f, limits); err != nil {
			return err
		}
		if names[f.Path] {
			return refuse("%s lists %s twice.", ListName, f.Path)
		}
		if i > 0 && f.Path < files[i-1].Path {
			return refuse("%s is not sorted by path: %s comes after %s.", ListName, f.Path, files[i-1].Path)
		}
		names[f.Path] = true
		if total += f.Size; total > limits.Total {
			return refuse("The files of the package have more than %s together.", size(limits.Total))
		}
	}
	for name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if names[dir] {
				return refuse("%s is both a file and a folder.", dir)
			}
		}
	}
	if !names[manifest.FileName] {
		return refuse("%s is missing from the package.", manifest.FileName)
	}
	return nil
}

func checkFile(f File, limits Limits) error {
	if err := checkName(f.Path); err != nil {
		return err
	}
	switch {
	case f.Path == ListName:
		return refuse("%s must not list itself.", ListName)
	case !digestPattern.MatchString(f.SHA256):
		return refuse("%s has no SHA-256 in %s.", f.Path, ListName)
	case f.Mode != modeFor(f.Path):
		return refuse("%s has mode %q in %s; it must be %s.", f.Path, f.Mode, ListName, modeFor(f.Path))
	case f.Size < 0:
		return refuse("%s has a size below zero in %s.", f.Path, ListName)
	case f.Size > limits.File:
		return refuse("%s has %s; a file may have %s.", f.Path, size(f.Size), size(limits.File))
	}
	return nil
}

// checkName refuses names that could leave the package's folder, hide in it or
// be read differently by another program.
func checkName(name string) error {
	switch {
	case !fs.ValidPath(name) || name == "." || strings.Contains(name, `\`) || len(name) > maxPath:
		return refuse("%q is not an allowed file name; it must be relative, without \"..\", and at most %d bytes long.", name, maxPath)
	case strings.ContainsFunc(name, unicode.IsControl):
		return refuse("%q has a control character in its name.", name)
	case strings.HasPrefix(name, "bin/") && !binaryPattern.MatchString(name):
		return refuse("%s does not belong there; bin holds only bin/<os>_<arch>/addon.", name)
	}
	return nil
}

func modeFor(name string) string {
	if binaryPattern.MatchString(name) {
		return modeProgram
	}
	return modeOther
}

// size writes bytes the way people read them.
func size(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}
