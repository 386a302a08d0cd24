// Package marketplace knows which add-ons may be installed: the packages in a
// folder that the operator fills, or those of a marketplace that somebody signs.
// The latter is a TUF repository: Repository makes it, Client takes from it and
// proves every byte.
package marketplace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/billing-addons/customer-portal/sdk/apperr"
	"github.com/billing-addons/customer-portal/sdk/manifest"
	"github.com/billing-addons/customer-portal/sdk/pack"
)

// Offer is one version of an add-on that may be installed.
type Offer struct {
	Manifest *manifest.Manifest
	// Digest is the SHA-256 of the package in hex, Size its length in bytes.
	Digest string
	Size   int64
	// PackedAt is when the package was put there.
	PackedAt time.Time
}

// Broken is a package that is not offered, and why.
type Broken struct {
	File string
	Err  error
}

// Folder offers the packages ("*.addon") of one folder. It is safe for
// concurrent use; each package is checked once, and again when its file has
// changed.
type Folder struct {
	dir string
	log *slog.Logger

	mu        sync.Mutex
	seen      map[string]entry
	documents map[string]map[string][]byte // of packages as seen, by add-on and version, then file
}

// entry is what is known of a file.
type entry struct {
	size     int64
	modified time.Time
	offer    Offer
	err      error
}

// NewFolder returns the marketplace of a folder. An empty name, or a folder
// that does not exist, offers nothing. Broken packages are logged once.
func NewFolder(dir string, log *slog.Logger) *Folder {
	return &Folder{dir: dir, log: log, seen: map[string]entry{}, documents: map[string]map[string][]byte{}}
}

// List returns what is offered: by name of the add-on, its newest version
// first. Of two packages with one version the later one counts.
func (f *Folder) List(ctx context.Context) ([]Offer, error) {
	files, err := f.scan(ctx)
	if err != nil {
		return nil, err
	}
	newest := map[[2]string]Offer{}
	for _, e := range files {
		if e.err != nil {
			continue
		}
		key := [2]string{e.offer.Manifest.ID, e.offer.Manifest.Version}
		if old, ok := newest[key]; !ok || e.offer.PackedAt.After(old.PackedAt) {
			newest[key] = e.offer
		}
	}
	list := make([]Offer, 0, len(newest))
	for _, o := range newest {
		list = append(list, o)
	}
	slices.SortFunc(list, compare)
	return list, nil
}

// Broken returns the packages that are not offered, by file name.
func (f *Folder) Broken(ctx context.Context) ([]Broken, error) {
	files, err := f.scan(ctx)
	if err != nil {
		return nil, err
	}
	var list []Broken
	for name, e := range files {
		if e.err != nil {
			list = append(list, Broken{File: name, Err: e.err})
		}
	}
	slices.SortFunc(list, func(a, b Broken) int { return strings.Compare(a.File, b.File) })
	return list, nil
}

func compare(a, b Offer) int {
	return cmp.Or(
		strings.Compare(strings.ToLower(a.Manifest.Name), strings.ToLower(b.Manifest.Name)),
		strings.Compare(a.Manifest.ID, b.Manifest.ID),
		compareVersions(b.Manifest.Version, a.Manifest.Version),
	)
}

// compareVersions orders semantic versions; manifests hold no others.
func compareVersions(a, b string) int {
	va, errA := semver.NewVersion(a)
	vb, errB := semver.NewVersion(b)
	if errA != nil || errB != nil {
		return strings.Compare(a, b)
	}
	return va.Compare(vb)
}

// Fetch opens the package of a version as it is offered. NotFound if it is not.
// Unpack checks what is read.
func (f *Folder) Fetch(ctx context.Context, id, version string) (io.ReadCloser, error) {
	files, err := f.scan(ctx)
	if err != nil {
		return nil, err
	}
	var name string
	for n, e := range files {
		if e.err != nil || e.offer.Manifest.ID != id || e.offer.Manifest.Version != version {
			continue
		}
		if name == "" || e.modified.After(files[name].modified) {
			name = n
		}
	}
	if name == "" {
		return nil, Listing{}.Missing(id, version)
	}
	file, err := os.Open(filepath.Join(f.dir, name))
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	return file, nil
}

// Look implements Source.
func (f *Folder) Look(ctx context.Context) (Listing, error) {
	offers, err := f.List(ctx)
	return Listing{Offers: offers}, err
}

// scan brings what is known up to date with the folder.
func (f *Folder) scan(ctx context.Context) (map[string]entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := map[string]entry{}
	if f.dir == "" {
		return now, nil
	}
	files, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read marketplace folder: %w", err)
	}
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), pack.Extension) || strings.HasPrefix(file.Name(), ".") {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, err := f.look(file.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		now[file.Name()] = e
	}
	f.seen = now
	return now, nil
}

// look returns what is known of a file, and reads it if that is not enough.
func (f *Folder) look(name string) (entry, error) {
	path := filepath.Join(f.dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return entry{}, fmt.Errorf("look at package: %w", err)
	}
	if old, ok := f.seen[name]; ok && old.size == info.Size() && old.modified.Equal(info.ModTime()) {
		return old, nil
	}
	clear(f.documents)
	e := entry{size: info.Size(), modified: info.ModTime()}
	p, err := read(path, info)
	if err != nil {
		e.err = err
		f.log.Warn("package is not offered", "file", name, "error", err.Error())
		if !apperr.Is(err, apperr.Invalid) {
			e.modified = time.Time{} // the machine's trouble, not the package's: look again
		}
		return e, nil
	}
	e.offer = Offer{Manifest: p.Manifest, Digest: p.Digest, Size: info.Size(), PackedAt: info.ModTime().UTC()}
	return e, nil
}

func read(path string, info fs.FileInfo) (_ *pack.Package, err error) {
	if !info.Mode().IsRegular() {
		return nil, apperr.Errorf(apperr.Invalid, "%s is no regular file.", info.Name())
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open package: %w", err)
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return pack.Read(file, pack.Limits{})
}
