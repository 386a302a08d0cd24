// Package pack writes, reads and re-checks the archive of one add-on version.
//
// An .addon file is a gzip'd tar that holds only regular files: files.json first,
// which names every other file with its size, mode and SHA-256, then those files
// sorted by name. The same input gives the same bytes.
//
//	files.json
//	manifest.yaml
//	bin/<os>_<arch>/addon
//	static/…            served by the host
//	README.md, CHANGELOG.md, LICENSE, the icon and other documents
//
// A reader refuses whatever files.json does not name. Unpacked, a package lives
// in a folder named by the archive's SHA-256 and is checked again by Verify
// before each start.
package pack

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// Extension ends the name of an archive.
const Extension = ".addon"

// ListName is the file that names all others.
const ListName = "files.json"

// Package is one version of an add-on, read from an archive or a folder.
type Package struct {
	// Manifest is valid.
	Manifest *manifest.Manifest
	// Dir is the folder with the unpacked files; empty after Read.
	Dir string
	// Digest is the archive's SHA-256 in lower-case hexadecimal; empty if Open
	// was given a folder that is not named by it.
	Digest string
	// Files are the files of the package without files.json, sorted by path.
	Files []File
	// ListDigest is the SHA-256 of files.json. Who keeps it elsewhere can tell
	// that a folder was replaced as a whole.
	ListDigest string
}

// File returns the file with the path.
func (p *Package) File(name string) (File, bool) {
	for _, f := range p.Files {
		if f.Path == name {
			return f, true
		}
	}
	return File{}, false
}

// Path returns where a file of the package lies on disk.
func (p *Package) Path(name string) string { return filepath.Join(p.Dir, filepath.FromSlash(name)) }

// Binary returns the program for "os/arch". NotFound if the package has none;
// the message names those it has.
func (p *Package) Binary(platform string) (File, error) {
	if f, ok := p.File(BinaryPath(platform)); ok {
		return f, nil
	}
	return File{}, apperr.Errorf(apperr.NotFound, "%s %s has no program for %s; it has %s.",
		p.Manifest.Name, p.Manifest.Version, platform, strings.Join(p.Platforms(), ", "))
}

// Platforms returns the platforms the package has a program for.
func (p *Package) Platforms() []string {
	var found []string
	for _, f := range p.Files {
		if m := binaryPattern.FindStringSubmatch(f.Path); m != nil {
			found = append(found, m[1]+"/"+m[2])
		}
	}
	return found
}

// BinaryPath returns the path of the program for "os/arch" in a package.
func BinaryPath(platform string) string {
	return path.Join("bin", strings.ReplaceAll(platform, "/", "_"), "addon")
}

var (
	binaryPattern = regexp.MustCompile(`^bin/([a-z0-9]+)_([a-z0-9]+)/addon$`)
	digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// Digest returns a file's SHA-256 in lower-case hexadecimal: for an archive, the
// name of the folder Unpack makes.
func Digest(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	defer shut(f)
	sum, _, err := digest(f)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", file, err)
	}
	return sum, nil
}

// Open reads an unpacked package. It does not hash the files; call Verify before
// each start. Invalid if the folder holds no sound list or manifest.
func Open(dir string) (*Package, error) {
	p, err := open(dir)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// open is Open that returns what describe does.
func open(dir string) (*Package, error) {
	list, err := readSmall(os.DirFS(dir), ListName, maxListSize)
	if err != nil {
		return nil, err
	}
	data, err := readSmall(os.DirFS(dir), manifest.FileName, manifest.MaxSize)
	if err != nil {
		return nil, err
	}
	p, err := describe(list, data)
	if p == nil {
		return nil, err
	}
	p.Dir = dir
	if base := filepath.Base(dir); digestPattern.MatchString(base) {
		p.Digest = base
	}
	return p, err
}

// describe makes a Package of a list and a manifest that belong together. Beside
// an error about the manifest or the layout comes what could be read.
func describe(list, data []byte) (*Package, error) {
	files, err := parseList(list, Limits{})
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(list)
	p := &Package{Files: files, ListDigest: hex.EncodeToString(sum[:])}
	if p.Manifest, err = manifest.Inspect(manifest.FileName, data); err != nil {
		return p, err
	}
	return p, checkLayout(p.Manifest, files)
}

// checkLayout refuses a package whose manifest and files contradict each other.
func checkLayout(m *manifest.Manifest, files []File) error {
	p, errs := &Package{Manifest: m, Files: files}, []error{}
	for _, platform := range p.Platforms() {
		if !m.SupportsPlatform(platform) {
			errs = append(errs, refuse("%s is not for a platform of the manifest (%s); add %s to platforms or leave the program out.",
				BinaryPath(platform), strings.Join(m.Platforms, ", "), platform))
		}
	}
	if len(p.Platforms()) == 0 {
		errs = append(errs, refuse("The package has no program; it needs %s for at least one platform.", BinaryPath(m.Platforms[0])))
	}
	if icon := m.IconFile(); icon != "" {
		if _, ok := p.File(icon); !ok {
			errs = append(errs, refuse("The manifest's icon %s is not in the package.", icon))
		}
	}
	return errors.Join(errs...)
}

func refuse(format string, args ...any) error { return apperr.Errorf(apperr.Invalid, format, args...) }

func digest(r io.Reader) (string, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// readSmall reads a regular file of at most limit bytes.
func readSmall(dir fs.FS, name string, limit int64) ([]byte, error) {
	f, err := dir.Open(name)
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, name+" is missing or cannot be read.", err)
	}
	defer shut(f)
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, apperr.Wrap(apperr.Invalid, name+" cannot be read.", err)
	}
	if int64(len(data)) > limit {
		return nil, refuse("%s is larger than %s.", name, size(limit))
	}
	return data, nil
}

// shut closes a file that was only read.
func shut(f io.Closer) {
	_ = f.Close() // nothing was written, so nothing can be lost
}
