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
	"path/filepath"
	"time"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
)

// documentTimeout is how long one document may take, and for how long after one
// could not be had no other is asked for.
const documentTimeout = 3 * time.Second

// Document implements Source. What was had once is kept, and checked again each
// time it is read.
func (c *Client) Document(ctx context.Context, m *manifest.Manifest, name string) ([]byte, error) {
	target := documentPath(m, name)
	v, err := c.lookSoon(ctx)
	if err != nil {
		if v, err = c.known(ctx); err != nil {
			return nil, err
		}
	}
	d, ok := v.documents[target]
	if documentFile(m, name) == "" || !ok {
		return nil, noDocument(m, name)
	}
	data, err := os.ReadFile(c.documentFile(d))
	if err != nil || !d.is(data) {
		if data, err = c.fetchDocument(ctx, v, target, d); err != nil {
			return nil, err
		}
	}
	if checkDocument(target, data) != nil {
		return nil, noDocument(m, name)
	}
	return data, nil
}

func (d document) is(data []byte) bool {
	sum := sha256.Sum256(data)
	return int64(len(data)) == d.size && hex.EncodeToString(sum[:]) == d.digest
}

func (c *Client) documentsDir() string           { return filepath.Join(c.dir, "documents") }
func (c *Client) documentFile(d document) string { return filepath.Join(c.documentsDir(), d.digest) }

// fetchDocument downloads a document and keeps it.
func (c *Client) fetchDocument(ctx context.Context, v view, target string, d document) ([]byte, error) {
	const message = "This part of the marketplace cannot be reached at the moment."
	c.mu.Lock()
	silent := time.Since(c.silent) < documentTimeout
	c.mu.Unlock()
	if silent {
		return nil, c.unavailable(message, errors.New("another document could not be had a moment ago"))
	}
	looking, cancel := context.WithTimeout(ctx, documentTimeout)
	defer cancel()
	data, err := c.readDocument(looking, target, d)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		c.mu.Lock()
		c.silent = time.Now()
		c.mu.Unlock()
		return nil, c.unavailable(message, err)
	}
	if !d.is(data) {
		return nil, apperr.Errorf(apperr.Invalid, "%s is refused: it is not the one that the marketplace signed.", target)
	}
	if err := c.keepDocument(v, d, data); err != nil {
		c.config.Log.Warn("document cannot be kept", "document", target, "error", err.Error())
	}
	return data, nil
}

// readDocument reads one byte more than it should get, at most.
func (c *Client) readDocument(ctx context.Context, target string, d document) (_ []byte, err error) {
	r, err := c.origin.open(ctx, "targets/"+storedDocument(target, d.digest))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	return io.ReadAll(io.LimitReader(r, d.size+1))
}

// keepDocument puts a document into the folder, and removes those that are not
// offered any more.
func (c *Client) keepDocument(v view, d document, data []byte) error {
	if err := os.MkdirAll(c.documentsDir(), 0o700); err != nil {
		return fmt.Errorf("keep document: %w", err)
	}
	offered := map[string]bool{}
	for _, d := range v.documents {
		offered[d.digest] = true
	}
	files, err := os.ReadDir(c.documentsDir())
	if err != nil {
		return fmt.Errorf("keep document: %w", err)
	}
	for _, file := range files {
		info, err := file.Info()
		if err != nil || offered[file.Name()] || time.Since(info.ModTime()) < time.Hour { // may be in use or in the making
			continue
		}
		if err := os.Remove(filepath.Join(c.documentsDir(), file.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove document that is not offered any more: %w", err)
		}
	}
	return writeFile(c.documentFile(d), data, 0o600)
}
