package sqldb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/lib/pq/pqerror"
	"github.com/pressly/goose/v3/lock"
)

// Alone calls do while no other process is in Alone or Migrate on this schema; it
// waits up to ten minutes for them. A process that is stopped for more than 15
// seconds may be passed, so do must bear that: let a unique key decide.
func Alone(ctx context.Context, db *DB, do func(ctx context.Context) error) error {
	direct, done, err := db.forMigrations(ctx)
	if err != nil {
		return err
	}
	defer done()
	unlock, err := direct.lockSchema(ctx)
	if err != nil {
		return fmt.Errorf("lock schema: %w", err)
	}
	return errors.Join(do(ctx), unlock())
}

// lockSchema takes the one lock of this schema and returns what gives it back. It
// waits up to ten minutes. PostgreSQL keeps it in a table of the schema, which
// works through PgBouncer too and expires 15 s after a killed holder; SQLite
// uses a lock on a file beside the database, which ends with its holder.
func (db *DB) lockSchema(ctx context.Context) (unlock func() error, err error) {
	if db.cfg.Driver == SQLite {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
		defer cancel()
		return lockFile(ctx, db.cfg.DSN+".lock")
	}
	ctx, cancel := context.WithCancel(ctx)
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName("schema_lock"),
		lock.WithTableLeaseDuration(15*time.Second),
		lock.WithTableHeartbeatInterval(3*time.Second),
		lock.WithTableRetryPolicy(func(err error) bool { return !isPostgres(err, pqerror.InsufficientPrivilege) }),
		lock.WithTableLockTimeout(100*time.Millisecond, 6000))
	if err != nil {
		cancel()
		return nil, err
	}
	if err := locker.Lock(ctx, db.W.DB); err != nil {
		cancel()
		return nil, err
	}
	return func() error {
		defer cancel() // ends the heartbeat
		if err := locker.Unlock(ctx, db.W.DB); err != nil {
			return fmt.Errorf("unlock schema: %w", err)
		}
		return nil
	}, nil
}

func lockFile(ctx context.Context, path string) (unlock func() error, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	retry := time.NewTicker(10 * time.Millisecond)
	defer retry.Stop()
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file.Close, nil // closing gives the lock back
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, ctx.Err()), file.Close())
		case <-retry.C:
		}
	}
}
