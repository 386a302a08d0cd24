package marketplace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// How long the files may be, in bytes, and how many roots a host follows in one
// look: a marketplace that lags that far behind is not followed at once.
const (
	maxRoot      = 512 << 10
	maxTimestamp = 16 << 10
	maxSnapshot  = 2 << 20
	maxTargets   = 64 << 20
	maxRoots     = 1024
)

// lookPrefix begins the names of folders in which a look is under way.
const lookPrefix = "look-"

// refresh looks at the marketplace and falls back on what is known of it, as long
// as that is valid, if it cannot be reached.
func (c *Client) refresh(ctx context.Context, now time.Time) (_ view, err error) {
	if err := c.makeDir(); err != nil {
		return view{}, noSpace(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	unlock, err := lock(ctx, c.dir)
	if errors.Is(err, context.DeadlineExceeded) { // another process on this folder is looking
		return c.offline(now, &getter{failed: err})
	}
	if err != nil {
		return view{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := c.sweep(); err != nil {
		return view{}, err
	}
	known, err := loadTrusted(c.dir, c.root)
	if err != nil {
		return view{}, err
	}
	get := &getter{ctx: ctx, origin: c.origin}
	v, err := c.update(known, now, get)
	switch {
	case err == nil:
		return v, nil
	case apperr.Is(noSpace(err), apperr.Unavailable):
		return view{}, noSpace(err)
	case get.failed == nil:
		c.config.Log.Warn("marketplace is refused", "file", get.file, "error", err.Error())
		return view{}, c.refusal(get.file, err)
	}
	c.config.Log.Warn("marketplace cannot be reached", "file", get.file, "error", get.failed.Error())
	return c.offline(now, get)
}

// update follows the marketplace from what is known and keeps the outcome. The
// newest root is kept also when the rest cannot be had: the keys that it took the
// trust from never count again.
func (c *Client) update(known trusted, now time.Time, get *getter) (_ view, err error) {
	temp, err := c.layOut(known)
	if err != nil {
		return view{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	u, err := c.updater(known, temp, now, get, false)
	if err != nil {
		return view{}, err
	}
	if err := u.Refresh(); err != nil {
		return view{}, errors.Join(expired(u, now, err), c.keepRoot(known, temp))
	}
	next, err := readTrusted(temp)
	if err != nil {
		return view{}, err
	}
	if !maps.EqualFunc(known, next, bytes.Equal) {
		if err := next.save(c.dir); err != nil {
			return view{}, err
		}
	}
	return c.viewOf(targetsOf(u))
}

// keepRoot keeps the root that was followed last.
func (c *Client) keepRoot(known trusted, temp string) error {
	root, err := os.ReadFile(filepath.Join(temp, RoleRoot+".json"))
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	if bytes.Equal(root, known[RoleRoot]) {
		return nil
	}
	next := maps.Clone(known)
	next[RoleRoot] = root
	return next.save(c.dir)
}

// layOut makes a folder of its own for the updater.
func (c *Client) layOut(known trusted) (dir string, err error) {
	if dir, err = os.MkdirTemp(c.dir, lookPrefix); err != nil {
		return "", fmt.Errorf("look at the marketplace: %w", err)
	}
	if err := known.write(dir); err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	return dir, nil
}

// sweep removes what processes that were killed have left an hour ago.
func (c *Client) sweep() error {
	files, err := os.ReadDir(c.dir)
	if err != nil {
		return fmt.Errorf("look at the marketplace: %w", err)
	}
	for _, file := range files {
		left := strings.HasPrefix(file.Name(), lookPrefix) || strings.HasPrefix(file.Name(), packagePrefix) || strings.HasPrefix(file.Name(), newPrefix)
		if info, err := file.Info(); err != nil || !left || time.Since(info.ModTime()) < time.Hour {
			continue
		}
		if err := os.RemoveAll(filepath.Join(c.dir, file.Name())); err != nil {
			return fmt.Errorf("clear away an old look: %w", err)
		}
	}
	return nil
}

// known returns what this host knows of the marketplace without looking at it.
func (c *Client) known(ctx context.Context) (view, error) {
	if ctx.Err() != nil {
		return view{}, ctx.Err()
	}
	if err := c.makeDir(); err != nil {
		return view{}, err
	}
	return c.offline(c.config.Now(), &getter{failed: errors.New("it was not asked")})
}

// offline takes what is known.
func (c *Client) offline(now time.Time, get *getter) (_ view, err error) {
	const why = "The marketplace cannot be reached"
	known, err := loadTrusted(c.dir, c.root)
	if err != nil {
		return view{}, err
	}
	if len(known[RoleTargets]) == 0 {
		return view{}, c.unavailable(why+", and nothing is known of it yet.", get.failed)
	}
	temp, err := c.layOut(known)
	if err != nil {
		return view{}, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	u, err := c.updater(known, temp, now, get, true)
	if err != nil {
		return view{}, err
	}
	if err := u.Refresh(); err != nil {
		return view{}, c.stale(why, get, expired(u, now, err))
	}
	v, err := c.viewOf(targetsOf(u))
	v.trouble = c.unavailable(why+"; this is what it offered when it last could be.", get.failed)
	return v, err
}

// stale says what is wrong with what is known.
func (c *Client) stale(why string, get *getter, err error) error {
	if e, ok := errors.AsType[expiredError](err); ok {
		return c.unavailable(why+", and what is known of it expired on "+e.day()+".", errors.Join(get.failed, err))
	}
	if _, ok := errors.AsType[*metadata.ErrExpiredMetadata](err); ok {
		return c.unavailable(why+", and what is known of it has expired.", errors.Join(get.failed, err))
	}
	return c.refusal(trustedFile, err)
}

func (c *Client) updater(known trusted, temp string, now time.Time, get *getter, local bool) (*updater.Updater, error) {
	u, err := updater.New(&config.UpdaterConfig{
		MaxRootRotations: maxRoots, RootMaxLength: maxRoot, TimestampMaxLength: maxTimestamp,
		SnapshotMaxLength: maxSnapshot, TargetsMaxLength: maxTargets,
		Fetcher: get, LocalTrustedRoot: known[RoleRoot], LocalMetadataDir: temp, LocalTargetsDir: temp,
		RemoteMetadataURL: "metadata", RemoteTargetsURL: "targets", PrefixTargetsWithHash: true, UnsafeLocalMode: local,
	})
	if err != nil {
		return nil, err
	}
	u.UnsafeSetRefTime(now)
	return u, nil
}

func targetsOf(u *updater.Updater) (*metadata.TargetsType, []Expiry) {
	set := u.GetTrustedMetadataSet()
	targets := &set.Targets[RoleTargets].Signed
	return targets, []Expiry{
		{RoleRoot, set.Root.Signed.Expires}, {RoleTargets, targets.Expires},
		{RoleSnapshot, set.Snapshot.Signed.Expires}, {RoleTimestamp, set.Timestamp.Signed.Expires},
	}
}

// getter reads the marketplace's metadata for the updater.
type getter struct {
	ctx    context.Context // the updater hands none on
	origin origin
	file   string // the last that was asked for
	failed error  // why it could not be had
}

// DownloadFile implements the updater's Fetcher.
func (g *getter) DownloadFile(name string, limit int64, _ time.Duration) (_ []byte, err error) {
	g.file = path.Base(name)
	limit = min(limit, maxTargets)
	r, err := g.origin.open(g.ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		err = &metadata.ErrDownloadHTTP{StatusCode: 404, URL: name}
		if !isRoot(g.file) {
			g.failed = err
		}
		return nil, err
	}
	if err != nil {
		g.failed = err
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		g.failed = err
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, &tooLong{limit}
	}
	return data, nil
}

// isRoot tells the one file that may be missing: the root after the newest.
func isRoot(file string) bool { return path.Ext(file[:len(file)-len(".json")]) == "."+RoleRoot }
