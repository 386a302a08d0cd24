package pages

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/billing-addons/customer-portal/sdk/web"
)

// maxCompressed is the largest file that is compressed; larger ones are sent as
// they are.
const maxCompressed = 8 << 20

// compressed keeps compressed copies of static files, dir/<digest>/<name>.gz. They
// are made when a file is first asked for. What an earlier process left counts for
// nothing, so every copy is of a package this process has opened; copies of
// packages that are gone are removed.
type compressed struct {
	dir string

	mu     sync.Mutex
	begun  bool
	copies map[string]map[string]*copyOf // by digest and name
}

// copyOf is the compressed copy of one file.
type copyOf struct {
	once sync.Once
	path string // empty if there is none
}

// open returns the compressed copy of a file in a package's static folder; nil if
// compressing does not pay. keep tells which digests are still in use.
func (c *compressed) open(from *os.File, size int64, digest, name string, keep func(digest string) bool) (*os.File, error) {
	if c.dir == "" || size > maxCompressed || !compressible(filepath.Ext(name)) {
		return nil, nil
	}
	made, err := c.find(digest, name, keep)
	if err != nil {
		return nil, err
	}
	made.once.Do(func() { made.path, err = c.make(from, digest, name) })
	if made.path == "" || err != nil {
		return nil, err
	}
	f, err := os.Open(made.path)
	if errors.Is(err, os.ErrNotExist) { // removed meanwhile, with its package
		return nil, nil
	}
	return f, err
}

func (c *compressed) find(digest, name string, keep func(string) bool) (*copyOf, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.begun {
		if err := os.RemoveAll(c.dir); err != nil {
			return nil, fmt.Errorf("empty folder of compressed files: %w", err)
		}
		c.begun, c.copies = true, map[string]map[string]*copyOf{}
	}
	if c.copies[digest] == nil {
		if err := c.sweep(keep); err != nil {
			return nil, err
		}
		if err := os.MkdirAll(filepath.Join(c.dir, digest), 0o700); err != nil {
			return nil, fmt.Errorf("make folder of compressed files: %w", err)
		}
		c.copies[digest] = map[string]*copyOf{}
	}
	if c.copies[digest][name] == nil {
		c.copies[digest][name] = &copyOf{}
	}
	return c.copies[digest][name], nil
}

// sweep removes the copies of packages that are gone. The caller holds the lock.
func (c *compressed) sweep(keep func(string) bool) error {
	for digest := range c.copies {
		if keep(digest) {
			continue
		}
		delete(c.copies, digest)
		if err := os.RemoveAll(filepath.Join(c.dir, digest)); err != nil {
			return fmt.Errorf("remove compressed files: %w", err)
		}
	}
	return nil
}

// make writes the copy, which appears complete or not at all.
func (c *compressed) make(from io.Reader, digest, name string) (path string, err error) {
	content, err := io.ReadAll(io.LimitReader(from, maxCompressed))
	if err != nil {
		return "", fmt.Errorf("read static file: %w", err)
	}
	small, err := web.Gzip(content)
	if err != nil || small == nil {
		return "", err
	}
	dir := filepath.Join(c.dir, digest)
	temp, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return "", fmt.Errorf("create compressed file: %w", err)
	}
	_, err = temp.Write(small)
	if err := errors.Join(err, temp.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("write compressed file: %w", err), os.Remove(temp.Name()))
	}
	// One folder a package: the names of files in folders hold no slash.
	path = filepath.Join(dir, strings.NewReplacer("%", "%25", "/", "%2F").Replace(name)+".gz")
	if err := os.Rename(temp.Name(), path); err != nil {
		return "", errors.Join(fmt.Errorf("place compressed file: %w", err), os.Remove(temp.Name()))
	}
	return path, nil
}

// compressible tells by its extension whether a file may become smaller.
func compressible(ext string) bool {
	switch strings.ToLower(ext) {
	case ".css", ".js", ".mjs", ".json", ".webmanifest", ".svg", ".txt", ".ico":
		return true
	}
	return false
}

// inUse tells whether pages of a package may still be on a screen.
func (h *Handler) inUse(digest string) bool {
	for _, a := range h.Addons.Active() {
		if digest == short(a.Digest) || digest == short(a.PreviousDigest) {
			return true
		}
	}
	return false
}

// choose returns what a browser gets of a static file: the file, or its compressed
// copy, which the caller closes. ok is false if it takes neither.
func (h *Handler) choose(r *http.Request, f *os.File, size int64, digest, name string) (copied *os.File, ok bool) {
	coding := web.CodingOf(r)
	if !coding.Gzip {
		return nil, coding.Plain
	}
	copied, err := h.compressed.open(f, size, digest, name, h.inUse)
	if err != nil {
		h.Log.WarnContext(r.Context(), "static file cannot be compressed", "file", name, "error", err.Error())
	}
	return copied, copied != nil || coding.Plain
}
