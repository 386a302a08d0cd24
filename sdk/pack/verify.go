package pack

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Verify hashes every file of an unpacked package and compares it with the list.
// Invalid, naming the file, if one has changed, is missing, is not listed or is
// no regular file, or if a mode differs. Call it before each start.
func Verify(dir string) error {
	p, err := Open(dir)
	if err != nil {
		return err
	}
	return p.verify("")
}

// Verify is the function Verify, and refuses as well a folder whose files.json
// is another one than when p was opened.
func (p *Package) Verify() error { return p.VerifyBut("") }

// VerifyBut is Verify without the content of one file, which the caller compares
// with the list while reading it; "" is none.
func (p *Package) VerifyBut(name string) error {
	now, err := Open(p.Dir)
	if err != nil {
		return err
	}
	if now.ListDigest != p.ListDigest {
		return changed(File{Path: ListName, SHA256: p.ListDigest}, now.ListDigest)
	}
	return now.verify(name)
}

func (p *Package) verify(but string) error {
	listed := map[string]File{}
	for _, f := range p.Files {
		listed[f.Path] = f
	}
	err := filepath.WalkDir(p.Dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("list %s: %w", file, err)
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(p.Dir, file)
		if err != nil {
			return fmt.Errorf("list %s: %w", file, err)
		}
		name := filepath.ToSlash(rel)
		f, ok := listed[name]
		switch {
		case !d.Type().IsRegular():
			return refuse("%s is a link or device; a package holds only regular files.", name)
		case name == ListName:
			return nil
		case !ok:
			return refuse("%s is not listed in %s.", name, ListName)
		}
		delete(listed, name)
		return verifyFile(file, f, name == but)
	})
	if err != nil {
		return err
	}
	for _, f := range p.Files {
		if _, missing := listed[f.Path]; missing {
			return refuse("%s is missing from the package.", f.Path)
		}
	}
	return nil
}

// verifyFile checks a file, and its content unless that is trusted.
func verifyFile(file string, f File, trusted bool) error {
	in, err := os.Open(file)
	if err != nil {
		return apperr.Wrap(apperr.Invalid, f.Path+" cannot be read.", err)
	}
	defer shut(in)
	info, err := in.Stat()
	if err != nil {
		return fmt.Errorf("stat %s: %w", f.Path, err)
	}
	if !info.Mode().IsRegular() {
		return refuse("%s is no regular file.", f.Path)
	}
	if info.Mode().Perm() != f.perm() {
		return refuse("%s has mode %04o; it was packed as %s.", f.Path, info.Mode().Perm(), f.Mode)
	}
	if trusted {
		return nil
	}
	sum, _, err := digest(in)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	if sum != f.SHA256 {
		return changed(f, sum)
	}
	return nil
}
