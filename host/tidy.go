package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/billing-addons/customer-portal/sdk/pack"
)

const (
	// tidyEvery is how often folders of packages that nobody needs are looked for.
	tidyEvery = 10 * time.Minute
	// freshPackage is the age below which a folder is left alone: whoever unpacked it
	// may be about to choose it.
	freshPackage = 10 * time.Minute
)

var digestName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// tidy removes the folders of packages that are neither the version that runs, nor
// the one before, nor the one that is wanted, and that no process runs: each holds
// a shared lock on its folder, whichever host started it.
func (s *shelf) tidy(ctx context.Context, now time.Time) error {
	pack.Sweep(s.dir)
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list packages: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if !digestName.MatchString(e.Name()) || err != nil || now.Sub(info.ModTime()) < freshPackage {
			continue
		}
		if err := s.discard(ctx, e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// discard removes one folder unless somebody needs it. Who begins to need it after
// the lock is taken finds it gone or there, never half: it is renamed first.
func (s *shelf) discard(ctx context.Context, digest string) (err error) {
	dir := filepath.Join(s.dir, digest)
	f, err := os.Open(dir)
	if err != nil {
		return nil // another host was first
	}
	defer func() { _ = f.Close() }() // nothing was written
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return nil // it runs
	}
	needed, err := s.needed(ctx, digest)
	if err != nil || needed {
		return err
	}
	if err := pack.Discard(dir); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "package of an older version removed", "digest", digest)
	return nil
}

func (s *shelf) needed(ctx context.Context, digest string) (bool, error) {
	list, err := s.active(ctx)
	if err != nil {
		return false, err
	}
	for _, a := range list {
		if digest == a.Digest || digest == a.Next.Digest || digest == a.Previous.Digest {
			return true, nil
		}
	}
	return false, nil
}

// keepTidy calls tidy at once and from time to time, until ctx ends.
func (s *shelf) keepTidy(ctx context.Context, now func() time.Time) error {
	again := time.NewTicker(tidyEvery)
	defer again.Stop()
	for {
		if err := s.tidy(ctx, now()); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "packages of older versions not removed", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-again.C:
		}
	}
}
