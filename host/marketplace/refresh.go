package marketplace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
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

// refresh looks at the marketplace and falls back on what is known of it, as long
// as that is valid, if it cannot be reached.
func (c *Client) refresh(ctx context.Context, now time.Time) (_ view, err error) {
	if err := c.makeDir(); err != nil {
		return view{}, err
	}
	unlock, err := lock(ctx, c.dir)
	if err != nil {
		return view{}, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	temp := filepath.Join(c.dir, "look") // nobody else's, as long as the lock is held
	if err := errors.Join(os.RemoveAll(temp), os.Mkdir(temp, 0o700)); err != nil {
		return view{}, fmt.Errorf("look at the marketplace: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(temp)) }()
	known, err := loadTrusted(c.dir, c.root)
	if err != nil {
		return view{}, err
	}
	looking, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	get := &getter{ctx: looking, origin: c.origin}
	v, err := c.update(known, temp, now, get)
	if err == nil || ctx.Err() != nil {
		return v, err
	}
	if get.failed == nil {
		c.config.Log.Warn("marketplace is refused", "file", get.file, "error", err.Error())
		return view{}, c.refusal(get.file, err)
	}
	c.config.Log.Warn("marketplace cannot be reached", "file", get.file, "error", get.failed.Error())
	return c.offline(known, temp, now, get)
}

// update follows the marketplace from what is known and keeps the outcome.
func (c *Client) update(known trusted, temp string, now time.Time, get *getter) (view, error) {
	u, err := c.updater(known, temp, now, get, false)
	if err != nil {
		return view{}, err
	}
	if err := u.Refresh(); err != nil {
		return view{}, expired(u, now, err)
	}
	next, err := readTrusted(temp)
	if err != nil {
		return view{}, err
	}
	if !maps.EqualFunc(known, next, func(a, b []byte) bool { return string(a) == string(b) }) {
		if err := next.save(c.dir); err != nil {
			return view{}, err
		}
	}
	return c.viewOf(targetsOf(u))
}

// offline takes what is known.
func (c *Client) offline(known trusted, temp string, now time.Time, get *getter) (view, error) {
	const why = "The marketplace cannot be reached"
	if len(known[RoleTargets]) == 0 {
		return view{}, c.unavailable(why+", and nothing is known of it yet.", get.failed)
	}
	u, err := c.updater(known, temp, now, get, true)
	if err != nil {
		return view{}, err
	}
	if err := u.Refresh(); err != nil {
		err = expired(u, now, err)
		var e expiredError
		if errors.As(err, &e) {
			return view{}, c.unavailable(why+", and what is known of it expired on "+e.day()+".", errors.Join(get.failed, err))
		}
		var ended *metadata.ErrExpiredMetadata
		if errors.As(err, &ended) {
			return view{}, c.unavailable(why+", and what is known of it has expired.", errors.Join(get.failed, err))
		}
		return view{}, c.refusal(trustedFile, err)
	}
	return c.viewOf(targetsOf(u))
}

func (c *Client) updater(known trusted, temp string, now time.Time, get *getter, local bool) (*updater.Updater, error) {
	if err := known.write(temp); err != nil {
		return nil, err
	}
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
