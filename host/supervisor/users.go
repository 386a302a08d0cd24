package supervisor

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// Users is a range of user ids, and group ids alike, that belong to add-ons and to
// nobody else. The zero value means that add-ons run as the host's user.
type Users struct{ First, Last int }

// On tells whether add-ons run as users of their own.
func (u Users) On() bool { return u != Users{} }

// Check says what is wrong with the range. Only root may start processes of
// other users.
func (u Users) Check() error {
	switch {
	case !u.On():
		return nil
	case os.Geteuid() != 0:
		return errors.New("only root can run add-ons as users of their own")
	case u.First < 1 || u.Last < u.First:
		return fmt.Errorf("%d-%d is no range of user ids above 0", u.First, u.Last)
	}
	return nil
}

func (u Users) has(uid int) bool { return u.On() && u.First <= uid && uid <= u.Last }

// Folder makes or finds the folder below root that belongs to one add-on and, if
// the range is on, to a user of its own, which it returns; else 0. Its owner is the
// only record of who has which user id, and stays the same. Call it while the
// add-on does not run, or runs as that user already.
func (u Users) Folder(root, addonID string) (dir string, user int, err error) {
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", 0, fmt.Errorf("make folder of add-ons: %w", err)
	}
	if u.On() {
		if err := os.Chmod(root, 0o711); err != nil {
			return "", 0, fmt.Errorf("let add-ons pass: %w", err)
		}
	}
	lock, err := waitLock(root)
	if err != nil {
		return "", 0, err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	dir = filepath.Join(root, addonID)
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", 0, fmt.Errorf("make folder of add-on: %w", err)
	}
	now, err := ownerOf(dir)
	if err != nil {
		return "", 0, err
	}
	user = now
	if !u.On() {
		user = os.Geteuid()
	} else if !u.has(now) {
		if user, err = u.free(root, addonID); err != nil {
			return "", 0, err
		}
	}
	if now != user {
		if err := handOver(dir, user); err != nil {
			return "", 0, err
		}
	}
	if !u.On() {
		user = 0
	}
	return dir, user, nil
}

// free returns a user id that owns no folder in root.
func (u Users) free(root, addonID string) (int, error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return 0, fmt.Errorf("list folders of add-ons: %w", err)
	}
	var taken []int
	for _, e := range entries {
		uid, err := ownerOf(filepath.Join(root, e.Name()))
		if err != nil {
			return 0, err
		}
		taken = append(taken, uid)
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(addonID)) // never fails
	n := u.Last - u.First + 1
	begin := int(h.Sum32() % uint32(n))
	for i := range n {
		if uid := u.First + (begin+i)%n; !slices.Contains(taken, uid) {
			return uid, nil
		}
	}
	return 0, apperr.Errorf(apperr.Unavailable, "The range of user ids for add-ons, %d-%d, is used up; make it longer.", u.First, u.Last)
}

func ownerOf(path string) (int, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return 0, fmt.Errorf("look at folder of add-on: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() {
		return 0, fmt.Errorf("%s is no folder", path)
	}
	return int(stat.Uid), nil
}

// handOver gives a folder and the files in it to a user, the folder last: what was
// interrupted begins again. A file with several names may be somebody else's too.
func handOver(dir string, user int) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("open folder of add-on: %w", err)
	}
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() && (!info.Mode().IsRegular() || stat.Nlink != 1) {
			return nil
		}
		return root.Lchown(name, user, user)
	})
	if err = errors.Join(err, root.Close()); err != nil {
		return fmt.Errorf("hand over folder of add-on: %w", err)
	}
	if err := os.Lchown(dir, user, user); err != nil {
		return fmt.Errorf("hand over folder of add-on: %w", err)
	}
	return nil
}

// LetPass lets the users of add-ons pass through a folder of the host, and closes
// what is in it, but for the folders named: files in any case, folders if nobody
// could pass before. Unavailable if there is a folder above that lets nobody pass.
func LetPass(dir string, except ...string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("look at folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("list folder: %w", err)
	}
	passable := info.Mode().Perm()&0o001 != 0
	for _, e := range entries {
		if e.IsDir() && (passable || slices.Contains(except, e.Name())) || !e.IsDir() && !e.Type().IsRegular() {
			continue
		}
		name := filepath.Join(dir, e.Name())
		now, err := os.Lstat(name)
		if err == nil {
			err = os.Chmod(name, now.Mode().Perm()&0o700)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("close to add-ons: %w", err)
		}
	}
	if err := os.Chmod(dir, info.Mode().Perm()|0o011); err != nil {
		return fmt.Errorf("let add-ons pass: %w", err)
	}
	for above := filepath.Dir(dir); ; above = filepath.Dir(above) {
		info, err := os.Stat(above)
		if err != nil {
			return fmt.Errorf("look at folder: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return apperr.Errorf(apperr.Unavailable, "The users of add-ons cannot reach %s: %s lets nobody pass (chmod o+x).", dir, above)
		}
		if above == filepath.Dir(above) {
			return nil
		}
	}
}
