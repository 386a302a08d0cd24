package marketplace

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/billing-addons/customer-portal/sdk/apperr"
)

// packagePrefix begins the names of packages while they are downloaded.
const packagePrefix = "package-"

// download brings a package into a file without a name, which ends with its
// closing, and checks length and hash before anything of it is used.
func (c *Client) download(ctx context.Context, o Offer) (_ io.ReadCloser, err error) {
	name := o.Manifest.ID + " " + o.Manifest.Version
	if err := c.makeDir(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(c.dir, packagePrefix)
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if err := os.Remove(file.Name()); err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	looking, cancel := context.WithTimeout(ctx, c.config.DownloadTimeout)
	defer cancel()
	size, digest, err := c.copy(looking, file, o)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if full := noSpace(err); apperr.Is(full, apperr.Unavailable) {
		return nil, full
	}
	if err != nil {
		return nil, c.unavailable("The package of "+name+" cannot be had from the marketplace.", err)
	}
	tell(ctx, Progress{Verifying, size, o.Size})
	if size != o.Size || digest != o.Digest {
		return nil, apperr.Errorf(apperr.Invalid, "The package of %s is refused: it is not the one that the marketplace signed (%s).",
			name, difference(size, o.Size))
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("download %s: %w", name, err)
	}
	return file, nil
}

// copy reads one byte more than it should get, at most.
func (c *Client) copy(ctx context.Context, to io.Writer, o Offer) (size int64, digest string, err error) {
	r, err := c.origin.open(ctx, "targets/"+storedPath(o.Manifest.ID, o.Manifest.Version, o.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", errors.New("the file is missing")
	}
	if err != nil {
		return 0, "", err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	sum := sha256.New()
	from := &counted{io.LimitReader(r, o.Size+1), ctx, Progress{Step: Downloading, Total: o.Size}}
	size, err = io.Copy(io.MultiWriter(to, sum), from)
	return size, hex.EncodeToString(sum.Sum(nil)), err
}

// noSpace says of a full disk that it is one, and that it is not the marketplace's.
func noSpace(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return apperr.Wrap(apperr.Unavailable, "The disk of this server is full, so the package cannot be kept. Make room, then try again.", err)
	}
	return err
}

func difference(got, want int64) string {
	switch {
	case got < want:
		return "it is cut off"
	case got > want:
		return "it is longer"
	}
	return "its content was changed"
}
