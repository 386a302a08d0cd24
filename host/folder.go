package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/billing-addons/customer-portal/host/supervisor"
	"github.com/billing-addons/customer-portal/sdk"
	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/sqldb"
)

// databaseFile is the name of an add-on's SQLite file in its folder.
const databaseFile = "data.db"

// env returns what an add-on gets at its start: its key, a folder and perhaps a
// user of its own, and a database if it asked for one.
func (h *Host) env(ctx context.Context, m *manifest.Manifest) (supervisor.Env, error) {
	c := h.config
	key, err := c.derive("addon/" + m.ID)
	if err != nil {
		return supervisor.Env{}, err
	}
	env := supervisor.Env{Key: key}
	env.Folder, env.User, err = c.AddonUsers.Folder(filepath.Join(c.DataDir, "addons"), m.ID)
	if err != nil || !m.HasPermission("database") {
		return env, err
	}
	before := filepath.Join(c.DataDir, "addon_"+strings.ReplaceAll(m.ID, "-", "_")+".db")
	if c.AddonDatabase != nil {
		if env.Database, err = c.AddonDatabase(ctx, m.ID); err != nil || env.Database.Driver != sqldb.SQLite {
			return env, err
		}
		before = env.Database.DSN
	}
	file := filepath.Join(env.Folder, databaseFile)
	if err := moveDatabase(before, file, env.User); err != nil {
		return env, err
	}
	env.Database = sdk.Database{Driver: sqldb.SQLite, DSN: file, DirectDSN: file}
	return env, nil
}

// moveDatabase brings an SQLite file into the add-on's folder, with what SQLite
// keeps beside it; nothing happens if there is none. The file itself moves last: an
// interrupted move goes on at the next start. Unavailable while anybody uses it.
func moveDatabase(from, to string, user int) error {
	if from == to {
		return nil
	}
	err := unused(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fmt.Errorf("there are two database files, %s and %s: keep one", from, to), err)
	}
	for _, suffix := range []string{"-journal", "-wal", "-shm", ""} {
		if err := moveFile(from+suffix, to+suffix, user); err != nil {
			return err
		}
	}
	return nil
}

// moveFile renames a file, if it is there, and gives it to its new user before.
func moveFile(from, to string, user int) error {
	if user != 0 {
		if err := os.Lchown(from, user, user); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("hand over database: %w", err)
		}
	}
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move database into the add-on's folder: %w", err)
	}
	return nil
}

// unused returns nil if no process has the SQLite file open: each holds a lock in
// the range that SQLite keeps for them.
func unused(file string) (err error) {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const locks, length = 0x40000000, 512
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: locks, Len: length}
	if err := unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
		return fmt.Errorf("look for users of database: %w", err)
	}
	if lock.Type != unix.F_UNLCK {
		return apperr.Errorf(apperr.Unavailable, "%s is in use; it moves into the add-on's own folder when nothing uses it.", file)
	}
	return nil
}
