package supervisor

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// maxSocketDir leaves room, in the 107 bytes of a socket's path, for the names
// that go-plugin adds.
const maxSocketDir = 50

// sockets is the private folder for the sockets of this process.
type sockets struct {
	dir  string
	lock *os.File
}

// errSwept says that another process swept a folder before its lock was held.
var errSwept = errors.New("socket folder was swept by another process")

// openSockets sweeps what dead processes left below dataDir and makes a folder
// for this one. A data folder with a long path gets its sockets in the system's
// temporary folder.
func openSockets(dataDir string) (s *sockets, err error) {
	for range 100 {
		s, err = tryOpenSockets(dataDir)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, errSwept) {
			return s, err
		}
	}
	return nil, err
}

// tryOpenSockets fails when other processes that start or end at this moment
// remove its folders before they are in use.
func tryOpenSockets(dataDir string) (*sockets, error) {
	root, err := socketRoot(dataDir)
	if err != nil {
		return nil, err
	}
	if err := sweep(root); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(root, "p")
	if err != nil {
		return nil, fmt.Errorf("make socket folder: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if _, err := os.Lstat(dir); err != nil {
		return nil, errors.Join(errSwept, lock.Close())
	}
	return &sockets{dir: dir, lock: lock}, nil
}

func (s *sockets) close() error {
	err := errors.Join(os.RemoveAll(s.dir), s.lock.Close())
	// It stays while another process has its sockets there.
	_ = os.Remove(filepath.Dir(s.dir))
	return err
}

func socketRoot(dataDir string) (string, error) {
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return "", fmt.Errorf("find data folder: %w", err)
	}
	root := filepath.Join(dataDir, "run")
	if len(root) > maxSocketDir {
		sum := sha256.Sum256([]byte(dataDir))
		root = filepath.Join(os.TempDir(), fmt.Sprintf("addons-%d-%s", os.Getuid(), hex.EncodeToString(sum[:4])))
	}
	if err := os.MkdirAll(filepath.Dir(root), 0o700); err != nil {
		return "", fmt.Errorf("make data folder: %w", err)
	}
	if err := os.Mkdir(root, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("make socket folder: %w", err)
	}
	return root, checkPrivate(root)
}

// checkPrivate refuses a folder that somebody else made or can look into.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at socket folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%s must be a folder of this user with mode 0700", dir)
	}
	return nil
}

// sweep removes the folders whose process is gone: nobody holds their lock.
func sweep(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("list socket folders: %w", err)
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		lock, err := lockDir(dir)
		if err != nil {
			continue // in use, or not ours
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return fmt.Errorf("sweep socket folder: %w", err)
		}
	}
	return nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open socket folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock socket folder: %w", err), f.Close())
	}
	return f, nil
}
