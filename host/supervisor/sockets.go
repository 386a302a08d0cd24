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
	// groups are nil where there are none.
	groups *cgroups
}

// errSwept says that another process swept a folder before its lock was held.
var errSwept = errors.New("socket folder was swept by another process")

// openSockets sweeps what dead processes left below dataDir and makes a folder
// for this one. A data folder with a long path gets its sockets in the system's
// temporary folder. Where add-ons are users of their own, they may pass through.
func openSockets(dataDir string, users bool) (s *sockets, err error) {
	for range 100 {
		s, err = tryOpenSockets(dataDir, users)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, errSwept) {
			return s, err
		}
	}
	return nil, err
}

// tryOpenSockets fails when other processes that start or end at this moment
// remove its folders before they are in use.
func tryOpenSockets(dataDir string, users bool) (*sockets, error) {
	mode := os.FileMode(0o700)
	if users {
		mode = 0o711
	}
	root, err := socketRoot(dataDir, mode)
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
	if err == nil {
		err = os.Chmod(dir, mode)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if _, err := os.Lstat(dir); err != nil {
		return nil, errors.Join(errSwept, lock.Close())
	}
	return &sockets{dir: dir, lock: lock}, nil
}

func (s *sockets) close() error {
	err := errors.Join(s.groups.close(), os.RemoveAll(s.dir), s.lock.Close())
	// It stays while another process has its sockets there.
	_ = os.Remove(filepath.Dir(s.dir))
	return err
}

func socketRoot(dataDir string, mode os.FileMode) (string, error) {
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
	if err := checkPrivate(root); err != nil {
		return "", err
	}
	if err := os.Chmod(root, mode); err != nil {
		return "", fmt.Errorf("make socket folder: %w", err)
	}
	return root, nil
}

// checkPrivate refuses a folder that somebody else made or can look into; passing
// through is allowed.
func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("look at socket folder: %w", err)
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&^0o011 != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%s must be a folder of this user with mode 0700", dir)
	}
	return nil
}

// sweep removes the folders whose process is gone, and ends what it left running:
// nobody holds their lock.
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
		if err := errors.Join(sweepCgroups(dir), os.RemoveAll(dir), lock.Close()); err != nil {
			return fmt.Errorf("sweep socket folder: %w", err)
		}
	}
	return nil
}

func lockDir(dir string) (*os.File, error) { return flock(dir, syscall.LOCK_EX|syscall.LOCK_NB) }

// waitLock is lockDir that waits for whoever has it locked.
func waitLock(dir string) (*os.File, error) { return flock(dir, syscall.LOCK_EX) }

// flock locks a folder until the file that it returns is closed, by whatever ends
// this process too.
func flock(dir string, how int) (*os.File, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock folder: %w", err), f.Close())
		}
	}
}
