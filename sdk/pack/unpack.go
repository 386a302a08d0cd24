package pack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Unpack checks an archive and puts it into dest/<sha256 of the archive>, which
// appears complete or not at all. An intact folder that is there already is used;
// one that Verify refuses is replaced. Errors are those of Read.
//
// Files are not synced to disk: after a power cut Verify finds what was lost and
// Unpack mends it.
func Unpack(r io.Reader, dest string, limits Limits) (p *Package, err error) {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	Sweep(dest)
	temp, lock, err := makeTemp(dest)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp), lock.Close()) }()
	if err := os.Chmod(temp, 0o755); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	p, err = read(r, limits, func(f File, content io.Reader) error { return save(temp, f, content) })
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(dest, p.Digest)
	if err := place(temp, dir); err != nil {
		return nil, err
	}
	return Open(dir)
}

const (
	tempPrefix    = ".unpack-"
	damagedPrefix = ".damaged-"
)

// makeTemp makes a folder that nobody sweeps until the lock is closed, by
// whatever ends this process too.
func makeTemp(dest string) (temp string, lock *os.File, err error) {
	for range 100 {
		if temp, err = os.MkdirTemp(dest, tempPrefix); err != nil {
			return "", nil, fmt.Errorf("make folder: %w", err)
		}
		if lock, err = tryLock(temp); err != nil {
			continue // another process sweeps it
		}
		if _, err = os.Lstat(temp); err == nil {
			return temp, lock, nil
		}
		shut(lock)
	}
	return "", nil, fmt.Errorf("make folder: %w", err)
}

func tryLock(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		shut(f)
		return nil, err
	}
	return f, nil
}

// Sweep removes what processes that were killed while they unpacked have left in
// dest, and nothing that anybody still works on. What it cannot read or remove
// stays for the next time.
func Sweep(dest string) {
	entries, _ := os.ReadDir(dest)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) && !strings.HasPrefix(e.Name(), damagedPrefix) {
			continue
		}
		dir := filepath.Join(dest, e.Name())
		if lock, err := tryLock(dir); err == nil {
			_ = os.RemoveAll(dir)
			shut(lock)
		}
	}
}

// save writes one file of an archive. The name has been checked.
func save(dir string, f File, content io.Reader) error {
	name := filepath.Join(dir, filepath.FromSlash(f.Path))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	out, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("create %s: %w", f.Path, err)
	}
	if _, err := io.Copy(out, content); err != nil {
		return errors.Join(damaged(err), out.Close())
	}
	if err := out.Chmod(f.perm()); err != nil {
		return errors.Join(fmt.Errorf("chmod %s: %w", f.Path, err), out.Close())
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("close %s: %w", f.Path, err)
	}
	return nil
}

// place renames a folder into its place, unless an intact one is there already.
func place(temp, dir string) error {
	for range 3 {
		err := os.Rename(temp, dir)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("rename %s: %w", dir, err)
		}
		if Verify(dir) == nil {
			return nil
		}
		if err := Discard(dir); err != nil {
			return err
		}
	}
	return fmt.Errorf("rename %s: it keeps coming back damaged", dir)
}

// Discard removes an unpacked package, which is moved aside before: nobody sees
// half of it. Nothing happens if there is none.
func Discard(dir string) (err error) {
	aside, err := os.MkdirTemp(filepath.Dir(dir), damagedPrefix)
	if err != nil {
		return fmt.Errorf("make folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(aside)) }()
	if err := os.Rename(dir, filepath.Join(aside, "package")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move %s: %w", dir, err)
	}
	return nil
}
